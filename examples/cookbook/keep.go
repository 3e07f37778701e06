package cookbook

import (
	"context"
	"html/template"
	"io"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/transfer"
)

// bytesBelow returns the total size of the objects of each customer, in bytes. The keys of a
// customer begin with "customers/name/".
func bytesBelow(ctx context.Context, bucket storage.Lister) (map[string]int64, error) {
	sizes := map[string]int64{}
	for entry, err := range bucket.List(ctx, storage.WithPrefix("customers/")) {
		if err != nil {
			return nil, err
		}
		customer, _, _ := strings.Cut(strings.TrimPrefix(entry.Key, "customers/"), "/")
		sizes[customer] += entry.Size
	}
	return sizes, nil
}

// removeOlder removes the objects that were last written before t. It continues after a failure, and the error names
// the objects that are left.
func removeOlder(ctx context.Context, bucket interface {
	storage.Lister
	storage.Remover
}, prefix string, t time.Time) (int, error) {
	old := func(entry storage.ListEntry) bool { return entry.Modified.Before(t) }
	return storage.RemoveMatching(ctx, bucket, old, storage.WithPrefix(prefix))
}

// restorePrevious copies the newest noncurrent version to the key, so that it becomes current. The bucket must keep
// versions.
func restorePrevious(ctx context.Context, bucket interface {
	storage.Uploader
	storage.Downloader
	storage.Lister
}, key string) error {
	for version, err := range storage.Versions(ctx, bucket, storage.WithPrefix(key)) {
		if err != nil {
			return err
		}
		if version.Key == key && !version.Current && !version.IsDeleteMarker {
			_, err := storage.Copy(ctx, bucket, key, bucket, key, storage.WithVersion(version.Version))
			return err
		}
	}
	return storage.ObjectNotFound
}

// render fills a template that is stored as an object, such as the text of an e-mail.
func render(ctx context.Context, w io.Writer, bucket storage.Bucket, name string, data any) error {
	templates, err := template.ParseFS(storage.FS(ctx, bucket), "templates/*.html")
	if err != nil {
		return err
	}
	return templates.ExecuteTemplate(w, name, data)
}

// endUploads aborts multipart uploads that nobody has continued for three days. Aborting an upload
// removes its parts. endUploads returns the number of uploads that it has aborted.
func endUploads(ctx context.Context, bucket storage.Bucket) (int64, error) {
	report, err := transfer.Expire(ctx, bucket, []transfer.ExpireRule{
		{Prefix: "incoming/", UploadsAge: 3 * 24 * time.Hour},
	})
	if err != nil {
		return 0, err
	}
	return report.Aborted, nil
}
