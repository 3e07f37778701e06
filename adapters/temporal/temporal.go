// Package temporal stores large payloads of Temporal's workflows in any [storage.Bucket]. It is a
// driver for the external storage of Temporal's SDK, which is an experimental feature.
//
//	d, err := temporal.New(bucket, temporal.Config{})
//	c, err := client.Dial(client.Options{ExternalStorage: converter.ExternalStorage{
//		Drivers: []converter.StorageDriver{d},
//	}})
//
// The key of a payload is "v0/d/sha256/", followed by its SHA-256 in hexadecimal digits. The SDK's
// driver for S3 uses the same keys, and this driver can read payloads that the SDK's driver has
// stored. Equal payloads are one object, so a task that is repeated stores nothing new. Store
// writes with [storage.IfAbsent], without checking first. In a store without conditional writes, it
// stores the same bytes again.
//
// Neither the SDK nor this package removes payloads. A lifecycle rule of the store may remove old
// objects if its age is long enough. That age must exceed the time from the first workflow with a
// payload to the end of the retention of the last workflow with the same payload.
package temporal

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/omnibucket/storage"
)

// These are the fields of a claim, which is the reference to a payload in the history of a
// workflow. The SDK's driver for S3 has the same fields.
const (
	claimKey       = "key"
	claimAlgorithm = "hash_algorithm"
	claimHash      = "hash_value"
	algorithm      = "sha256"
	folder         = "v0/d/" + algorithm + "/"
)

// maxWhole is the size of the largest payload that is stored with one request, in bytes. The SDK's
// driver stores at most 50 MiB. Uploads have the condition IfAbsent, because the store may already
// have the payload. In an upload in parts, the store checks the condition only after all parts were
// sent.
const maxWhole = 64 << 20

// A Config configures a driver. Its zero value has the defaults.
type Config struct {
	// Name is stored with each claim in the history of a workflow, and must not change as long as
	// claims exist. If it is "", the name is "omnibucket". If the program used the SDK's driver for
	// S3 with the same bucket before, set the name of that driver.
	Name string
}

type driver struct {
	bucket  storage.ReadWriter
	name    string
	options []storage.UploadOption
}

// New returns a storage driver for the bucket b, without making a request. It fails with
// InvalidArgument if b is nil.
func New(b storage.ReadWriter, c Config) (converter.StorageDriver, error) {
	if b == nil {
		return nil, newError(storage.InvalidArgument, "", "bucket must not be nil")
	}

	d := &driver{bucket: b, name: cmp.Or(c.Name, "omnibucket")}
	if storage.Supports(b, storage.ConditionalCreate) {
		// Equal payloads have the same key, so an object that exists need not be stored again.
		d.options = append(d.options, storage.IfAbsent())
	}
	if storage.Supports(b, storage.MultipartUploads) {
		// Payloads up to this size are stored with one request.
		d.options = append(d.options, storage.WithPartSize(maxWhole))
	}
	return d, nil
}

// newError returns an error of this package. key is the key of the payload, or "".
func newError(code storage.Code, key, text string) error {
	return &storage.Error{Code: code, Op: "temporal", Key: key, Err: errors.New(text)}
}

func (d *driver) Name() string { return d.name }
func (*driver) Type() string   { return "omnibucket" }

// Store stores payloads in parallel, as many at a time as the SDK's limiter permits.
func (d *driver) Store(
	c converter.StorageDriverStoreContext, payloads []*common.Payload,
) ([]converter.StorageDriverClaim, error) {
	claims := make([]converter.StorageDriverClaim, len(payloads))
	group, ctx := errgroup.WithContext(c.Context)
	for i, payload := range payloads {
		group.Go(func() error {
			return c.GetLimiter().Permit(ctx, payload, func() (err error) {
				claims[i], err = d.store(ctx, payload)
				return err
			})
		})
	}

	if err := group.Wait(); err != nil {
		return nil, err
	}
	return claims, nil
}

// store stores one payload, unless the bucket has it, and returns the claim for it.
func (d *driver) store(ctx context.Context, payload *common.Payload) (claim converter.StorageDriverClaim, err error) {
	content, err := proto.MarshalOptions{Deterministic: true}.Marshal(payload)
	if err != nil {
		return claim, err
	}

	hash := digest(content)
	_, err = d.bucket.Upload(ctx, folder+hash, bytes.NewReader(content), d.options...)
	isStoredAlready := storage.CodeOf(err) == storage.PreconditionFailed
	if err != nil && !isStoredAlready {
		return claim, err
	}

	claim.ClaimData = map[string]string{
		claimKey:       folder + hash,
		claimAlgorithm: algorithm,
		claimHash:      hash,
	}
	return claim, nil
}

// digest returns the SHA-256 of content in hexadecimal digits.
func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// Retrieve reads payloads in parallel, as many at a time as the SDK's limiter permits. If the bytes of
// an object have changed since they were stored, it fails with ChecksumMismatch.
func (d *driver) Retrieve(
	c converter.StorageDriverRetrieveContext, claims []converter.StorageDriverClaim,
) ([]*common.Payload, error) {
	payloads := make([]*common.Payload, len(claims))
	group, ctx := errgroup.WithContext(c.Context)
	for i, claim := range claims {
		group.Go(func() error {
			return c.GetLimiter().Permit(ctx, claim, func() (err error) {
				payloads[i], err = d.retrieve(ctx, claim.ClaimData)
				return err
			})
		})
	}

	if err := group.Wait(); err != nil {
		return nil, err
	}
	return payloads, nil
}

// retrieve reads the payload of one claim, and checks its bytes.
func (d *driver) retrieve(ctx context.Context, claim map[string]string) (*common.Payload, error) {
	key := claim[claimKey]
	if claim[claimAlgorithm] != algorithm {
		return nil, newError(
			storage.InvalidArgument, key,
			fmt.Sprintf("the claim must have the hash algorithm %s, and has %q", algorithm, claim[claimAlgorithm]),
		)
	}

	content, _, err := storage.ReadAll(ctx, d.bucket, key)
	if err != nil {
		return nil, err
	}
	if digest(content) != claim[claimHash] {
		return nil, newError(storage.ChecksumMismatch, key, "the object has other bytes than the payload that was stored")
	}
	payload := &common.Payload{}
	if err := proto.Unmarshal(content, payload); err != nil {
		return nil, err
	}
	return payload, nil
}
