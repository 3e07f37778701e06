package iceberg

import (
	"context"
	"io/fs"
	"path"

	iceio "github.com/apache/iceberg-go/io"

	"github.com/omnibucket/storage"
)

// Open opens a file for reading. The caller must close it.
func (o *IO) Open(location string) (iceio.File, error) {
	key, err := o.key(location)
	if err != nil {
		return nil, pathError("open", location, err)
	}

	open := o.openAt
	// iceberg-go reads Avro files, such as the manifests of a table, from start to end.
	if path.Ext(key) == ".avro" {
		open = o.openWhole
	}
	f, err := open(key)
	if err != nil {
		return nil, pathError("open", location, err)
	}
	return f, nil
}

// A file is an object that is open for reading.
type file struct {
	content  *storage.ReaderAt
	download *download // set if the file is probably read from start to end
}

func (f *file) Stat() (fs.FileInfo, error) { return f.content.Attrs().FileInfo(), nil }

func (f *file) Read(p []byte) (int, error) { return f.content.Read(p) }

func (f *file) ReadAt(p []byte, off int64) (int, error) { return f.content.ReadAt(p, off) }

func (f *file) Seek(offset int64, whence int) (int64, error) { return f.content.Seek(offset, whence) }

// Close closes the file and its request, if one is still open.
func (f *file) Close() error {
	if f.download != nil {
		f.download.close()
	}
	return f.content.Close()
}

// openAt opens a file that is read in ranges.
func (o *IO) openAt(key string) (*file, error) {
	r, err := storage.NewReaderAt(o.ctx, o.bucket, key)
	if err != nil {
		return nil, err
	}
	return &file{content: r}, nil
}

// openWhole opens a file that is probably read from start to end, with one request for the whole content.
// The file can still be read at any offset.
func (o *IO) openWhole(key string) (*file, error) {
	content, err := o.bucket.Download(o.ctx, key)
	if err != nil {
		return nil, err
	}

	// The reader calls Download of d in place of the bucket's, and so gets the content from above.
	d := &download{Bucket: o.bucket, attrs: content.Attrs(), content: content}
	r, err := storage.NewReaderAt(o.ctx, d, key)
	if err != nil {
		d.close()
		return nil, err
	}
	return &file{content: r, download: d}, nil
}

// A download is a bucket with one file whose content has been requested already. The first Read of
// the file uses that request.
type download struct {
	storage.Bucket
	attrs   *storage.Attrs
	content *storage.Reader // nil after the first Read has used it
}

func (d *download) Attrs(context.Context, string, ...storage.AttrsOption) (*storage.Attrs, error) {
	return d.attrs, nil
}

// Download returns the whole content or a range of the file, for a [storage.ReaderAt]. The first call for the whole
// content, which only Read makes, returns the response that openWhole has received. All others make a request.
func (d *download) Download(ctx context.Context, key string, opts ...storage.DownloadOption) (*storage.Reader, error) {
	var applied storage.DownloadOptions
	if err := applied.Apply(opts...); err != nil {
		return nil, err
	}

	isWhole := applied.Offset == 0 && applied.Length < 0
	if isWhole && d.content != nil {
		content := d.content
		d.content = nil
		return content, nil
	}
	return d.Bucket.Download(ctx, key, opts...)
}

// close closes the response, unless the first Read has taken it.
func (d *download) close() {
	if d.content != nil {
		// Close of a storage.Reader returns nil.
		_ = d.content.Close()
	}
}
