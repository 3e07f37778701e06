package driver

import (
	"context"

	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/serving"
)

// A Place is where objects are. See [Description].Places. Its fields:
//
//   - Account any: comparable, and equal if one credential reaches both places; nil means unknown
//   - Bucket, Prefix string: the prefix is "" or ends in a slash
//   - Directory string: the local directory that holds the bucket; "" if there is none
//   - Direct bool: no server stands between the driver and the objects
//   - Alias bool: the bucket may have a second name, as an access point is one
type Place = evidence.Place

// PlacesOf returns where the objects of a driver are: what [Description].Places says, else what Locate says. It
// returns nothing if that is unknown.
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

// Places is PlacesOf for a [storage.Bucket], or a result of [storage.Ref] or [storage.Prefixed]. A layer
// with a second store adds them to its own.
func Places(b any) []Place { return serving.Places(b) }

// WithoutFailover returns a context in which reads and listings come from the store that decides. Jobs that remove
// something because of a listing, or of what they have read, call with it: a second store, or a cache of listings,
// may lag. A layer that fails over asks [MayFailOver] first. If the store that decides does not answer, the call is
// Unavailable.
func WithoutFailover(ctx context.Context) context.Context { return evidence.WithoutFailover(ctx) }

// MayFailOver reports whether a read or a listing may come from a store that may lag: not [WithoutFailover].
func MayFailOver(ctx context.Context) bool { return evidence.MayFailOver(ctx) }

// Overlap reports, without a request, whether a and b, each a [storage.Bucket] or a result of [storage.Ref] or
// [storage.Prefixed], are known to reach the same objects. Prefixes overlap if one begins with the other,
// directories if one lies in the other, also by symbolic links. A bucket that is opened twice is recognized by its
// credential, and a bucket with a layer by all its stores. One with a Core of your own ([storage.Wrap]) is
// recognized by what its Engine returns, or as the same Core if that is nil. Overlap is for code with two stores: a
// layer or a job.
func Overlap(a, b any) bool {
	if _, ok := serving.Below(a, b); ok {
		return true
	}
	_, ok := serving.Below(b, a)
	return ok
}
