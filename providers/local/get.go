package local

import (
	"cmp"
	"context"
	"io"
	"os"
	"sync/atomic"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// Head returns the attributes of an object.
func (d *objectDriver) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	s, err := d.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer d.release(s)
	f, attrs, err := s.objects.openForRead(ctx, r)
	if err != nil {
		return nil, err
	}
	_ = f.Close()
	return attrs, nil
}

// Get opens an object. Bytes and attributes come from one open file. A write meanwhile
// does not change it, but makes a new file.
func (d *objectDriver) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	s, err := d.acquire(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer d.release(s)
	f, attrs, err := s.objects.openForRead(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	from, to, err := r.Span(attrs.Size)
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	file := f.OSFile(r.Key)
	return attrs, &body{io.NewSectionReader(file, from, to-from), file}, nil
}

// openForRead opens the object that r requests, and checks the condition. The caller
// closes the file.
func (o *objects) openForRead(ctx context.Context, r *driver.GetRequest) (*osdir.File, *storage.Attrs, error) {
	f, a, err := o.openObject(ctx, r.Key, r.Version)
	if err != nil {
		return nil, nil, err
	}
	attrs := o.reader.attrsOf(r.Key, f.Meta, a)
	if r.Version != "" {
		attrs.Version = r.Version
	}
	if err := checkRead(attrs.Revision, r.Condition); err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return f, attrs, nil
}

func checkRead(revision string, c storage.Condition) error {
	switch {
	case c.Revision != "" && c.Revision != revision:
		return storage.PreconditionFailed
	case c.NotRevision != "" && c.NotRevision == revision:
		return storage.NotModified
	}
	return nil
}

// openObject opens the current object, or a version, and reads its attributes.
func (o *objects) openObject(ctx context.Context, key, version string) (*osdir.File, *attrs, error) {
	if version != "" && !validVersion(version) {
		return nil, nil, errVersion
	}
	l, ok := o.tree.names().locate(key)
	if !ok {
		return nil, nil, o.tree.notFoundError()
	}
	var found *osdir.File
	var attributes *attrs
	err := retry(ctx, func() error {
		f, err := o.reader.openCurrent(l)
		if version != "" && (f == nil || versionOf(f.Meta) != version) && err == nil {
			if f != nil {
				_ = f.Close()
			}
			f, err = o.noncurrent.openVersion(key, version)
		}
		if err != nil {
			return err
		}
		if f == nil {
			return o.tree.notFoundError()
		}
		a, err := o.reader.attrsOfFile(f)
		if own := a; err == nil && version == "" && (a == nil || o.reader.forgets()) {
			a, err = o.reader.visibleOr(own, l, f.Meta)
			if err == nil && a != own && !o.reader.isStillCurrent(l, f) {
				a = nil
			}
		}
		if err == nil && (a != nil || version != "" || o.reader.isStillCurrent(l, f)) {
			found, attributes = f, a
			return nil
		}
		_ = f.Close()
		return cmp.Or[error](err, errAgain)
	})
	return found, attributes, err
}

// A reader finds and describes files of objects.
type reader struct {
	tree    *tree
	noXattr bool // behave as on a file system without extended attributes
	visible bool // Config.Sidecars

	cache    listCache
	sidecars atomic.Bool // sidecars may exist
}

// isStillCurrent reports whether a file without attributes is still the object. If it is
// not, its sidecar may have been removed with it, and the new file must be read.
func (r *reader) isStillCurrent(l location, f *osdir.File) bool {
	again, err := r.openCurrent(l)
	if err != nil || again == nil {
		return false
	}
	defer func() { _ = again.Close() }()
	return again.Meta.Ino == f.Meta.Ino && again.Meta.MTime == f.Meta.MTime && again.Meta.Size == f.Meta.Size
}

// openCurrent opens the current object. It returns nil if there is none. It tries the first
// name twice, because the object may be moved back to it while the second name is tried.
func (r *reader) openCurrent(l location) (*osdir.File, error) {
	for range 2 {
		f, err := r.openIn(l.dir, l.base)
		if f != nil && r.tree.strict.Load() {
			if mine, err := r.fileHasExactName(f, osdir.Join(l.dir, l.base)); err != nil || !mine {
				_ = f.Close()
				if err != nil {
					return nil, err
				}
				f = nil
			}
		}
		if f != nil || err != nil {
			return f, err
		}
		if f, err = r.openIn(l.altDir, l.altBase); f != nil || err != nil {
			return f, err
		}
	}
	if l.literal == "" {
		return nil, nil
	}
	if exact, err := r.tree.existsExactly(l.literal); err != nil || !exact {
		return nil, err
	}
	return r.openIn(osdir.Split(l.literal))
}

// openIn opens a regular file. It returns nil if there is no file with that name.
func (r *reader) openIn(path, base string) (*osdir.File, error) {
	r.tree.opening(path)
	f, err := r.tree.top.Open(osdir.Join(path, base))
	if osdir.IsNoFile(err) || osdir.IsNoReader(err) {
		return nil, nil
	}
	if err != nil {
		return nil, failure(err)
	}
	if f.Meta.Kind != osdir.KindFile {
		_ = f.Close()
		return nil, nil
	}
	return f, nil
}

// A body is a part of an open file. It is an io.ReaderAt, at offsets from the start of the
// part, and an io.WriterTo. If the writer is a socket, the kernel copies the bytes.
type body struct {
	*io.SectionReader
	file *os.File
}

// Close closes the file.
func (b *body) Close() error { return b.file.Close() }

// WriteTo writes the bytes that have not been read.
func (b *body) WriteTo(w io.Writer) (int64, error) {
	file, begin, length := b.Outer()
	done, err := b.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, err
	}
	if _, err := file.(*os.File).Seek(begin+done, io.SeekStart); err != nil {
		return 0, err
	}
	buffer := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buffer)
	n, err := io.CopyBuffer(w, &io.LimitedReader{R: b.file, N: length - done}, *buffer)
	if _, seeking := b.Seek(done+n, io.SeekStart); err == nil {
		err = seeking
	}
	return n, err
}
