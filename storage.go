// Package storage is one API for every object store: Amazon S3 and the servers that speak
// its protocol, Google Cloud Storage, Azure Blob Storage, a local directory and memory.
// Code that passes its tests on memory behaves the same on the others; the suite in
// storagetest proves it.
//
//	package main
//
//	import (
//		"context"
//		"fmt"
//		"log"
//		"strings"
//
//		"github.com/omnibucket/storage"
//		_ "github.com/omnibucket/storage/memstore" // mem://
//	)
//
//	func main() {
//		ctx := context.Background()
//		bucket, err := storage.Open(ctx, "mem://demo")
//		if err != nil {
//			log.Fatal(err)
//		}
//		if _, err := bucket.Upload(ctx, "hello.txt", strings.NewReader("hello"), storage.IfAbsent()); err != nil {
//			log.Fatal(err) // errors.Is(err, storage.PreconditionFailed): somebody else was first
//		}
//		text, attrs, err := storage.ReadAll(ctx, bucket, "hello.txt")
//		fmt.Printf("%s, %s, %v\n", text, attrs.ContentType, err)
//	}
//
// With another address, and the package of its provider imported, the same program works in a directory or a cloud.
//
// # A bucket
//
// A [Bucket] has nine methods:
//
//   - [Bucket.Upload] and [Bucket.Download] store and read an object, of any size.
//   - [Bucket.List] ranges over keys in order, with a prefix and a delimiter.
//   - [Bucket.Attrs] and [Bucket.Exists] look at an object.
//   - [Bucket.Remove] removes it.
//   - [Bucket.SignedUploadURL] and [Bucket.SignedDownloadURL] let anyone make one request, as a browser.
//   - [Bucket.PublicURL] is the address of an object that everyone may read.
//
// Everything else is a function that uses them: [ReadAll],
// [Copy], [Update], [FS] and more. To see or refuse whole operations, use a [Hook]; to
// change requests or responses of the store, see package driver.
//
// # Errors and rules
//
// Every error is an *[Error] with a [Code]: errors.Is(err, storage.ObjectNotFound) holds,
// and so does errors.Is(err, fs.ErrNotExist). Three rules hold for all functions and
// options, and the other comments do not repeat them:
//
//   - If an argument or option breaks a rule, or two set a condition, the call fails with
//     [InvalidArgument] and changes nothing.
//   - If the store cannot do what a function or option asks for (see [Features]), the call
//     fails with [Unsupported] and changes nothing.
//   - If an object is missing, reading or changing it fails with [ObjectNotFound].
//
// All rules, such as what a key may be, are in docs/contract.md of the repository.
//
// # Packages
//
//   - [github.com/omnibucket/storage/memstore]: buckets in memory, for tests.
//   - [github.com/omnibucket/storage/providers/local]: a directory.
//   - [github.com/omnibucket/storage/providers/s3]: Amazon S3, and servers with its protocol.
//   - [github.com/omnibucket/storage/providers/gcs]: Google Cloud Storage.
//   - [github.com/omnibucket/storage/providers/azure]: Azure Blob Storage.
//   - [github.com/omnibucket/storage/transfer]: jobs that copy, move, compare, remove or expire whole trees.
//   - [github.com/omnibucket/storage/serve]: objects over HTTP.
//   - [github.com/omnibucket/storage/uploads]: files of users, judged by their content before they exist.
//   - [github.com/omnibucket/storage/lease]: a distributed lock, and the election of a leader.
//   - [github.com/omnibucket/storage/commit]: a log to which several processes append.
//   - [github.com/omnibucket/storage/layers]: encryption, two stores, a cache, limits and more below a bucket.
//   - [github.com/omnibucket/storage/s3server]: an S3 server for tests and development.
//   - [github.com/omnibucket/storage/storagetest]: the suite that judges a driver, and faults for your own tests.
//   - [github.com/omnibucket/storage/driver] and [github.com/omnibucket/storage/engine]: for a driver or a layer of your own.
//   - [github.com/omnibucket/storage/adapters/gocloud] and others beside it: buckets for the interfaces of other libraries.
package storage

import (
	"context"
	"net/url"
	"strings"
	"sync"

	"github.com/omnibucket/storage/internal/unexported"
)

// Open opens a bucket by address. A provider's package (memstore, providers/local, …)
// registers its scheme when it is imported:
//
//	mem://name
//	file:///var/data/files?create=true
//	s3://bucket?region=eu-west-1&endpoint=https://nyc3.digitaloceanspaces.com
//	gs://bucket
//	azblob://container?account=name
//
// Every address takes public=true, public_base_url=, signing_base_url=, versions=true,
// object_lock=true and part_size= (bytes; [WithDefaultPartSize]). If the scheme or a
// parameter is unknown, the error names the known ones. Credentials come from the
// provider's chain, and from no address.
func Open(ctx context.Context, address string, opts ...OpenOption) (Bucket, error) {
	opened, err := open(ctx, "Open", address, opts, func(o unexported.Opener) unexported.OpenFunc { return o.Bucket })
	if err != nil {
		return nil, err
	}
	b, _ := opened.(Bucket)
	return b, nil
}

// OpenService opens an account by an address that has no bucket's name.
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
