package iceberg

import (
	"context"
	"io/fs"
	"path"

	iceio "github.com/apache/iceberg-go/io"

	"github.com/omnibucket/storage"
)

// Open opens a file for reading. Its Close must be called.
func (o *IO) Open(location string) (iceio.File, error) {
	key, err := o.key(location)
	if err != nil {
		return nil, failed("open", location, err)
	}
	open := o.openAt
	if path.Ext(key) == ".avro" {
		open = o.openWhole
	}
	f, err := open(key)
	if err != nil {
		return nil, failed("open", location, err)
	}
	return f, nil
}

// A file is an object that is open for reading.
type file struct {
	content *storage.ReaderAt
	whole   *download // of a file that is probably read from start to end; else nil
}

func (f *file) Stat() (fs.FileInfo, error) { return f.content.Attrs().FileInfo(), nil }

func (f *file) Read(p []byte) (int, error) { return f.content.Read(p) }

func (f *file) ReadAt(p []byte, off int64) (int, error) { return f.content.ReadAt(p, off) }

func (f *file) Seek(offset int64, whence int) (int64, error) { return f.content.Seek(offset, whence) }

func (f *file) Close() error {
	if f.whole != nil {
		f.whole.close()
	}
	return f.content.Close()
}

func (o *IO) openAt(key string) (*file, error) {
	r, err := storage.NewReaderAt(o.ctx, o.bucket, key)
	if err != nil {
		return nil, err
	}
	return &file{content: r}, nil
}

// openWhole asks for the content at once. The file can be read at offsets, too.
func (o *IO) openWhole(key string) (*file, error) {
	content, err := o.bucket.Download(o.ctx, key)
	if err != nil {
		return nil, err
	}
	whole := &download{Bucket: o.bucket, attrs: content.Attrs(), content: content}
	r, err := storage.NewReaderAt(o.ctx, whole, key)
	if err != nil {
		whole.close()
		return nil, err
	}
	return &file{r, whole}, nil
}

// A download is the bucket of one file, whose content was requested already.
type download struct {
	storage.Bucket
	attrs   *storage.Attrs
	content *storage.Reader // nil after Read has got it
}

func (d *download) Attrs(context.Context, string, ...storage.AttrsOption) (*storage.Attrs, error) {
	return d.attrs, nil
}

// Download returns the content to the first Read, if it is at the start. Read asks for all that
// follows, and ReadAt, which may be called at the same time, never does.
func (d *download) Download(ctx context.Context, key string, opts ...storage.DownloadOption) (*storage.Reader, error) {
	var r storage.DownloadOptions
	if err := r.Apply(opts...); err != nil {
		return nil, err
	}
	if r.Length < 0 && r.Offset == 0 && d.content != nil {
		content := d.content
		d.content = nil
		return content, nil
	}
	return d.Bucket.Download(ctx, key, opts...)
}

func (d *download) close() {
	if d.content != nil {
		_ = d.content.Close() // always nil
	}
}
