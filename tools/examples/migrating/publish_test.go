package migrating

import (
	"context"
	"crypto/rand"
	"net/url"
	"strings"
	"testing"

	gcssdk "cloud.google.com/go/storage"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	miniosdk "github.com/minio/minio-go/v7"
	miniocredentials "github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/stretchr/testify/require"
	"google.golang.org/api/option"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/testserver"
	ourazure "github.com/omnibucket/storage/providers/azure"
	ourgcs "github.com/omnibucket/storage/providers/gcs"
	ours3 "github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/tools/examples/migrating/after"
	"github.com/omnibucket/storage/tools/examples/migrating/aws"
	"github.com/omnibucket/storage/tools/examples/migrating/azure"
	"github.com/omnibucket/storage/tools/examples/migrating/gcs"
	"github.com/omnibucket/storage/tools/examples/migrating/minio"
)

// publish is a program before it moves.
type publish func(ctx context.Context, bucket, name, report string) ([]string, error)

// A program with an SDK and the one that replaces it can run on the same bucket, so that they need not be exchanged at
// once. Each sees the reports of the other, and refuses to replace them.
func TestProgramsDoTheSame(t *testing.T) {
	tests := []struct {
		name         string
		open         func(t *testing.T) (oldPublish publish, service storage.Service)
		wantOldError error // of the old program for a report that is there
	}{
		{name: "minio-go", open: onMinIO, wantOldError: minio.ErrPublished},
		{name: "aws", open: onAWS, wantOldError: aws.ErrPublished},
		{name: "gcs", open: onGoogle, wantOldError: gcs.ErrPublished},
		{name: "azure", open: onAzure, wantOldError: azure.ErrPublished},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := "migrating-" + strings.ToLower(rand.Text())
			oldPublish, service := tt.open(t)
			_, err := service.CreateBucket(t.Context(), bucket)
			require.NoError(t, err)
			b, err := service.Bucket(bucket)
			require.NoError(t, err)

			// The old program publishes a report.
			keys, err := oldPublish(t.Context(), bucket, "may.csv", "May")
			require.NoError(t, err)
			require.Equal(t, []string{"reports/may.csv"}, keys)

			// The new program cannot publish it again. It publishes another one, and lists both.
			_, err = after.Publish(t.Context(), b, "may.csv", strings.NewReader("again"))
			require.ErrorIs(t, err, after.ErrPublished)
			keys, err = after.Publish(t.Context(), b, "june.csv", strings.NewReader("June"))
			require.NoError(t, err)
			require.Equal(t, []string{"reports/june.csv", "reports/may.csv"}, keys)

			// The old program cannot publish the report of the new one.
			_, err = oldPublish(t.Context(), bucket, "june.csv", "again")
			require.ErrorIs(t, err, tt.wantOldError)

			// Both reports have the same type and author.
			for _, key := range keys {
				attrs, err := b.Attrs(t.Context(), key)
				require.NoError(t, err)
				require.Equal(t, "text/csv", attrs.ContentType)
				require.Equal(t, "reports", attrs.Metadata["author"])
			}
		})
	}
}

// variable returns what testservers says of a server.
func variable(t *testing.T, name string) string {
	t.Helper()
	return testserver.Need(t, "OMNIBUCKET_TEST_"+name)
}

func minioService(t *testing.T) storage.Service {
	t.Helper()
	profile, _ := ours3.NamedProfile("minio")
	service, err := ours3.NewService(t.Context(), ours3.Config{
		Endpoint:    variable(t, "MINIO"),
		Region:      "us-east-1",
		Profile:     &profile,
		AccessKeyID: variable(t, "MINIO_KEY"),
		SecretKey:   variable(t, "MINIO_SECRET"),
	})
	require.NoError(t, err)
	return service
}

func onMinIO(t *testing.T) (publish, storage.Service) {
	t.Helper()
	endpoint, err := url.Parse(variable(t, "MINIO"))
	require.NoError(t, err)
	c, err := miniosdk.New(endpoint.Host, &miniosdk.Options{
		Creds:  miniocredentials.NewStaticV4(variable(t, "MINIO_KEY"), variable(t, "MINIO_SECRET"), ""),
		Region: "us-east-1",
	})
	require.NoError(t, err)
	return func(ctx context.Context, bucket, name, report string) ([]string, error) {
		return minio.Publish(ctx, c, bucket, name, strings.NewReader(report))
	}, minioService(t)
}

func onAWS(t *testing.T) (publish, storage.Service) {
	t.Helper()
	c := s3.New(s3.Options{
		Region:       "us-east-1",
		BaseEndpoint: new(variable(t, "MINIO")),
		UsePathStyle: true,
		Credentials:  credentials.NewStaticCredentialsProvider(variable(t, "MINIO_KEY"), variable(t, "MINIO_SECRET"), ""),
	})
	return func(ctx context.Context, bucket, name, report string) ([]string, error) {
		return aws.Publish(ctx, c, bucket, name, strings.NewReader(report))
	}, minioService(t)
}

func onGoogle(t *testing.T) (publish, storage.Service) {
	t.Helper()
	c, err := gcssdk.NewClient(t.Context(), option.WithEndpoint(variable(t, "GCS")+"/storage/v1/"), option.WithoutAuthentication())
	require.NoError(t, err)
	service, err := ourgcs.NewService(t.Context(), ourgcs.Config{Endpoint: variable(t, "GCS"), Anonymous: true, Project: "test"})
	require.NoError(t, err)
	return func(ctx context.Context, bucket, name, report string) ([]string, error) {
		return gcs.Publish(ctx, c, bucket, name, strings.NewReader(report))
	}, service
}

func onAzure(t *testing.T) (publish, storage.Service) {
	t.Helper()
	account := variable(t, "AZURITE_ACCOUNT")
	key := variable(t, "AZURITE_KEY")
	credential, err := azblob.NewSharedKeyCredential(account, key)
	require.NoError(t, err)
	c, err := azblob.NewClientWithSharedKeyCredential(variable(t, "AZURITE"), credential, nil)
	require.NoError(t, err)
	service, err := ourazure.NewService(t.Context(), ourazure.Config{Account: account, Key: key, Endpoint: variable(t, "AZURITE")})
	require.NoError(t, err)
	return func(ctx context.Context, bucket, name, report string) ([]string, error) {
		return azure.Publish(ctx, c, bucket, name, strings.NewReader(report))
	}, service
}
