// Package storage is one API for every object store: Amazon S3 and the servers that
// speak its protocol, Google Cloud Storage, Azure Blob Storage, a local directory and
// memory. Code that passes its tests on memory behaves the same on the others; the suite
// in storagetest proves it.
//
//	bucket, err := storage.Open(ctx, "file:///var/data/files?create=true")
//	attrs, err := bucket.Upload(ctx, "images/photo.jpg", file, storage.IfAbsent())
//	reader, err := bucket.Download(ctx, "images/photo.jpg")
//	for entry, err := range bucket.List(ctx, storage.WithPrefix("images/")) { … }
//
// A [Bucket] has nine methods. Everything else is a function of this package that uses
// them: [ReadAll], [UploadFile], [Copy], [Update], [RemoveAll], [FS] and more. A provider's
// package (memstore, providers/local, …) registers the scheme of its addresses when it is
// imported.
//
// Every error is an *[Error] with a [Code]: errors.Is(err, storage.ObjectNotFound) holds,
// and so does errors.Is(err, fs.ErrNotExist).
//
// To see or refuse whole operations (logging, metrics, permissions), use a [Hook]. To
// change requests or responses of the store (encryption, caching), write a [Layer]: a
// [Driver] that embeds another one. To run code around every request of a driver, retries
// included (rate limits, fault injection), use [Intercept].
package storage

import (
	"context"
	"net/url"
	"strings"
	"sync"
)

// Open opens a bucket by address. A provider's package registers its scheme when it is
// imported:
//
//	mem://name
//	file:///var/data/files?create=true
//	s3://bucket?region=eu-west-1&endpoint=https://nyc3.digitaloceanspaces.com
//	gs://bucket
//	azblob://container?account=name
//
// Every address takes public=true, public_base_url=, signing_base_url=, versions=true,
// object_lock=true and part_size=, the bytes of [WithDefaultPartSize].
// If the scheme or a parameter is unknown, Open fails with InvalidArgument and names the
// known ones. An address has no credentials: they come from the provider's chain.
func Open(ctx context.Context, address string, opts ...OpenOption) (Bucket, error) {
	d, all, err := open(ctx, "Open", address, opts, func(o Opener) func(context.Context, *url.URL) (Driver, error) { return o.Driver })
	if err != nil {
		return nil, err
	}
	b := newBucket(d, all)
	if b.core.bad != nil {
		e := *b.core.bad
		e.Op = "Open"
		_ = d.Close()
		return nil, &e
	}
	return b, nil
}

// OpenService opens an account by address, without a bucket's name. It fails as [Open]
// does.
func OpenService(ctx context.Context, address string, opts ...OpenOption) (Service, error) {
	d, all, err := open(ctx, "OpenService", address, opts, func(o Opener) func(context.Context, *url.URL) (ServiceDriver, error) { return o.Service })
	if err != nil {
		return nil, err
	}
	return NewService(d, all...), nil
}

// OpenServiceDriver opens an account by address, as [OpenService] does, and returns its
// driver, for a program that serves the driver. The caller closes it. Parameters that every
// address takes (versions=true, public=true and so on) are settings of a [Bucket]: they fail
// with InvalidArgument.
func OpenServiceDriver(ctx context.Context, address string) (ServiceDriver, error) {
	const op = "OpenServiceDriver"
	d, common, err := open(ctx, op, address, nil, func(o Opener) func(context.Context, *url.URL) (ServiceDriver, error) { return o.Service })
	if err != nil {
		return nil, err
	}
	if len(common) > 0 {
		_ = d.Close()
		e := invalid("address", "must not have "+strings.Join(commonParameters, "=, ")+"=")
		e.Op = op
		return nil, e
	}
	return d, nil
}

// An Opener makes a driver of an address. The core has refused parameters that are not in
// Params, and applies every OpenOption to the driver. If a function is nil, opening is
// Unsupported.
type Opener struct {
	Params  []string // the provider's own query parameters
	Driver  func(ctx context.Context, address *url.URL) (Driver, error)
	Service func(ctx context.Context, address *url.URL) (ServiceDriver, error)
}

var registry = struct {
	sync.RWMutex
	openers map[string]Opener
}{openers: map[string]Opener{}}

// Register registers a scheme with [Open] and [OpenService]. It panics if the scheme is
// registered already.
func Register(scheme string, o Opener) {
	registry.Lock()
	defer registry.Unlock()
	if _, known := registry.openers[scheme]; known {
		panic("storage: Register: scheme " + scheme + " is registered already")
	}
	registry.openers[scheme] = o
}

// open finds the opener of an address, and calls it.
func open[D any](ctx context.Context, op, address string, opts []OpenOption, choose func(Opener) func(context.Context, *url.URL) (D, error)) (D, []OpenOption, error) {
	var none D
	fail := func(e *Error) (D, []OpenOption, error) {
		e.Op = op
		return none, nil, e
	}
	u, opener, e := parseAddress(address)
	if e != nil {
		return fail(e)
	}
	common, e := commonParams(u)
	if e != nil {
		return fail(e)
	}
	f := choose(opener)
	if f == nil {
		return fail(unsupported("scheme "+u.Scheme+" does not open this", ""))
	}
	d, err := f(ctx, u)
	if err != nil {
		return fail(asError(ctx, err))
	}
	return d, append(common, opts...), nil
}
