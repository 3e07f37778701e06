package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/metadata"
)

// Attrs describes the object; if there is none, it fails with ObjectNotFound.
func (b bucket) Attrs(ctx context.Context, key string, given *storage.DownloadOptions) (*storage.Attrs, error) {
	return b.core.stat(ctx, "Attrs", key, given)
}

// Exists returns false, nil if there is no object.
func (b bucket) Exists(ctx context.Context, key string, given *storage.DownloadOptions) (bool, error) {
	a, err := b.core.stat(ctx, "Exists", key, given)
	if storage.CodeOf(err) == storage.ObjectNotFound { // a hook has refused the call
		err = nil
	}
	return a != nil, err
}

// stat is Attrs and Exists. To Exists, a missing object is a result, nil: hooks and telemetry see no
// failure.
func (c *core) stat(ctx context.Context, name, key string, given *storage.DownloadOptions) (*storage.Attrs, error) {
	s := &struct { // one allocation
		op  operation
		req driver.GetRequest
	}{}
	o, r := &s.op, &s.req
	e := o.prepareRead(c, name, key, r, given)
	id := given.WriteID
	return run(ctx, o, e, func(ctx context.Context) (*storage.Attrs, *storage.Error) {
		a, e := head(ctx, o, r)
		if e == nil && id != "" && !metadata.HoldsWriteID(a.Metadata, id) {
			e = &storage.Error{Code: storage.ObjectNotFound, Err: errors.New("the object is of another write")}
		}
		switch {
		case e == nil:
			return o.toUser(ctx, a), nil
		case name == "Exists" && e.Code == storage.ObjectNotFound:
			return nil, nil
		}
		return nil, e
	})
}

// head makes a Head request, and returns Attrs as the driver does.
func head(ctx context.Context, o *operation, r *driver.GetRequest) (*storage.Attrs, *storage.Error) {
	a, e := request(ctx, o, func(ctx context.Context) (*storage.Attrs, error) { return o.hedgedHead(ctx, r) })
	if e != nil {
		withoutEffect(e)
	}
	return a, e
}

// maxObjectSize is in bytes: no store has a larger object. Objects on Azure may have 190.7 TiB, on all
// other stores less.
const maxObjectSize = 1 << 50

// believeSize refuses a size that no object has: the response is not the store's. A copy that believed it would have
// 50,000 parts. A file on this machine may have any size.
func (c *core) believeSize(a *storage.Attrs, body io.ReadCloser, err error) (*storage.Attrs, io.ReadCloser, error) {
	if err != nil || c.desc.Local || a.Size <= maxObjectSize {
		return a, body, err
	}
	if body != nil {
		_ = body.Close()
	}
	return nil, nil, &storage.Error{
		Code: storage.Unavailable, Retryable: true,
		Err:  fmt.Errorf("the response says that the object has %d bytes, which none has", a.Size),
		Hint: "check the endpoint: a program between here and the store may change responses",
	}
}

// setGet sets in r what the options of a read ask for. Returning a request instead would copy
// it once more.
func setGet(r *driver.GetRequest, given *storage.DownloadOptions) {
	r.Version, r.Offset, r.Length, r.Suffix = given.Version, given.Offset, given.Length, given.Suffix
	r.Condition, r.NativeAttrs, r.Auxiliary = given.Condition, given.NativeAttrs, given.Auxiliary
}

// prepareRead prepares an operation that reads an object, and its request.
func (o *operation) prepareRead(
	c *core, name, key string, r *driver.GetRequest, given *storage.DownloadOptions,
) *storage.Error {
	if e := o.prepare(c, name, key); e != nil {
		return e
	}
	if e := checkSpan(given); e != nil {
		return e
	}
	setGet(r, given)
	return c.resolveRead(o.key, r, given.Native)
}

// checkSpan refuses numbers that no With function gives.
func checkSpan(given *storage.DownloadOptions) *storage.Error {
	switch {
	case given.Offset < 0 || given.Length < -1 || given.Suffix < 0:
		return invalid("DownloadOptions", "must have no negative Offset, Length (but for -1) or Suffix")
	case given.Suffix > 0 && (given.Offset > 0 || given.Length >= 0):
		return invalid("DownloadOptions", "must have a Suffix, or an Offset and a Length")
	case given.Concurrency < 0:
		return invalid("Concurrency", "must not be negative")
	}
	return nil
}

// resolveRead checks what all reads have in common, and completes the request.
func (c *core) resolveRead(key string, r *driver.GetRequest, given []storage.NativeValue) *storage.Error {
	var foreign *storage.Error
	r.Key = key
	r.Native, foreign = c.natives(given)
	return cmp.Or(c.checkReadKey(key), c.needVersion(r.Version), c.condition(&r.Condition, 0), foreign)
}
