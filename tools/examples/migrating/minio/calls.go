package minio

import (
	"context"
	"errors"
	"io"
	"iter"
	"net/url"
	"slices"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/tags"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/s3"
)

// The functions contain the calls that docs/migrating/minio-go.md shows, so that the compiler
// checks them.
var _ = []any{oldCalls, newCalls, opening, toS3Server}

// oldCalls has the calls of the old library. It never runs: the compiler checks that they are valid.
func oldCalls(ctx context.Context, c *minio.Client, core minio.Core) {
	// The compiler needs only the types of these values.
	var (
		bucket, key, path, p, endpoint, region, etag, version, name string
		creds                                                       *credentials.Credentials
		size                                                        int64
		ttl                                                         time.Duration
		r                                                           io.Reader
		objects                                                     chan minio.ObjectInfo
		dst                                                         minio.CopyDestOptions
		src                                                         minio.CopySrcOptions
		policy                                                      *minio.PostPolicy
		t                                                           *tags.Tags
		query                                                       url.Values
		retention                                                   minio.PutObjectRetentionOptions
		hold                                                        minio.PutObjectLegalHoldOptions
		userTags                                                    map[string]string
		err                                                         error
	)

	minio.New(endpoint, &minio.Options{Creds: creds, Region: region})
	c.MakeBucket(ctx, bucket, minio.MakeBucketOptions{})
	c.PutObject(ctx, bucket, key, r, size, minio.PutObjectOptions{})
	c.FPutObject(ctx, bucket, key, path, minio.PutObjectOptions{})
	c.GetObject(ctx, bucket, key, minio.GetObjectOptions{})
	var get minio.GetObjectOptions
	get.SetRange(100, 299)
	c.FGetObject(ctx, bucket, key, path, minio.GetObjectOptions{})
	c.StatObject(ctx, bucket, key, minio.StatObjectOptions{})
	c.ListObjects(ctx, bucket, minio.ListObjectsOptions{Prefix: p})
	c.ListObjects(ctx, bucket, minio.ListObjectsOptions{Prefix: p, Recursive: true})
	c.RemoveObject(ctx, bucket, key, minio.RemoveObjectOptions{})
	c.RemoveObjects(ctx, bucket, objects, minio.RemoveObjectsOptions{})
	c.CopyObject(ctx, dst, src)
	c.ComposeObject(ctx, dst, src, src)
	c.PresignedGetObject(ctx, bucket, key, ttl, query)
	c.PresignedPutObject(ctx, bucket, key, ttl)
	c.PresignedPostPolicy(ctx, policy)
	c.PutObjectTagging(ctx, bucket, key, t, minio.PutObjectTaggingOptions{})
	var put minio.PutObjectOptions
	put.SetMatchETagExcept("*")
	put.SetMatchETag(etag)
	_ = minio.ToErrorResponse(err).Code == "NoSuchKey"
	core.NewMultipartUpload(ctx, bucket, key, minio.PutObjectOptions{})
	c.ListIncompleteUploads(ctx, bucket, p, true)
	_ = minio.MakeBucketOptions{ObjectLocking: true}
	c.BucketExists(ctx, bucket)
	{
		t := userTags
		_ = minio.PutObjectOptions{UserTags: t, CacheControl: name}
	}
	_ = minio.ListObjectsOptions{StartAfter: key}
	_ = minio.ListObjectsOptions{WithVersions: true}
	_ = minio.GetObjectOptions{VersionID: version}
	c.GetObjectTagging(ctx, bucket, key, minio.GetObjectTaggingOptions{})
	c.RemoveObjectTagging(ctx, bucket, key, minio.RemoveObjectTaggingOptions{})
	c.PutObjectRetention(ctx, bucket, key, retention)
	c.PutObjectLegalHold(ctx, bucket, key, hold)
	_, _ = c.GetObjectRetention, c.GetObjectLegalHold
	_ = minio.RemoveObjectOptions{GovernanceBypass: true}
	_ = url.Values{"response-content-type": {name}}
}

// newCalls has the calls of this library that replace the old ones. It never runs, either.
func newCalls(ctx context.Context, b storage.Bucket, service storage.Service) {
	// The compiler needs only the types of these values.
	var (
		bucket, key, path, p, endpoint, region, revision, from, to, version, name string
		size                                                                      int64
		ttl                                                                       time.Duration
		r                                                                         io.Reader
		keys, sources                                                             []string
		versions                                                                  iter.Seq[storage.VersionEntry]
		until                                                                     time.Time
		t                                                                         map[string]string
		err                                                                       error
	)

	s3.Open(ctx, s3.Config{Bucket: bucket, Endpoint: endpoint, Region: region})
	service.CreateBucket(ctx, bucket)
	b.Upload(ctx, key, r)
	storage.UploadFile(ctx, b, key, path)
	b.Download(ctx, key)
	storage.NewReaderAt(ctx, b, key)
	_ = storage.WithRange(100, 200)
	storage.DownloadFile(ctx, b, key, path)
	b.Attrs(ctx, key)
	b.List(ctx, storage.WithPrefix(p), storage.WithDelimiter("/"))
	b.List(ctx, storage.WithPrefix(p))
	b.Remove(ctx, key)
	storage.RemoveAll(ctx, b, slices.Values(keys))
	storage.RemoveVersions(ctx, b, versions)
	service.BucketInfo(ctx, bucket)
	_ = storage.WithObjectLock()
	_ = storage.WithStartAfter(key)
	storage.Versions(ctx, b)
	_ = storage.WithVersion(version)
	storage.Tags(ctx, b, key)
	storage.SetTags(ctx, b, key, nil)
	_, _ = storage.WithTags(t), storage.WithCacheControl(name)
	storage.SetRetention(ctx, b, key, storage.Retention{Mode: storage.Governance, Until: until})
	storage.SetLegalHold(ctx, b, key, true)
	_ = storage.WithGovernanceBypass()
	_ = storage.WithResponseContentType(name)
	_ = s3.NewService
	storage.Copy(ctx, b, to, b, from)
	storage.Compose(ctx, b, to, sources)
	b.SignedDownloadURL(ctx, key, storage.WithTTL(ttl))
	b.SignedUploadURL(ctx, key, storage.WithTTL(ttl))
	storage.SignedUploadForm(ctx, b, key, 1, size)
	storage.SetTags(ctx, b, key, t)
	_ = storage.IfAbsent()
	_ = storage.IfRevision(revision)
	_ = errors.Is(err, storage.ObjectNotFound)
	storage.BeginUpload(ctx, b, key)
	storage.ListUploads(ctx, b, storage.WithPrefix(p))
}

// opening shows how to open a bucket on a server with a known profile.
func opening(ctx context.Context, bucket, endpoint, region, id, secret string) (storage.Bucket, bool, error) {
	profile, ok := s3.NamedProfile("minio")
	b, err := s3.Open(ctx, s3.Config{
		Bucket: bucket, Endpoint: endpoint, Region: region, Profile: &profile,
		AccessKeyID: id, SecretKey: secret,
	}, storage.WithVersioning(true)) // only if the bucket keeps versions
	return b, ok, err
}
