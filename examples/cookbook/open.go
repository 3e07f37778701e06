package cookbook

import (
	"context"
	"log/slog"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/oauth2"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/azure"
	"github.com/omnibucket/storage/providers/gcs"
	"github.com/omnibucket/storage/providers/s3"
)

// openEncrypted opens a bucket. Every object that is written to it is encrypted with a key of AWS
// KMS.
func openEncrypted(ctx context.Context) (storage.Bucket, error) {
	return s3.Open(ctx, s3.Config{Bucket: "invoices", Region: "eu-west-1", KMSKey: "alias/invoices", BucketKey: true})
}

// openWithRole uses a configuration of the AWS SDK, such as one that assumes a role:
//
//	cfg, err := config.LoadDefaultConfig(ctx)
//	cfg.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), roleARN))
func openWithRole(ctx context.Context, cfg aws.Config) (storage.Bucket, error) {
	return s3.Open(ctx, s3.Config{Bucket: "photos", AWS: &cfg})
}

// openExisting opens buckets with the clients and credentials that the program already has.
func openExisting(
	ctx context.Context, a *awss3.Client, g oauth2.TokenSource, z *service.Client,
) ([]storage.Bucket, error) {
	onS3, err := s3.Open(ctx, s3.Config{Bucket: "photos", Client: a})
	if err != nil {
		return nil, err
	}
	onGoogle, err := gcs.Open(ctx, gcs.Config{Bucket: "photos", TokenSource: g})
	if err != nil {
		return nil, err
	}
	onAzure, err := azure.Open(ctx, azure.Config{Bucket: "photos", Client: z})
	return []storage.Bucket{onS3, onGoogle, onAzure}, err
}

// clientBelow returns the AWS SDK's client for a bucket on S3. Use it for calls that the library
// does not have.
func clientBelow(bucket storage.Bucket) (*awss3.Client, bool) {
	return storage.As[*awss3.Client](bucket)
}

// openLogged opens a bucket that logs each failed operation and how long it took.
func openLogged(ctx context.Context, address string, log *slog.Logger, now func() time.Time) (storage.Bucket, error) {
	return storage.Open(ctx, address, storage.WithHook(
		func(ctx context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
			start := now()
			return ctx, func(outcome storage.Outcome) {
				if outcome.Err != nil {
					log.ErrorContext(
						ctx, op.Name, "key", op.Key, "err", outcome.Err,
						"took", now().Sub(start), "requests", outcome.Requests,
					)
				}
			}, nil
		}))
}

// openReadOnly opens a bucket that refuses every write, whatever the credentials permit.
func openReadOnly(ctx context.Context, address string) (readOnly, error) {
	bucket, err := storage.Open(ctx, address)
	if err != nil {
		return nil, err
	}
	return storage.Ref[readOnly](bucket), nil
}

type readOnly interface {
	storage.Downloader
	storage.Lister
	storage.AttrsReader
}
