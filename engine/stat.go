package engine

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/metadata"
)

// Attrs returns the attributes of the object. If the object does not exist, it fails with
// ObjectNotFound.
func (b bucket) Attrs(ctx context.Context, key string, opts *storage.DownloadOptions) (*storage.Attrs, error) {
	return b.engine.stat(ctx, "Attrs", key, opts)
}

// Exists reports whether the object exists. A missing object is not an error.
func (b bucket) Exists(ctx context.Context, key string, opts *storage.DownloadOptions) (bool, error) {
	attrs, err := b.engine.stat(ctx, "Exists", key, opts)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		// A hook may have refused the call with this Code.
		err = nil
	}
	return attrs != nil, err
}

// stat runs the operation with the name, Attrs or Exists. For Exists, a missing object is no failure,
// so that hooks and telemetry see a success, and the result is nil.
func (e *engine) stat(ctx context.Context, name, key string, opts *storage.DownloadOptions) (*storage.Attrs, error) {
	// The operation and its request are one allocation.
	call := &struct {
		op  operation
		req driver.GetRequest
	}{}
	o := &call.op
	req := &call.req

	checkErr := o.prepareRead(e, name, key, req, opts)
	writeID := optionState(opts).WriteID
	return run(ctx, o, checkErr, func(ctx context.Context) (*storage.Attrs, *storage.Error) {
		attrs, err := headWrite(ctx, o, req, writeID)
		if err != nil {
			if name == "Exists" && err.Code == storage.ObjectNotFound {
				return nil, nil
			}
			return nil, err
		}
		return o.toUser(ctx, attrs), nil
	})
}

// headWrite makes a Head request. It fails with ObjectNotFound if writeID is not "" and the object was
// stored by another write.
func headWrite(
	ctx context.Context, o *operation, req *driver.GetRequest, writeID string,
) (*storage.Attrs, *storage.Error) {
	attrs, err := head(ctx, o, req)
	if err != nil {
		return nil, err
	}
	if writeID != "" && !metadata.HoldsWriteID(attrs.Metadata, writeID) {
		return nil, &storage.Error{
			Code: storage.ObjectNotFound,
			Err:  errors.New("the object is of another write"),
		}
	}
	return attrs, nil
}

// head makes a Head request, and returns the attributes as the driver reports them.
func head(ctx context.Context, o *operation, req *driver.GetRequest) (*storage.Attrs, *storage.Error) {
	attrs, err := request(ctx, o, func(ctx context.Context) (*storage.Attrs, error) {
		return o.hedgedHead(ctx, req)
	})
	if err != nil {
		withoutEffect(err) // a read changes nothing
	}
	return attrs, err
}

// maxObjectSize is the size in bytes above which a response is not believed. No object of any
// provider is larger than 190.7 TiB, the limit of Azure.
const maxObjectSize = 1 << 50

// checkResponseSize fails if a response has a size that no object of a store can have. A program between
// here and the store has then changed the response. Without the error, Copy would begin a copy with
// 50,000 parts. A file on this machine may have any size.
func (e *engine) checkResponseSize(
	attrs *storage.Attrs, body io.ReadCloser, err error,
) (*storage.Attrs, io.ReadCloser, error) {
	if err != nil || e.desc.Local || attrs.Size <= maxObjectSize {
		return attrs, body, err
	}
	if body != nil {
		_ = body.Close()
	}
	return nil, nil, &storage.Error{
		Code:      storage.Unavailable,
		Retryable: true,
		Err:       fmt.Errorf("the response says that the object has %d bytes, which none has", attrs.Size),
		Hint:      "check the endpoint: a program between here and the store may change responses",
	}
}

// setGet copies the options of a read into req. It does not return a request, because that would copy
// the struct once more.
func setGet(req *driver.GetRequest, opts *storage.DownloadOptions) {
	req.Version = opts.Version
	req.Offset = opts.Offset
	req.Length = opts.Length
	req.Suffix = opts.Suffix
	req.Condition = opts.Condition
	req.NativeAttrs = opts.NativeAttrs
	req.Auxiliary = optionState(opts).Auxiliary
}

// prepareRead prepares an operation that reads an object, and the request r, and checks the options.
func (o *operation) prepareRead(
	e *engine, name, key string, r *driver.GetRequest, opts *storage.DownloadOptions,
) *storage.Error {
	if err := o.prepare(e, name, key); err != nil {
		return err
	}
	if err := checkSpan(opts); err != nil {
		return err
	}
	setGet(r, opts)
	return e.resolveRead(o.key, r, opts.Native)
}

// checkSpan checks the range and the concurrency, which a caller may have set without a With function.
func checkSpan(opts *storage.DownloadOptions) *storage.Error {
	if opts.Offset < 0 || opts.Length < -1 || opts.Suffix < 0 {
		return invalid("DownloadOptions", "must have no negative Offset, Length (but for -1) or Suffix")
	}
	if opts.Suffix > 0 && (opts.Offset > 0 || opts.Length >= 0) {
		return invalid("DownloadOptions", "must have a Suffix, or an Offset and a Length")
	}
	if opts.Concurrency < 0 {
		return invalid("Concurrency", "must not be negative")
	}
	return nil
}

// resolveRead makes the checks that all reads have in common, sets the key and the native options of
// req, and removes the provider's prefix from its revision.
func (e *engine) resolveRead(key string, req *driver.GetRequest, native []storage.NativeValue) *storage.Error {
	if err := e.checkReadKey(key); err != nil {
		return err
	}
	if err := e.needVersion(req.Version); err != nil {
		return err
	}
	const noFeature = 0 // a read may always have a condition
	if err := e.checkCondition(&req.Condition, noFeature); err != nil {
		return err
	}
	values, err := e.nativeValues(native)
	if err != nil {
		return err
	}

	req.Key = key
	req.Native = values
	return nil
}
