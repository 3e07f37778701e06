package signedurl

import (
	"context"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/serving"
)

// An Origin tells package serve the current state of one bucket. The drivers of local and memory
// buckets implement Origin, and set it as Description.Origin. A layer keeps this value, or clears
// it if the bucket of the layer has no signed URLs. Package serve reads and writes objects through
// the bucket, so that its layers and hooks have their effect.
type Origin interface {
	// VerifyingKeys returns the keys that can verify a signature. It returns no keys if nothing was
	// ever signed.
	VerifyingKeys(ctx context.Context) (Keys, error)
	// BucketInfo returns the settings of the bucket, such as its CORS rules and whether it is
	// public.
	BucketInfo(ctx context.Context) (*storage.BucketInfo, error)
	// PublicRevision returns the revision of an object that was written with WithPublicRead. If the
	// object does not exist or is not public, it returns "".
	PublicRevision(ctx context.Context, key string) (string, error)
	// Now returns the current time of the clock that is used for signing and verifying.
	Now() time.Time
}

// A ServedBucket is a bucket as package serve sees it: its Origin, name and base URL.
type ServedBucket struct {
	Origin
	Name    string
	BaseURL string // ends in a slash
}

// OriginOf returns the Origin of the store of b, without the layers in between. It returns false if
// the store serves its own signed URLs, if b was opened without WithSigningBaseURL, or if b is a
// result of Ref or Prefixed or has a user's own type.
func OriginOf(b storage.Bucket) (ServedBucket, bool) {
	engine, _, complete := serving.Reach(b)
	if engine == nil || !complete {
		// The bucket has a user's own type, or is a result of Ref or Prefixed.
		return ServedBucket{}, false
	}

	served := engine.Served()
	origin, ok := served.Origin.(Origin)
	if !ok || served.BaseURL == "" {
		return ServedBucket{}, false
	}
	return ServedBucket{
		Origin:  origin,
		Name:    served.Bucket,
		BaseURL: served.BaseURL,
	}, true
}
