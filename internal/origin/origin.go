// Package origin is what the handler of package serve asks of a bucket that has
// no server of its own.
package origin

import (
	"context"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/bridge"
	"github.com/omnibucket/storage/internal/signed"
)

// An Origin answers for one bucket as it is now. The local and the memory driver
// are Origins, and say so in Description.Origin: it passes through every layer,
// while objects are read and written through the bucket, and so through its
// layers and hooks.
type Origin interface {
	// VerifyingKeys are the keys whose signatures are good: none where nothing
	// was ever signed.
	VerifyingKeys(ctx context.Context) (signed.Keys, error)
	// BucketInfo tells whether the bucket is public, and its CORS rules.
	BucketInfo(ctx context.Context) (*storage.BucketInfo, error)
	// PublicRevision is the revision of an object that was written with
	// WithPublicRead; "" where there is none, or it is not public.
	PublicRevision(ctx context.Context, key string) (string, error)
	// Now is the clock by which the bucket signs.
	Now() time.Time
}

// A Bucket is what serve needs to know of one.
type Bucket struct {
	Origin
	Name    string
	BaseURL string // ends in "/"
}

// Of looks behind b. It is false for a bucket whose store answers its signed
// addresses itself, one without WithSigningBaseURL, and one behind Ref, Prefixed
// or a type of the user's.
func Of(b storage.Bucket) (Bucket, bool) {
	own, ok := b.(bridge.Bucket)
	if !ok {
		return Bucket{}, false
	}
	answering, name, base := own.Served(bridge.ToServe{})
	o, ok := answering.(Origin)
	return Bucket{o, name, base}, ok && base != ""
}
