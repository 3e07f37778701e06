package faults

import (
	"context"
	"io"

	"github.com/omnibucket/storage"
)

var _ storage.Driver = (*driver)(nil)

// driver passes every call through its injector.
type driver struct {
	storage.Driver
	injector *Injector
}

// Describe does not declare Local if a rule may stall bodies or calls.
func (d *driver) Describe() storage.Description {
	desc := d.Driver.Describe()
	desc.Local = desc.Local && !d.injector.stalls()
	return desc
}

// call makes one call and applies the fault that a rule has for it.
func call[T any](d *driver, ctx context.Context, call Calls, key string, next func() (T, error)) (T, error) {
	fault := d.injector.begin(call, key)
	return withFault(d, ctx, call, fault, next)
}

func withFault[T any](d *driver, ctx context.Context, call Calls, fault *Rule, next func() (T, error)) (T, error) {
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
		return none, fault.failure(call&Writes != 0)
	}
	return next()
}

// callWithBody makes a call that sends a body. It replaces the body in the request
// itself during the call, and not in a copy, because the core may set the request's
// checksum while the body is read.
func callWithBody[T any, B io.Reader](d *driver, ctx context.Context, call Calls, key string, body *B, next func() (T, error)) (T, error) {
	fault := d.injector.begin(call, key)
	if fault != nil {
		original := *body
		switch fault.kind {
		case cut:
			var none T
			if _, err := io.CopyN(io.Discard, original, fault.at); err != nil && err != io.EOF {
				return none, err
			}
			return none, fault.failure(false)
		case corrupt:
			if damaged, ok := corrupted(original, fault.at).(B); ok {
				*body = damaged
				defer func() { *body = original }()
			}
		}
	}
	return withFault(d, ctx, call, fault, next)
}

func (d *driver) Put(ctx context.Context, r *storage.PutRequest) (*storage.Attrs, error) {
	return callWithBody(d, ctx, Put, r.Key, &r.Body, func() (*storage.Attrs, error) { return d.Driver.Put(ctx, r) })
}

func (d *driver) PutPart(ctx context.Context, r *storage.PartRequest) (storage.Part, error) {
	return callWithBody(d, ctx, PutPart, r.Key, &r.Body, func() (storage.Part, error) { return d.Driver.PutPart(ctx, r) })
}

func (d *driver) Get(ctx context.Context, r *storage.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	fault := d.injector.begin(Get, r.Key)
	var body io.ReadCloser
	attrs, err := withFault(d, ctx, Get, fault, func() (attrs *storage.Attrs, err error) {
		attrs, body, err = d.Driver.Get(ctx, r)
		return attrs, err
	})
	if err != nil {
		if body != nil { // the response was dropped
			_ = body.Close()
		}
		return nil, nil, err
	}
	return attrs, d.injector.watch(ctx, fault, body), nil
}

func (d *driver) Head(ctx context.Context, r *storage.GetRequest) (*storage.Attrs, error) {
	return call(d, ctx, Head, r.Key, func() (*storage.Attrs, error) { return d.Driver.Head(ctx, r) })
}

func (d *driver) List(ctx context.Context, r *storage.ListRequest) (*storage.Page, error) {
	return call(d, ctx, List, r.Prefix, func() (*storage.Page, error) { return d.Driver.List(ctx, r) })
}

func (d *driver) Delete(ctx context.Context, r *storage.DeleteRequest) error {
	_, err := call(d, ctx, Delete, r.Key, func() (struct{}, error) { return struct{}{}, d.Driver.Delete(ctx, r) })
	return err
}

func (d *driver) BeginParts(ctx context.Context, r *storage.PutRequest) (string, error) {
	return call(d, ctx, BeginParts, r.Key, func() (string, error) { return d.Driver.BeginParts(ctx, r) })
}

func (d *driver) CompleteParts(ctx context.Context, r *storage.CompleteRequest) (*storage.Attrs, error) {
	complete := func() (*storage.Attrs, error) { return d.Driver.CompleteParts(ctx, r) }
	if r.Last != nil {
		return callWithBody(d, ctx, CompleteParts, r.Put.Key, &r.Last.Body, complete)
	}
	return call(d, ctx, CompleteParts, r.Put.Key, complete)
}

func (d *driver) AbortParts(ctx context.Context, key, upload string) error {
	_, err := call(d, ctx, AbortParts, key, func() (struct{}, error) { return struct{}{}, d.Driver.AbortParts(ctx, key, upload) })
	return err
}

func (d *driver) ListParts(ctx context.Context, r *storage.ListPartsRequest) (*storage.PartPage, error) {
	return call(d, ctx, ListParts, r.Key, func() (*storage.PartPage, error) { return d.Driver.ListParts(ctx, r) })
}

func (d *driver) ListUploads(ctx context.Context, r *storage.ListUploadsRequest) (*storage.UploadPage, error) {
	return call(d, ctx, ListUploads, r.Prefix, func() (*storage.UploadPage, error) { return d.Driver.ListUploads(ctx, r) })
}

func (d *driver) SignPart(ctx context.Context, r *storage.SignPartRequest) (*storage.SignedURL, error) {
	return call(d, ctx, SignPart, r.Key, func() (*storage.SignedURL, error) { return d.Driver.SignPart(ctx, r) })
}

// DeleteBatch returns an injected error for every request of the batch.
func (d *driver) DeleteBatch(ctx context.Context, r []storage.DeleteRequest) []error {
	key := ""
	if len(r) > 0 {
		key = r[0].Key
	}
	errs, err := call(d, ctx, DeleteBatch, key, func() ([]error, error) { return d.Driver.DeleteBatch(ctx, r), nil })
	if err != nil {
		errs = make([]error, len(r))
		for i := range errs {
			errs[i] = err
		}
	}
	return errs
}

func (d *driver) Copy(ctx context.Context, r *storage.CopyRequest) (*storage.Attrs, error) {
	return call(d, ctx, Copy, r.Key, func() (*storage.Attrs, error) { return d.Driver.Copy(ctx, r) })
}

func (d *driver) Compose(ctx context.Context, r *storage.ComposeRequest) (*storage.Attrs, error) {
	return call(d, ctx, Compose, r.Key, func() (*storage.Attrs, error) { return d.Driver.Compose(ctx, r) })
}

func (d *driver) ListVersions(ctx context.Context, r *storage.ListRequest) (*storage.VersionPage, error) {
	return call(d, ctx, ListVersions, r.Prefix, func() (*storage.VersionPage, error) { return d.Driver.ListVersions(ctx, r) })
}

func (d *driver) Tags(ctx context.Context, r *storage.GetRequest) (map[string]string, error) {
	return call(d, ctx, Tags, r.Key, func() (map[string]string, error) { return d.Driver.Tags(ctx, r) })
}

func (d *driver) SetTags(ctx context.Context, r *storage.ChangeRequest) error {
	return change(d, ctx, SetTags, r, d.Driver.SetTags)
}

func (d *driver) SetRetention(ctx context.Context, r *storage.ChangeRequest) error {
	return change(d, ctx, SetRetention, r, d.Driver.SetRetention)
}

func (d *driver) SetLegalHold(ctx context.Context, r *storage.ChangeRequest) error {
	return change(d, ctx, SetLegalHold, r, d.Driver.SetLegalHold)
}

func (d *driver) Restore(ctx context.Context, r *storage.ChangeRequest) error {
	return change(d, ctx, Restore, r, d.Driver.Restore)
}

func change(d *driver, ctx context.Context, kind Calls, r *storage.ChangeRequest, do func(context.Context, *storage.ChangeRequest) error) error {
	_, err := call(d, ctx, kind, r.Key, func() (struct{}, error) { return struct{}{}, do(ctx, r) })
	return err
}

func (d *driver) Sign(ctx context.Context, r *storage.SignRequest) (*storage.SignedURL, error) {
	return call(d, ctx, Sign, r.Key, func() (*storage.SignedURL, error) { return d.Driver.Sign(ctx, r) })
}

func (d *driver) SignForm(ctx context.Context, r *storage.SignRequest) (*storage.SignedForm, error) {
	return call(d, ctx, SignForm, r.Key, func() (*storage.SignedForm, error) { return d.Driver.SignForm(ctx, r) })
}
