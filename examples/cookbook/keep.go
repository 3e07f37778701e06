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

// bytesBelow adds up the sizes of the objects of each customer, whose keys begin with
// "customers/name/".
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

// removeOlder removes what was written before t. It continues after a failure, and the error
// names what is left.
func removeOlder(ctx context.Context, bucket interface {
	storage.Lister
	storage.Remover
}, prefix string, t time.Time) (int, error) {
	old := func(entry storage.ListEntry) bool { return entry.Modified.Before(t) }
	return storage.RemoveMatching(ctx, bucket, old, storage.WithPrefix(prefix))
}

// restorePrevious puts the newest version back that is not the current one. The bucket keeps versions.
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

// render fills a template that is an object, such as the text of a mail.
func render(ctx context.Context, w io.Writer, bucket storage.Bucket, name string, data any) error {
	templates, err := template.ParseFS(storage.FS(ctx, bucket), "templates/*.html")
	if err != nil {
		return err
	}
	return templates.ExecuteTemplate(w, name, data)
}

// endUploads ends multipart uploads that nobody has continued for three days, and removes their
// parts. It reports how many.
func endUploads(ctx context.Context, bucket storage.Bucket) (int64, error) {
	report, err := transfer.Expire(ctx, bucket, []transfer.ExpireRule{
		{Prefix: "incoming/", UploadsAge: 3 * 24 * time.Hour},
	})
	if err != nil {
		return 0, err
	}
	return report.Aborted, nil
}
