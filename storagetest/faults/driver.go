package faults

import (
	"context"
	"io"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

var _ driver.Driver = (*objectDriver)(nil)

// An objectDriver passes every call through its injector.
type objectDriver struct {
	driver.Driver
	injector *Injector
}

// Describe returns the driver's description. If a rule stalls or slows calls, Describe clears
// Local, because calls of local drivers never stall and are never slow.
func (d *objectDriver) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Local = desc.Local && !d.injector.stalls()
	return desc
}

// call makes one call and applies the fault of the rule that matches it.
func call[T any](ctx context.Context, d *objectDriver, call Calls, key string, next func() (T, error)) (T, error) {
	fault := d.injector.begin(call, key)
	return withFault(ctx, d, call, fault, next)
}

// withFault calls next, which makes the given call of the driver, and applies the fault before or after it.
// Without a fault, it only calls next.
func withFault[T any](
	ctx context.Context, d *objectDriver, call Calls, fault *Rule, next func() (T, error),
) (T, error) {
	var none T
	if fault == nil {
		return next()
	}

	switch fault.kind {
	case fail:
		return none, fault.failure(false)
	case stall:
		<-ctx.Done()
		if fault.err != nil {
			return none, fault.err
		}
		return none, ctx.Err()
	case delay:
		if err := d.injector.wait(ctx, fault.wait); err != nil {
			return none, err
		}
	case dropResponse:
		if _, err := next(); err != nil {
			return none, err
		}
		mayHaveWritten := call&Writes != 0
		return none, fault.failure(mayHaveWritten)
	}
	return next()
}

// callWithBody makes a call that sends a body, and applies the fault of the rule that matches it. body points to
// the field of the caller's request, in which a damaged body takes the place of the original during the call.
// The request is not copied, because the engine may set its checksum while the body is read.
func callWithBody[T any, B io.Reader](
	ctx context.Context, d *objectDriver, call Calls, key string, body *B, next func() (T, error),
) (T, error) {
	fault := d.injector.begin(call, key)
	if fault == nil {
		return next()
	}

	original := *body
	if fault.kind == cut {
		// Read some bytes, as a store does before a connection breaks.
		var none T
		_, err := io.CopyN(io.Discard, original, fault.amount)
		if err != nil && err != io.EOF {
			return none, err
		}
		return none, fault.failure(false)
	}
	if fault.kind == corrupt {
		// If this body cannot seek, the damaged body has no Seek. If the type B requires Seek, the bytes
		// then stay undamaged.
		if damaged, ok := corrupted(original, fault.amount).(B); ok {
			*body = damaged
			defer func() {
				*body = original
			}()
		}
	}
	return withFault(ctx, d, call, fault, next)
}

func (d *objectDriver) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	return callWithBody(ctx, d, Put, r.Key, &r.Body, func() (*storage.Attrs, error) { return d.Driver.Put(ctx, r) })
}

func (d *objectDriver) PutPart(ctx context.Context, r *driver.PartRequest) (driver.Part, error) {
	return callWithBody(ctx, d, PutPart, r.Key, &r.Body, func() (driver.Part, error) { return d.Driver.PutPart(ctx, r) })
}

// Get calls the driver's Get with the faults for this call. If a fault drops the response, Get closes the
// body.
func (d *objectDriver) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	fault := d.injector.begin(Get, r.Key)

	// The body is not part of the result, because withFault drops the result if a fault makes the call fail.
	var body io.ReadCloser
	attrs, err := withFault(ctx, d, Get, fault, func() (attrs *storage.Attrs, err error) {
		attrs, body, err = d.Driver.Get(ctx, r)
		return attrs, err
	})
	if err != nil {
		if body != nil {
			// The caller never sees this body, so its Close has nobody to report to.
			_ = body.Close()
		}
		return nil, nil, err
	}
	return attrs, d.injector.watchBody(ctx, fault, body), nil
}

func (d *objectDriver) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	return call(ctx, d, Head, r.Key, func() (*storage.Attrs, error) { return d.Driver.Head(ctx, r) })
}

func (d *objectDriver) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	return call(ctx, d, List, r.Prefix, func() (*storage.Page, error) { return d.Driver.List(ctx, r) })
}

func (d *objectDriver) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	_, err := call(ctx, d, Delete, r.Key, func() (struct{}, error) { return struct{}{}, d.Driver.Delete(ctx, r) })
	return err
}

func (d *objectDriver) BeginParts(ctx context.Context, r *driver.PutRequest) (string, error) {
	return call(ctx, d, BeginParts, r.Key, func() (string, error) { return d.Driver.BeginParts(ctx, r) })
}

// CompleteParts sends a body if the request has the last part.
func (d *objectDriver) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	complete := func() (*storage.Attrs, error) { return d.Driver.CompleteParts(ctx, r) }
	if r.Last != nil {
		return callWithBody(ctx, d, CompleteParts, r.Put.Key, &r.Last.Body, complete)
	}
	return call(ctx, d, CompleteParts, r.Put.Key, complete)
}

// AbortParts aborts an upload. It has no result, so its call returns an empty struct.
func (d *objectDriver) AbortParts(ctx context.Context, key, upload string) error {
	_, err := call(ctx, d, AbortParts, key, func() (struct{}, error) {
		return struct{}{}, d.Driver.AbortParts(ctx, key, upload)
	})
	return err
}

func (d *objectDriver) ListParts(ctx context.Context, r *driver.ListPartsRequest) (*driver.PartPage, error) {
	return call(ctx, d, ListParts, r.Key, func() (*driver.PartPage, error) { return d.Driver.ListParts(ctx, r) })
}

func (d *objectDriver) ListUploads(ctx context.Context, r *driver.ListUploadsRequest) (*driver.UploadPage, error) {
	return call(ctx, d, ListUploads, r.Prefix, func() (*driver.UploadPage, error) { return d.Driver.ListUploads(ctx, r) })
}

func (d *objectDriver) SignPart(ctx context.Context, r *driver.SignPartRequest) (*storage.SignedURL, error) {
	return call(ctx, d, SignPart, r.Key, func() (*storage.SignedURL, error) { return d.Driver.SignPart(ctx, r) })
}

// DeleteBatch calls the driver's DeleteBatch with the faults for the first key. It returns an injected
// error for every request of the batch.
func (d *objectDriver) DeleteBatch(ctx context.Context, r []driver.DeleteRequest) []error {
	key := ""
	if len(r) > 0 {
		key = r[0].Key
	}
	errs, err := call(ctx, d, DeleteBatch, key, func() ([]error, error) { return d.Driver.DeleteBatch(ctx, r), nil })
	if err == nil {
		return errs
	}

	errs = make([]error, len(r))
	for i := range errs {
		errs[i] = err
	}
	return errs
}

func (d *objectDriver) Copy(ctx context.Context, r *driver.CopyRequest) (*storage.Attrs, error) {
	return call(ctx, d, Copy, r.Key, func() (*storage.Attrs, error) { return d.Driver.Copy(ctx, r) })
}

func (d *objectDriver) Compose(ctx context.Context, r *driver.ComposeRequest) (*storage.Attrs, error) {
	return call(ctx, d, Compose, r.Key, func() (*storage.Attrs, error) { return d.Driver.Compose(ctx, r) })
}

func (d *objectDriver) Move(ctx context.Context, r *driver.MoveRequest) (*storage.Attrs, error) {
	return call(ctx, d, Move, r.Key, func() (*storage.Attrs, error) { return d.Driver.Move(ctx, r) })
}

func (d *objectDriver) ListVersions(ctx context.Context, r *driver.ListRequest) (*driver.VersionPage, error) {
	return call(ctx, d, ListVersions, r.Prefix, func() (*driver.VersionPage, error) { return d.Driver.ListVersions(ctx, r) })
}

func (d *objectDriver) Tags(ctx context.Context, r *driver.GetRequest) (map[string]string, error) {
	return call(ctx, d, Tags, r.Key, func() (map[string]string, error) { return d.Driver.Tags(ctx, r) })
}

func (d *objectDriver) SetTags(ctx context.Context, r *driver.ChangeRequest) error {
	return change(d, ctx, SetTags, r, d.Driver.SetTags)
}

func (d *objectDriver) SetRetention(ctx context.Context, r *driver.ChangeRequest) error {
	return change(d, ctx, SetRetention, r, d.Driver.SetRetention)
}

func (d *objectDriver) SetLegalHold(ctx context.Context, r *driver.ChangeRequest) error {
	return change(d, ctx, SetLegalHold, r, d.Driver.SetLegalHold)
}

func (d *objectDriver) Restore(ctx context.Context, r *driver.ChangeRequest) error {
	return change(d, ctx, Restore, r, d.Driver.Restore)
}

// change calls next, a method of the driver that changes an object. It has no result but an error,
// so the call returns an empty struct.
func change(
	d *objectDriver, ctx context.Context, kind Calls, r *driver.ChangeRequest,
	next func(context.Context, *driver.ChangeRequest) error,
) error {
	_, err := call(ctx, d, kind, r.Key, func() (struct{}, error) { return struct{}{}, next(ctx, r) })
	return err
}

func (d *objectDriver) Sign(ctx context.Context, r *driver.SignRequest) (*storage.SignedURL, error) {
	return call(ctx, d, Sign, r.Key, func() (*storage.SignedURL, error) { return d.Driver.Sign(ctx, r) })
}

func (d *objectDriver) SignForm(ctx context.Context, r *driver.SignRequest) (*storage.SignedForm, error) {
	return call(ctx, d, SignForm, r.Key, func() (*storage.SignedForm, error) { return d.Driver.SignForm(ctx, r) })
}

func (d *objectDriver) Vend(ctx context.Context, r *driver.VendRequest) (*storage.VendedCredentials, error) {
	return call(ctx, d, Vend, r.Prefix, func() (*storage.VendedCredentials, error) { return d.Driver.Vend(ctx, r) })
}
