package gocloud

import (
	"context"
	"io"
	"strings"

	"gocloud.dev/blob/driver"

	"github.com/omnibucket/storage"
)

// maxPage is the greatest number of entries in one page.
const maxPage = 1000

// ListPaged lists one page of objects and common prefixes.
func (b *bucket) ListPaged(ctx context.Context, o *driver.ListOptions) (*driver.ListPage, error) {
	// A page size of 0 stands for the largest page.
	size := min(o.PageSize, maxPage)
	if size <= 0 {
		size = maxPage
	}

	opts := []storage.ListOption{storage.WithPrefix(escapePrefix(o.Prefix)), storage.WithPageSize(size)}
	if o.Delimiter != "" {
		opts = append(opts, storage.WithDelimiter(escapeDelimiter(o.Delimiter)))
	}
	if err := runCallback(o.BeforeList, &opts); err != nil {
		return nil, err
	}

	page, err := storage.ListPage(ctx, b.Bucket, string(o.PageToken), opts...)
	if err != nil {
		return nil, err
	}

	list := &driver.ListPage{
		Objects:       make([]*driver.ListObject, 0, len(page.Entries)),
		NextPageToken: []byte(page.Token),
	}
	for _, entry := range page.Entries {
		// The prefix may have matched only a part of an escape, and not the key itself.
		key := unescapeKey(entry.Key)
		if strings.HasPrefix(key, o.Prefix) {
			list.Objects = append(list.Objects, listObject(key, entry))
		}
	}
	return list, nil
}

// listObject returns an entry of a listing in the form of the Go CDK. A program that passes a
// *storage.ListEntry to its As function gets the entry itself.
func listObject(key string, entry storage.ListEntry) *driver.ListObject {
	return &driver.ListObject{
		Key:     key,
		ModTime: entry.Modified,
		Size:    entry.Size,
		IsDir:   entry.IsPrefix,
		AsFunc: func(target any) bool {
			p, ok := target.(*storage.ListEntry)
			if ok {
				*p = entry
			}
			return ok
		},
	}
}

// NewRangeReader opens length bytes of an object from offset, or the rest of the object if length is
// negative.
func (b *bucket) NewRangeReader(
	ctx context.Context, key string, offset, length int64, o *driver.ReaderOptions,
) (driver.Reader, error) {
	var opts []storage.DownloadOption
	if offset > 0 || length >= 0 {
		opts = append(opts, storage.WithRange(offset, length))
	}
	if err := runCallback(o.BeforeRead, &opts); err != nil {
		return nil, err
	}

	src, err := withStoredKey(ctx, b.Bucket, key, func(key string) (*storage.Reader, error) {
		return b.Download(ctx, key, opts...)
	})
	if err != nil {
		return nil, err
	}
	attrs := src.Attrs()
	return &reader{
		src: src,
		attrs: driver.ReaderAttributes{
			ContentType: attrs.ContentType,
			ModTime:     attrs.Modified,
			Size:        attrs.Size,
		},
	}, nil
}

// A reader implements the Go CDK's reader with an open download.
type reader struct {
	src   *storage.Reader
	attrs driver.ReaderAttributes
}

// maxRead limits how many bytes one Read returns. The Go CDK reads up to 1 MiB, which would not
// stay in the processor's cache between the read, the checksum and the write.
const maxRead = 128 << 10

func (r *reader) Read(p []byte) (int, error) { return r.src.Read(p[:min(len(p), maxRead)]) }

func (r *reader) Close() error { return r.src.Close() }

func (r *reader) Attributes() *driver.ReaderAttributes { return &r.attrs }

func (r *reader) As(target any) bool { return attrsAs(r.src.Attrs())(target) }

// Download writes the content of the object to w.
func (r *reader) Download(w io.Writer) error {
	_, err := r.src.WriteTo(w)
	return err
}
