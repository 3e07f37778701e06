package aws

//lint:file-ignore SA1019 The manager is deprecated, and most programs use it.

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/feature/s3/manager"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/omnibucket/storage"
	ours3 "github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/transfer"
)

// The functions contain the calls that docs/migrating/aws-sdk.md shows, so that the compiler checks
// them.
var _ = []any{oldCalls, managers, newCalls, opening, accounts, parts}

// oldCalls has the calls of the old library. It never runs: the compiler checks that they are valid.
func oldCalls(ctx context.Context, c *s3.Client, presign *s3.PresignClient) {
	// The compiler needs only the types of these values.
	var (
		config                                             aws.Config
		bucket, key, p, source, etag, version, token, name string
		n                                                  int32
		r                                                  io.Reader
		signed                                             *v4.PresignedHTTPRequest
		class                                              types.StorageClass
		deletes                                            *types.Delete
		tags                                               *types.Tagging
		err                                                error
	)

	s3.NewFromConfig(config)
	c.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: r})
	c.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	_ = s3.GetObjectInput{Range: aws.String("bytes=100-299")}
	_ = s3.GetObjectInput{Range: aws.String("bytes=-100")}
	_ = s3.GetObjectInput{IfNoneMatch: &etag}
	_ = s3.GetObjectInput{VersionId: &version}
	_ = s3.GetObjectInput{ResponseContentDisposition: &name}
	_ = s3.ListObjectsV2Input{Delimiter: aws.String("/"), MaxKeys: &n, StartAfter: &key}
	_ = s3.ListObjectsV2Input{ContinuationToken: &token}
	_ = s3.PutObjectInput{Tagging: aws.String("team=a&year=2024")}
	_ = s3.PutObjectInput{CacheControl: &name, StorageClass: class}
	_, _ = http.NewRequest(signed.Method, signed.URL, r)
	_ = signed.SignedHeader
	c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &bucket})
	c.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &bucket})
	c.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: &bucket, Key: &key})
	_, _ = c.UploadPart, c.ListParts
	_, _ = c.CompleteMultipartUpload, c.AbortMultipartUpload
	c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key})
	s3.NewListObjectsV2Paginator(c, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &p})
	s3.NewListObjectVersionsPaginator(c, &s3.ListObjectVersionsInput{Bucket: &bucket})
	c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: &key})
	c.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &bucket, Delete: deletes})
	c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &bucket, Key: &key, CopySource: &source})
	c.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{Bucket: &bucket, Key: &key, Tagging: tags})
	presign.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	presign.PresignPutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key})
	c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: &key})
	_ = s3.PutObjectInput{IfNoneMatch: aws.String("*")}
	_ = s3.PutObjectInput{IfMatch: &etag}
	var missing *types.NoSuchKey
	_ = errors.As(err, &missing)
}

func managers(ctx context.Context, c *s3.Client, bucket, key string, r io.Reader, w io.WriterAt, dir string) {
	manager.NewUploader(c).Upload(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: r})
	manager.NewDownloader(c).Download(ctx, w, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	m := transfermanager.New(c)
	m.UploadObject(ctx, &transfermanager.UploadObjectInput{Bucket: &bucket, Key: &key, Body: r})
	m.GetObject(ctx, &transfermanager.GetObjectInput{Bucket: &bucket, Key: &key})
	m.DownloadObject(ctx, &transfermanager.DownloadObjectInput{Bucket: &bucket, Key: &key, WriterAt: w})
	m.UploadDirectory(ctx, &transfermanager.UploadDirectoryInput{Bucket: &bucket, Source: &dir})
}

// newCalls has the calls of this library that replace the old ones. It never runs, either.
func newCalls(ctx context.Context, b storage.Bucket, c *s3.Client) {
	// The compiler needs only the types of these values.
	var (
		bucket, key, path, p, revision, from, to, version, token, name, class string
		ttl                                                                   time.Duration
		r                                                                     io.Reader
		keys                                                                  []string
		size                                                                  int
		t                                                                     map[string]string
		err                                                                   error
	)

	ours3.Open(ctx, ours3.Config{Bucket: bucket, Client: c})
	b.Upload(ctx, key, r)
	b.Download(ctx, key)
	_ = storage.WithRange(100, 200)
	b.Attrs(ctx, key)
	b.List(ctx, storage.WithPrefix(p))
	storage.Versions(ctx, b)
	b.Remove(ctx, key)
	storage.RemoveAll(ctx, b, slices.Values(keys))
	storage.Copy(ctx, b, to, b, from)
	storage.SetTags(ctx, b, key, t)
	b.SignedDownloadURL(ctx, key, storage.WithTTL(ttl))
	b.SignedUploadURL(ctx, key, storage.WithTTL(ttl))
	_ = storage.IfAbsent()
	_ = storage.IfRevision(revision)
	_ = storage.WithRange(-100, -1)
	_ = storage.IfRevisionNot(revision)
	_ = storage.WithVersion(version)
	_, _, _ = storage.WithDelimiter("/"), storage.WithPageSize(size), storage.WithStartAfter(key)
	storage.ListPage(ctx, b, token)
	storage.Tags(ctx, b, key)
	_ = storage.WithResponseContentDisposition(name)
	_ = storage.WithTags(t)
	_, _ = storage.WithCacheControl(name), storage.WithStorageClass(class)
	_ = errors.Is(err, storage.ObjectNotFound)
	storage.DownloadFile(ctx, b, key, path)
	_ = transfer.Upload
	storage.As[*s3.Client](b)
}

// opening shows how to open a bucket on a server with a known profile.
func opening(ctx context.Context, c *s3.Client, bucket string) (storage.Bucket, bool, error) {
	profile, ok := ours3.NamedProfile("minio")
	b, err := ours3.Open(ctx, ours3.Config{Bucket: bucket, Client: c, Profile: &profile})
	return b, ok, err
}

func accounts(ctx context.Context, service storage.Service, c *s3.Client, bucket string) {
	ours3.NewService(ctx, ours3.Config{Client: c})
	service.CreateBucket(ctx, bucket)
	service.BucketInfo(ctx, bucket)
}

func parts(
	ctx context.Context, b storage.Bucket, signed *storage.SignedURL, key string, number int, r io.Reader,
) error {
	upload, err := storage.BeginUpload(ctx, b, key)
	upload.PutPart(ctx, number, r)
	upload.Parts(ctx)
	upload.Complete(ctx)
	upload.Abort(ctx)
	signed.Request(ctx, r)
	return err
}
