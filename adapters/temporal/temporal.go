// Package temporal keeps large payloads of Temporal's workflows in any [storage.Bucket]: it makes a storage
// driver for the external storage of Temporal's SDK, which is experimental there.
//
//	d, err := temporal.New(bucket, temporal.Config{})
//	c, err := client.Dial(client.Options{ExternalStorage: converter.ExternalStorage{
//		Drivers: []converter.StorageDriver{d},
//	}})
//
// A payload is the object "v0/d/sha256/" and its SHA-256 in hexadecimal digits, as in the driver for S3
// of the SDK, whose claims this one reads, too. So equal payloads are one object, and a task that is tried again
// stores nothing new. Store writes with [storage.IfAbsent] and does not look first. A store without
// conditional writes stores the same bytes again.
//
// Nothing removes payloads. If a rule of the store removes old objects, their age must exceed the time from
// the first workflow with such a payload to the end of the retention of the last one.
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

// The fields of a claim, as in the SDK's driver for S3.
const (
	claimKey       = "key"
	claimAlgorithm = "hash_algorithm"
	claimHash      = "hash_value"
	algorithm      = "sha256"
	folder         = "v0/d/" + algorithm + "/"
)

// maxWhole is the largest payload that is stored by one request, in bytes. That of the SDK's driver is 50 MiB. In
// parts, a payload that the store has would be sent again before the store refuses it.
const maxWhole = 64 << 20

// A Config has the choices of a driver.
type Config struct {
	// Name is in the history of each workflow beside the claims, and must stay the same for as long as they
	// are there. "" means omnibucket. A program that had the SDK's driver for S3 in the same bucket gives its name.
	Name string
}

type driver struct {
	bucket  storage.ReadWriter
	name    string
	options []storage.UploadOption
}

// New returns a storage driver over b. It makes no request. If b is nil, New fails with InvalidArgument.
func New(b storage.ReadWriter, c Config) (converter.StorageDriver, error) {
	if b == nil {
		return nil, failed(storage.InvalidArgument, "", "bucket must not be nil")
	}
	d := &driver{bucket: b, name: cmp.Or(c.Name, "omnibucket")}
	if storage.Supports(b, storage.ConditionalCreate) {
		d.options = append(d.options, storage.IfAbsent())
	}
	if storage.Supports(b, storage.MultipartUploads) {
		d.options = append(d.options, storage.WithPartSize(maxWhole))
	}
	return d, nil
}

func failed(code storage.Code, key, text string) error {
	return &storage.Error{Code: code, Op: "temporal", Key: key, Err: errors.New(text)}
}

func (d *driver) Name() string { return d.name }
func (*driver) Type() string   { return "omnibucket" }

// Store stores payloads at once, as many as the limiter of the SDK allows.
func (d *driver) Store(
	c converter.StorageDriverStoreContext, payloads []*common.Payload,
) ([]converter.StorageDriverClaim, error) {
	claims := make([]converter.StorageDriverClaim, len(payloads))
	all, ctx := errgroup.WithContext(c.Context)
	for i, payload := range payloads {
		all.Go(func() error {
			return c.GetLimiter().Permit(ctx, payload, func() (err error) {
				claims[i], err = d.store(ctx, payload)
				return err
			})
		})
	}
	if err := all.Wait(); err != nil {
		return nil, err
	}
	return claims, nil
}

func (d *driver) store(ctx context.Context, payload *common.Payload) (claim converter.StorageDriverClaim, err error) {
	content, err := proto.MarshalOptions{Deterministic: true}.Marshal(payload)
	if err != nil {
		return claim, err
	}
	hash := digest(content)
	_, err = d.bucket.Upload(ctx, folder+hash, bytes.NewReader(content), d.options...)
	if err != nil && storage.CodeOf(err) != storage.PreconditionFailed { // it has the payload already
		return claim, err
	}
	claim.ClaimData = map[string]string{claimKey: folder + hash, claimAlgorithm: algorithm, claimHash: hash}
	return claim, nil
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// Retrieve reads payloads at once, as many as the limiter of the SDK allows. If an object has other bytes
// than were stored, it fails with ChecksumMismatch.
func (d *driver) Retrieve(
	c converter.StorageDriverRetrieveContext, claims []converter.StorageDriverClaim,
) ([]*common.Payload, error) {
	payloads := make([]*common.Payload, len(claims))
	all, ctx := errgroup.WithContext(c.Context)
	for i, claim := range claims {
		all.Go(func() error {
			return c.GetLimiter().Permit(ctx, claim, func() (err error) {
				payloads[i], err = d.retrieve(ctx, claim.ClaimData)
				return err
			})
		})
	}
	if err := all.Wait(); err != nil {
		return nil, err
	}
	return payloads, nil
}

func (d *driver) retrieve(ctx context.Context, claim map[string]string) (*common.Payload, error) {
	key := claim[claimKey]
	if claim[claimAlgorithm] != algorithm {
		return nil, failed(
			storage.InvalidArgument, key,
			fmt.Sprintf("the claim must have the hash algorithm %s, and has %q", algorithm, claim[claimAlgorithm]),
		)
	}
	content, _, err := storage.ReadAll(ctx, d.bucket, key)
	if err != nil {
		return nil, err
	}
	if digest(content) != claim[claimHash] {
		return nil, failed(storage.ChecksumMismatch, key, "the object has other bytes than the payload that was stored")
	}
	payload := &common.Payload{}
	return payload, proto.Unmarshal(content, payload)
}
