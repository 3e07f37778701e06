package driver

import (
	"context"

	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/serving"
)

// A Place is where objects are. See [Description].Places. Its fields:
//
//   - Account any: a comparable value; nil means unknown. If one credential reaches two places,
//     their Accounts are equal.
//   - Bucket, Prefix string: the prefix is "" or ends in a slash
//   - Directory string: the local directory that holds the bucket; "" if there is none
//   - Direct bool: true if no server stands between the driver and the objects
//   - Alias bool: true if the bucket may have a second name; an access point is an example
type Place = evidence.Place

// PlacesOf returns where the objects of a driver are, by [Description].Places or, if that is nil, by
// Locate. It returns nil if the place is unknown.
func PlacesOf(d Driver) []Place {
	if places := d.Describe().Places; places != nil {
		return places()
	}
	ref := d.Locate("")
	if ref.Account == nil && ref.Directory == "" {
		return nil
	}
	return []Place{{Account: ref.Account, Bucket: ref.Bucket, Directory: ref.Directory}}
}

// Places returns where the objects of b are. b is a [storage.Bucket], or a result of [storage.Ref]
// or [storage.Prefixed]. A layer with a second store calls Places for that store, and adds the
// result to the layer's own places. The field Account of a result can only be compared. If b is a
// part of a bucket, it gives no access to the rest.
func Places(b any) []Place { return evidence.Opaque(serving.Places(b)) }

// WithoutFailover returns a context for jobs that remove objects because of what they have listed
// or read. With this context, reads and listings use only the store that has the latest writes.
// They do not use a second store or a cache of listings, which may be older. If the store with the
// latest writes does not answer, the call fails with Unavailable. A layer calls [MayFailOver]
// before it uses its second store.
func WithoutFailover(ctx context.Context) context.Context { return evidence.WithoutFailover(ctx) }

// MayFailOver reports whether a read or a listing may use a store that may lack the latest writes.
// It returns false if ctx was made by [WithoutFailover].
func MayFailOver(ctx context.Context) bool { return evidence.MayFailOver(ctx) }

// Overlap reports whether a and b are known to reach the same objects. It is for code that works
// with two stores, such as a layer or a job. It makes no request. a and b are a [storage.Bucket],
// or a result of [storage.Ref] or [storage.Prefixed]. Two prefixes overlap if one begins with the
// other. Two directories overlap if one contains the other, even by symbolic links.
//
// Overlap compares credentials to recognize a bucket that was opened twice. If a bucket has a
// layer, Overlap compares all stores of the layer. If a bucket has a Core of your own
// ([storage.Wrap]) whose method Source returns that Core as the source, two buckets overlap only if
// they have the same Core.
func Overlap(a, b any) bool {
	if _, ok := serving.Below(a, b); ok {
		return true
	}
	_, ok := serving.Below(b, a)
	return ok
}
