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
// change requests or responses of the store (encryption, caching), write a driver.Layer: a
// driver.Driver that embeds another one. To run code around every request of a driver, retries
// included (rate limits, fault injection), use driver.Intercept.
package storage

import (
	"context"
	"net/url"
	"strings"
	"sync"

	"github.com/omnibucket/storage/internal/unexported"
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
	opened, err := open(ctx, "Open", address, opts, func(o unexported.Opener) unexported.OpenFunc { return o.Bucket })
	if err != nil {
		return nil, err
	}
	b, _ := opened.(Bucket)
	return b, nil
}

// OpenService opens an account by address, without a bucket's name. It fails as [Open]
// does.
func OpenService(ctx context.Context, address string, opts ...OpenOption) (Service, error) {
	opened, err := open(ctx, "OpenService", address, opts, func(o unexported.Opener) unexported.OpenFunc { return o.Service })
	if err != nil {
		return nil, err
	}
	s, _ := opened.(Service)
	return s, nil
}

// openDriver opens the driver of an account by address, which takes no parameters of a Bucket.
func openDriver(ctx context.Context, address string) (any, error) {
	return open(ctx, "OpenServiceDriver", address, nil, func(o unexported.Opener) unexported.OpenFunc {
		if o.Driver == nil {
			return nil
		}
		return func(ctx context.Context, u *url.URL, opts any) (any, error) {
			if len(opts.([]OpenOption)) > 0 {
				return nil, invalid("address", "must not have "+strings.Join(commonParameters, "=, ")+"=")
			}
			return o.Driver(ctx, u)
		}
	})
}

var registry = struct {
	sync.RWMutex
	openers map[string]unexported.Opener
}{openers: map[string]unexported.Opener{}}

func register(scheme string, o unexported.Opener) {
	registry.Lock()
	defer registry.Unlock()
	if _, known := registry.openers[scheme]; known {
		panic("storage: Register: scheme " + scheme + " is registered already")
	}
	registry.openers[scheme] = o
}

// open finds the opener of an address, and calls what choose returns of it.
func open(ctx context.Context, op, address string, opts []OpenOption, choose func(unexported.Opener) unexported.OpenFunc) (any, error) {
	fail := func(e *Error) (any, error) {
		e.Op = op
		return nil, e
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
	opened, err := f(ctx, u, append(common, opts...))
	if err != nil {
		return fail(asError(ctx, err))
	}
	return opened, nil
}
