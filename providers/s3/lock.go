package s3

import (
	"context"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/internal/httpheader"
	"github.com/omnibucket/storage/providers/s3/internal/attributes"
)

// SetRetention sends one PutObjectRetention. An empty r.Retention ends the retention of the object.
func (d *objectDriver) SetRetention(ctx context.Context, r *driver.ChangeRequest) error {
	input := &awss3.PutObjectRetentionInput{
		Bucket:                    &d.bucket.name,
		Key:                       &r.Key,
		VersionId:                 httpheader.Optional(r.Version),
		Retention:                 &types.ObjectLockRetention{},
		BypassGovernanceRetention: httpheader.Optional(r.BypassGovernance),
	}
	if r.Retention != (storage.Retention{}) {
		input.Retention.Mode = types.ObjectLockRetentionMode(attributes.LockMode(r.Retention.Mode))
		input.Retention.RetainUntilDate = &r.Retention.Until
	}
	return change(ctx, d, r, d.account.client.PutObjectRetention, input, d.account.withBodyChecksum()...)
}

// SetLegalHold sends one PutObjectLegalHold, which sets the legal hold of an object or ends it.
func (d *objectDriver) SetLegalHold(ctx context.Context, r *driver.ChangeRequest) error {
	status := types.ObjectLockLegalHoldStatusOff
	if r.LegalHold {
		status = types.ObjectLockLegalHoldStatusOn
	}
	input := &awss3.PutObjectLegalHoldInput{
		Bucket:    &d.bucket.name,
		Key:       &r.Key,
		VersionId: httpheader.Optional(r.Version),
		LegalHold: &types.ObjectLockLegalHold{Status: status},
	}
	return change(ctx, d, r, d.account.client.PutObjectLegalHold, input, d.account.withBodyChecksum()...)
}
