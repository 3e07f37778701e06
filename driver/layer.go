package driver

import (
	"context"
	"io"
	"slices"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/metadata"
)

// A Layer wraps a driver to change its behavior. Examples are a fault injector and a rate limit. A
// method that a layer does not override goes directly to the wrapped driver. So a layer that
// changes the stored bytes must override CompleteParts, Compose, Copy, Get, Head, List, ListParts,
// ListVersions, Locate, Move, Put, PutPart, Sign, SignForm, SignPart and Vend. Otherwise its
// Describe must remove the features that need these methods. CompleteParts has the last part of
// the object if the driver declares [SequentialParts]. Describe also appends to [Description.Stack].
type Layer func(Driver) Driver

// WithLayer wraps the driver in l. With several layers, the last is outermost. If l is nil,
// every operation fails with InvalidArgument.
func WithLayer(l Layer) storage.OpenOption {
	return layerOption{l}
}

type layerOption struct{ layer Layer }

// ApplyOpen adds the layer.
func (l layerOption) ApplyOpen(o *storage.OpenOptions) {
	if l.layer == nil {
		o.Fail(argument.Invalid("WithLayer", "must not be nil", ""))
		return
	}
	o.Layers = append(o.Layers, l.layer)
}

// WithLayerMetadata returns a context in which reads and copies keep the metadata of layers, such
// as the key of an encrypted object. Without this context, they leave out such metadata. Use it in
// a layer that copies objects by the functions of package storage.
func WithLayerMetadata(ctx context.Context) context.Context { return metadata.WithLayers(ctx) }

// JoinCRC32C returns the checksum of two parts that follow each other. The second part has length
// bytes. If the checksum of either part is unknown, the result is unknown, too. Layers that change
// the bytes of parts need JoinCRC32C.
func JoinCRC32C(first, second storage.CRC32C, length int64) storage.CRC32C {
	if !first.Known || !second.Known {
		return storage.CRC32C{}
	}
	return storage.CRC32C{Sum: crc32c.Join(first.Sum, second.Sum, length), Known: true}
}

// Intercept returns a Driver that makes every call through f. It is for layers that treat all calls
// in the same way. The function f gets the name of the called method, and calls next to make the
// call. Describe, Locate, Native and Close make no request, so they do not call f.
func Intercept(d Driver, f func(ctx context.Context, call string, next func(context.Context) error) error) Driver {
	return &interceptor{Driver: d, wrap: f}
}

// An interceptor implements Intercept. Its methods are those of Driver that make requests.
type interceptor struct {
	Driver
	wrap func(ctx context.Context, call string, next func(context.Context) error) error
}

// intercept makes a call through a.wrap, the function of the layer, and returns its result. call is the
// name of the method, and next calls it on the inner driver.
func intercept[T any](
	a *interceptor, ctx context.Context, call string, next func(context.Context) (T, error),
) (T, error) {
	var result T
	err := a.wrap(ctx, call, func(ctx context.Context) (err error) {
		result, err = next(ctx)
		return err
	})
	if err != nil {
		var none T
		return none, err
	}
	return result, nil
}

func (a *interceptor) Put(ctx context.Context, r *PutRequest) (*storage.Attrs, error) {
	return intercept(a, ctx, "Put", func(ctx context.Context) (*storage.Attrs, error) { return a.Driver.Put(ctx, r) })
}

// Get calls the method of the inner driver through the function of the layer. That function may repeat a
// call, or may return an error for a call that has succeeded. In both cases, Get closes the body that the
// caller does not get.
func (a *interceptor) Get(ctx context.Context, r *GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	var attrs *storage.Attrs
	var body io.ReadCloser
	next := func(ctx context.Context) error {
		if body != nil {
			// The layer has called next before, for example to retry. Close the body of that call.
			_ = body.Close()
		}
		var err error
		attrs, body, err = a.Driver.Get(ctx, r)
		return err
	}
	if err := a.wrap(ctx, "Get", next); err != nil {
		if body != nil {
			_ = body.Close()
		}
		return nil, nil, err
	}
	return attrs, body, nil
}

func (a *interceptor) Head(ctx context.Context, r *GetRequest) (*storage.Attrs, error) {
	return intercept(a, ctx, "Head", func(ctx context.Context) (*storage.Attrs, error) { return a.Driver.Head(ctx, r) })
}

func (a *interceptor) List(ctx context.Context, r *ListRequest) (*storage.Page, error) {
	return intercept(a, ctx, "List", func(ctx context.Context) (*storage.Page, error) { return a.Driver.List(ctx, r) })
}

func (a *interceptor) Delete(ctx context.Context, r *DeleteRequest) error {
	return a.wrap(ctx, "Delete", func(ctx context.Context) error { return a.Driver.Delete(ctx, r) })
}

func (a *interceptor) BeginParts(ctx context.Context, r *PutRequest) (string, error) {
	return intercept(a, ctx, "BeginParts", func(ctx context.Context) (string, error) { return a.Driver.BeginParts(ctx, r) })
}

func (a *interceptor) PutPart(ctx context.Context, r *PartRequest) (Part, error) {
	return intercept(a, ctx, "PutPart", func(ctx context.Context) (Part, error) { return a.Driver.PutPart(ctx, r) })
}

func (a *interceptor) CompleteParts(ctx context.Context, r *CompleteRequest) (*storage.Attrs, error) {
	return intercept(
		a, ctx, "CompleteParts",
		func(ctx context.Context) (*storage.Attrs, error) { return a.Driver.CompleteParts(ctx, r) },
	)
}

func (a *interceptor) AbortParts(ctx context.Context, key, upload string) error {
	return a.wrap(ctx, "AbortParts", func(ctx context.Context) error { return a.Driver.AbortParts(ctx, key, upload) })
}

func (a *interceptor) ListParts(ctx context.Context, r *ListPartsRequest) (*PartPage, error) {
	return intercept(a, ctx, "ListParts", func(ctx context.Context) (*PartPage, error) { return a.Driver.ListParts(ctx, r) })
}

func (a *interceptor) ListUploads(ctx context.Context, r *ListUploadsRequest) (*UploadPage, error) {
	return intercept(a, ctx, "ListUploads", func(ctx context.Context) (*UploadPage, error) {
		return a.Driver.ListUploads(ctx, r)
	})
}

func (a *interceptor) SignPart(ctx context.Context, r *SignPartRequest) (*storage.SignedURL, error) {
	return intercept(a, ctx, "SignPart", func(ctx context.Context) (*storage.SignedURL, error) {
		return a.Driver.SignPart(ctx, r)
	})
}

// DeleteBatch returns one error for each request, which is the layer's own error if that is not nil.
func (a *interceptor) DeleteBatch(ctx context.Context, r []DeleteRequest) []error {
	var errs []error
	err := a.wrap(ctx, "DeleteBatch", func(ctx context.Context) error {
		errs = a.Driver.DeleteBatch(ctx, r)
		return nil
	})
	if err != nil {
		return slices.Repeat([]error{err}, len(r))
	}
	return errs
}

func (a *interceptor) Copy(ctx context.Context, r *CopyRequest) (*storage.Attrs, error) {
	return intercept(a, ctx, "Copy", func(ctx context.Context) (*storage.Attrs, error) { return a.Driver.Copy(ctx, r) })
}

func (a *interceptor) Compose(ctx context.Context, r *ComposeRequest) (*storage.Attrs, error) {
	return intercept(a, ctx, "Compose", func(ctx context.Context) (*storage.Attrs, error) { return a.Driver.Compose(ctx, r) })
}

func (a *interceptor) Move(ctx context.Context, r *MoveRequest) (*storage.Attrs, error) {
	return intercept(a, ctx, "Move", func(ctx context.Context) (*storage.Attrs, error) { return a.Driver.Move(ctx, r) })
}

func (a *interceptor) ListVersions(ctx context.Context, r *ListRequest) (*VersionPage, error) {
	return intercept(
		a, ctx, "ListVersions",
		func(ctx context.Context) (*VersionPage, error) { return a.Driver.ListVersions(ctx, r) },
	)
}

func (a *interceptor) Tags(ctx context.Context, r *GetRequest) (map[string]string, error) {
	return intercept(a, ctx, "Tags", func(ctx context.Context) (map[string]string, error) { return a.Driver.Tags(ctx, r) })
}

func (a *interceptor) SetTags(ctx context.Context, r *ChangeRequest) error {
	return a.wrap(ctx, "SetTags", func(ctx context.Context) error { return a.Driver.SetTags(ctx, r) })
}

func (a *interceptor) SetRetention(ctx context.Context, r *ChangeRequest) error {
	return a.wrap(ctx, "SetRetention", func(ctx context.Context) error { return a.Driver.SetRetention(ctx, r) })
}

func (a *interceptor) SetLegalHold(ctx context.Context, r *ChangeRequest) error {
	return a.wrap(ctx, "SetLegalHold", func(ctx context.Context) error { return a.Driver.SetLegalHold(ctx, r) })
}

func (a *interceptor) Restore(ctx context.Context, r *ChangeRequest) error {
	return a.wrap(ctx, "Restore", func(ctx context.Context) error { return a.Driver.Restore(ctx, r) })
}

func (a *interceptor) Sign(ctx context.Context, r *SignRequest) (*storage.SignedURL, error) {
	return intercept(a, ctx, "Sign", func(ctx context.Context) (*storage.SignedURL, error) { return a.Driver.Sign(ctx, r) })
}

func (a *interceptor) SignForm(ctx context.Context, r *SignRequest) (*storage.SignedForm, error) {
	return intercept(a, ctx, "SignForm", func(ctx context.Context) (*storage.SignedForm, error) {
		return a.Driver.SignForm(ctx, r)
	})
}

func (a *interceptor) Vend(ctx context.Context, r *VendRequest) (*storage.VendedCredentials, error) {
	return intercept(a, ctx, "Vend", func(ctx context.Context) (*storage.VendedCredentials, error) {
		return a.Driver.Vend(ctx, r)
	})
}
