package signedurl

import (
	"context"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/serving"
)

// An Origin answers package serve's questions about one bucket, with its current
// state. The drivers of local and memory buckets are Origins and set
// Description.Origin, which passes through every layer. Objects are read and written
// through the bucket instead, and so through its layers and hooks.
type Origin interface {
	// VerifyingKeys returns the keys whose signatures are valid. It returns no keys if
	// nothing was ever signed.
	VerifyingKeys(ctx context.Context) (Keys, error)
	// BucketInfo returns whether the bucket is public, and its CORS rules.
	BucketInfo(ctx context.Context) (*storage.BucketInfo, error)
	// PublicRevision returns the revision of an object that was written with
	// WithPublicRead. It returns "" if there is no object, or if it is not public.
	PublicRevision(ctx context.Context, key string) (string, error)
	// Now returns the time of the clock that the bucket signs by.
	Now() time.Time
}

// A ServedBucket is what package serve knows about the store of a bucket.
type ServedBucket struct {
	Origin
	Name    string
	BaseURL string // ends in "/"
}

// OriginOf returns the store of b, past every layer. It returns false if the store serves
// its signed URLs itself, or if b has no WithSigningBaseURL. It also returns false for a
// result of Ref or Prefixed, and for a user's own type.
func OriginOf(b storage.Bucket) (ServedBucket, bool) {
	own, _, complete := serving.Reach(b)
	if own == nil || !complete {
		return ServedBucket{}, false
	}
	store, name, base := own.Served()
	o, ok := store.(Origin)
	return ServedBucket{o, name, base}, ok && base != ""
}
