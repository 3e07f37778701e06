package s3server

import (
	"context"
	"strconv"

	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/s3server/internal/policy"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// A BucketSetup is a bucket with settings, for [Handler.SetUpBucket].
type BucketSetup struct {
	Name       string
	Versioning bool // keep versions
	ObjectLock bool // objects can be locked, which needs versions; only of a new bucket
	// Policy is the JSON of a bucket policy; nil leaves the bucket without one. It may be public even if
	// Config.Strict blocks public policies.
	Policy []byte
}

// SetUpBucket creates a bucket, unless it exists, and gives it settings. The account of the first
// credential owns it. A setting that is zero stays as it was. If a name or policy is none that S3 would
// accept, it fails with [storage.InvalidArgument].
func (h *Handler) SetUpBucket(ctx context.Context, setup BucketSetup) error {
	if !validBucketName(setup.Name) {
		return argument.Invalid("bucket", "must have 3 to 63 characters of a-z, 0-9, - and ., but is "+strconv.Quote(setup.Name), "")
	}
	var parsed *policy.Policy
	if setup.Policy != nil {
		var err error
		if parsed, err = policy.Parse(setup.Policy, setup.Name, h.config.Strict); err != nil {
			return argument.Invalid("policy", "of bucket "+setup.Name+" must be valid: "+err.Error(), "")
		}
	}
	b := h.newBucket(setup.Name, h.config.Credentials[0].Account)
	if setup.ObjectLock {
		b.Locking, b.Versioning = &state.LockSettings{}, state.Enabled
	}
	if _, err := h.store.CreateBucket(ctx, b); err != nil {
		return err
	}
	return h.store.ChangeBucket(ctx, setup.Name, func(b *state.Bucket) error {
		if setup.Versioning {
			b.Versioning = state.Enabled
		}
		if parsed != nil {
			b.Policy = parsed
			if parsed.Public() {
				b.Block = nil
			}
		}
		return nil
	})
}
