package s3server

import (
	"context"
	"strconv"

	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/s3server/internal/policy"
	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// A BucketSetup is the name and the settings of a bucket for [Handler.SetUpBucket].
type BucketSetup struct {
	Name       string
	Versioning bool // keep versions
	ObjectLock bool // allow locks on objects, which enables versions; only for a new bucket
	// Policy is the JSON of a bucket policy. If Policy is nil, SetUpBucket does not set a policy.
	// The policy may be public even if Config.Strict blocks public policies.
	Policy []byte
}

// SetUpBucket creates a bucket, unless it exists, and changes its settings. The account of the
// first credential owns a new bucket. A setting with a zero value is not changed. If S3 would
// refuse the name or the policy, SetUpBucket fails with [storage.InvalidArgument].
func (h *Handler) SetUpBucket(ctx context.Context, setup BucketSetup) error {
	if err := checkBucketName(setup.Name); err != nil {
		return err
	}

	var doc *policy.Policy // nil if the setup has no policy
	if setup.Policy != nil {
		var err error
		doc, err = policy.Parse(setup.Policy, setup.Name)
		if err != nil {
			return argument.Invalid("policy", "of bucket "+setup.Name+" must be valid: "+err.Error(), "")
		}
	}

	// CreateBucket leaves an existing bucket as it is.
	b := h.server.NewBucket(setup.Name, h.config.Credentials[0].Account)
	if setup.ObjectLock {
		b.Locking = &state.LockSettings{}
		b.Versioning = state.Enabled
	}
	if _, err := h.server.Store.CreateBucket(ctx, b); err != nil {
		return err
	}

	// The bucket may have existed, so its settings are changed in any case.
	return h.server.Store.ChangeBucket(ctx, setup.Name, func(b *state.Bucket) error {
		if setup.Versioning {
			b.Versioning = state.Enabled
		}
		if doc != nil {
			b.Policy = doc
			// Otherwise the block of public access would make the policy useless.
			if doc.Public() {
				b.Block = nil
			}
		}
		return nil
	})
}

// checkBucketName fails if a bucket name that the calling program has passed is invalid.
func checkBucketName(name string) error {
	if request.ValidBucketName(name) {
		return nil
	}
	return argument.Invalid("bucket", "must have 3 to 63 characters of a-z, 0-9, - and ., but is "+strconv.Quote(name), "")
}
