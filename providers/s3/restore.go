package s3

import (
	"cmp"
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/internal/httpheader"
	"github.com/omnibucket/storage/providers/s3/internal/attributes"
	"github.com/omnibucket/storage/providers/s3/internal/s3error"
)

// Restore sends one HeadObject and one RestoreObject. It gives no number of days for an object in
// an archive tier of Intelligent-Tiering, which leaves that tier for good.
func (d *objectDriver) Restore(ctx context.Context, r *driver.ChangeRequest) error {
	headInput := &awss3.HeadObjectInput{
		Bucket:    &d.bucket.name,
		Key:       &r.Key,
		VersionId: httpheader.Optional(r.Version),
	}
	// If WithRequest has no function for HeadObject, customize returns Unsupported. This error is
	// ignored, because the function of WithRequest may be for RestoreObject only.
	err := d.account.customize(headInput, r.Native)
	isForOtherRequest := storage.CodeOf(err) == storage.Unsupported
	if err != nil && !isForOtherRequest {
		return err
	}

	// The archive tier and a restore in progress decide what to send.
	head, err := d.account.client.HeadObject(ctx, headInput)
	if err != nil {
		return d.bucket.readError(ctx, err, &driver.GetRequest{Key: r.Key, Version: r.Version})
	}

	// Only a faster tier changes a restore in progress.
	if attributes.RestoreState(head.Restore).InProgress && r.RestoreTier == "" {
		return nil
	}

	input := &awss3.RestoreObjectInput{
		Bucket:    &d.bucket.name,
		Key:       &r.Key,
		VersionId: httpheader.Optional(r.Version),
		RestoreRequest: &types.RestoreRequest{GlacierJobParameters: &types.GlacierJobParameters{
			Tier: cmp.Or(types.Tier(r.RestoreTier), types.TierStandard),
		}},
	}
	isInArchiveTier := head.ArchiveStatus != "" // of Intelligent-Tiering
	if !isInArchiveTier {
		input.RestoreRequest.Days = aws.Int32(int32(r.RestoreDays))
	}

	// It is no error if the object is being restored, or is not archived (InvalidObjectState).
	err = change(ctx, d, r, d.account.client.RestoreObject, input)
	if s3error.IsCode(err, "RestoreAlreadyInProgress", "InvalidObjectState") {
		return nil
	}
	return err
}
