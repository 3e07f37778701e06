package memstore

import (
	"bytes"
	"context"
	"io"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// Head returns the attributes of the current object, or of the version in r.
func (d *objectDriver) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	_, attrs, err := d.lookup(ctx, r)
	return attrs, err
}

// Get returns a body that shares memory with the stored object. A later write replaces the object
// and leaves these bytes unchanged.
func (d *objectDriver) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	o, attrs, err := d.lookup(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	start, end, err := r.Span(attrs.Size)
	if err != nil {
		return nil, nil, err
	}
	if err := d.account.checkReadable(o); err != nil {
		return nil, nil, err
	}

	body := &content{}
	body.Reset(o.data[start:end])
	return attrs, body, nil
}

// lookup returns the object that a read requests, and its attributes, if the condition of the read
// holds.
func (d *objectDriver) lookup(ctx context.Context, r *driver.GetRequest) (*object, *storage.Attrs, error) {
	revision, err := parseVersion(r.Version)
	if err != nil {
		return nil, nil, err
	}
	b, err := d.openToRead(ctx)
	if err != nil {
		return nil, nil, err
	}

	o := b.find(r.Key, revision)
	isVersioned := b.info.Versioning
	b.mu.RUnlock()

	// An object never changes, so it can be read without the lock.
	if o == nil {
		return nil, nil, storage.ObjectNotFound
	}
	if err := checkRead(o, r.Condition); err != nil {
		return nil, nil, err
	}

	hasVersion := isVersioned || revision != 0
	attrs := o.attrs(hasVersion)

	// An archived object may have a readable copy for some time. While it has one, it is not
	// Archived.
	if restored := o.copyExtra().restored; restored != (restorePeriod{}) {
		attrs.Restore = restored.state(d.account.time())
	}
	attrs.Archived = d.account.archives(o) && attrs.Restore.Until.IsZero()
	return o, attrs, nil
}

// content is the body of a Get. It implements io.WriterTo, which writes the object's bytes without
// copying them first. It also implements io.ReaderAt, by which the engine knows that reads cannot
// stall.
type content struct{ bytes.Reader }

// Close does nothing, because content holds no resources.
func (*content) Close() error { return nil }
