package agents

import (
	"context"

	"github.com/omnibucket/storage"
)

// list returns the files and folders directly in photos/, such as photos/a.jpg and photos/2026/.
func list(ctx context.Context, bucket storage.Lister) (files, folders []string, err error) {
	for entry, err := range bucket.List(ctx, storage.WithPrefix("photos/"), storage.WithDelimiter("/")) {
		if err != nil {
			return nil, nil, err
		}
		if entry.IsPrefix {
			folders = append(folders, entry.Key)
		} else {
			files = append(files, entry.Key)
		}
	}
	return files, folders, nil
}

// page returns one page. The first token is "", and the last page's Token is "".
func page(ctx context.Context, bucket storage.Lister, token string) (*storage.Page, error) {
	return storage.ListPage(ctx, bucket, token, storage.WithPrefix("photos/"), storage.WithPageSize(2))
}
