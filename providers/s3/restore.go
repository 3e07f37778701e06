package s3

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/internal/httpheader"
	"github.com/omnibucket/storage/providers/s3/internal/rawclient"
	"github.com/omnibucket/storage/providers/s3/internal/s3error"
)

// Restore sends one HeadObject and one RestoreObject. An object in an archive tier of
// Intelligent-Tiering leaves that tier for good. For such an object, RestoreObject must not have a
// number of days.
func (d *objectDriver) Restore(ctx context.Context, r *driver.ChangeRequest) error {
	asked := &awss3.HeadObjectInput{Bucket: &d.bucket.name, Key: &r.Key, VersionId: httpheader.Optional(r.Version)}
	// If WithRequest has no function for HeadObject, customize returns Unsupported. This error is
	// ignored, because the function of WithRequest may be for RestoreObject only.
	if err := d.account.customize(asked, r.Native); err != nil &&
		storage.CodeOf(err) != storage.Unsupported {
		return err
	}
	head, err := d.account.client.HeadObject(ctx, asked)
	if err != nil {
		return d.bucket.readError(ctx, err, &driver.GetRequest{Key: r.Key, Version: r.Version})
	}
	if restoreState(head.Restore).InProgress &&
		r.RestoreTier == "" { // only a faster tier changes a restore in progress
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
	if head.ArchiveStatus == "" {
		input.RestoreRequest.Days = aws.Int32(int32(r.RestoreDays))
	}
	err = change(ctx, d, r, d.account.client.RestoreObject, input)
	if s3error.IsCode(err, "RestoreAlreadyInProgress", "InvalidObjectState") { // InvalidObjectState: the object is not archived
		return nil
	}
	return err
}

// isArchivedClass reports whether the object has one of the two archive classes, or is in an
// archive tier of Intelligent-Tiering. GetObject of such an object fails with InvalidObjectState
// until RestoreObject has restored the object. Source: the user guide of Amazon S3, "Working with
// archived objects".
func (f attrsFormat) isArchivedClass(output *awss3.GetObjectOutput) bool {
	return f.archives && (output.StorageClass == types.StorageClassGlacier ||
		output.StorageClass == types.StorageClassDeepArchive || rawclient.IsInArchiveTier(output))
}

// restoreState reads the header x-amz-restore, which has a value such as
//
//	ongoing-request="false", expiry-date="Fri, 21 Dec 2012 00:00:00 GMT"
func restoreState(value *string) (s storage.RestoreState) {
	text := aws.ToString(value)
	s.InProgress = strings.Contains(text, `ongoing-request="true"`)
	_, rest, ok := strings.Cut(text, `expiry-date="`)
	date, _, closed := strings.Cut(rest, `"`)
	if !ok || !closed {
		return s
	}
	if t, err := time.Parse(http.TimeFormat, date); err == nil {
		s.Until = t.UTC()
	}
	return s
}
