// Package gatewaytest tests package s3server as a gateway: a client of S3 talks to a server of
// package s3server, which stores the objects with the driver of another provider.
package gatewaytest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/s3server"
)

// Lacks names the features that a gateway to a provider lacks. The tests of a missing feature expect the
// refusal or are skipped, as each field says.
type Lacks struct {
	Versions bool // true if requests for versions fail with NotImplemented
	// Checksums is true if the response to a read lacks the checksum of the object.
	Checksums bool
	// ListedUploads is true if the provider cannot list the open uploads of the gateway, because
	// the gateway itself keeps the parts until the upload is completed.
	ListedUploads bool
	// Tags is true if the provider's emulator ignores tags. Generations is true if it ignores the
	// generations (revisions) of objects. The tests skip these features.
	Tags, Generations bool
}

// A gateway is a running server over the service of a provider, with one bucket and a client of S3.
type gateway struct {
	*testing.T
	*s3.Client
	service driver.ServiceDriver
	lacks   Lacks
	other   *s3.Client // client of a second server, which acts like a second process
	bucket  *string
}

var buckets atomic.Int64

// Run tests a gateway that gives access to service through S3. It closes service at the end.
func Run(t *testing.T, service driver.ServiceDriver, lacks Lacks) {
	t.Cleanup(func() { _ = service.Close() })
	g := &gateway{
		T:       t,
		service: service,
		lacks:   lacks,
		bucket:  aws.String(fmt.Sprintf("gateway-%d-%d", os.Getpid(), buckets.Add(1))),
	}
	g.Client = g.start()
	g.other = g.start()

	// The later checks use the objects that earlier ones have written.
	g.buckets()
	g.objects()
	g.conditions()
	g.listings()
	g.copies()
	if !lacks.Tags {
		g.tags()
	}
	g.uploads()
	if !lacks.Generations {
		g.partBesideCompletion()
	}
	g.objectsOfOtherTools()
	g.refusedRequests()
	g.removals()
	g.versions(lacks.Versions)

	// An open upload does not keep the bucket from being deleted.
	g.part("k", g.begin("k"), 1, "x")
	_, err := g.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: g.bucket})
	require.NoError(t, err)
	_, err = g.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: g.bucket})
	g.requireError(err, http.StatusNotFound, "NotFound")
}

// start starts a server, and returns a client of it.
func (g *gateway) start() *s3.Client {
	server, err := s3server.Start(s3server.Config{Service: g.service, Limits: s3server.Limits{MinPartSize: 1 << 10}})
	require.NoError(g, err)
	g.Cleanup(server.Close)
	return s3.New(s3.Options{
		Region:           s3server.DefaultRegion,
		BaseEndpoint:     aws.String(server.URL),
		UsePathStyle:     true,
		RetryMaxAttempts: 1,
		HTTPClient:       server.Client(),
		Credentials:      credentials.NewStaticCredentialsProvider(s3server.DefaultAccessKeyID, s3server.DefaultSecretKey, ""),
	})
}

// requireError requires that a call failed with this status and this code of S3.
func (g *gateway) requireError(err error, status int, code string) {
	g.Helper()
	var apiErr smithy.APIError
	require.ErrorAs(g, err, &apiErr)
	require.Equal(g, code, apiErr.ErrorCode(), "%v", err)

	var resp interface{ HTTPStatusCode() int }
	require.ErrorAs(g, err, &resp)
	require.Equal(g, status, resp.HTTPStatusCode(), "%v", err)
}

// put stores an object. The options change the request.
func (g *gateway) put(key, content string, options ...func(*s3.PutObjectInput)) *s3.PutObjectOutput {
	g.Helper()
	input := &s3.PutObjectInput{Bucket: g.bucket, Key: &key, Body: strings.NewReader(content)}
	for _, o := range options {
		o(input)
	}
	output, err := g.PutObject(g.Context(), input)
	require.NoError(g, err, "%q", key)
	return output
}

// get returns the content of an object, and the response. The options change the request.
func (g *gateway) get(key string, options ...func(*s3.GetObjectInput)) (string, *s3.GetObjectOutput) {
	g.Helper()
	input := &s3.GetObjectInput{Bucket: g.bucket, Key: &key}
	for _, o := range options {
		o(input)
	}
	output, err := g.GetObject(g.Context(), input)
	require.NoError(g, err, "%q", key)
	content, err := io.ReadAll(output.Body)
	require.NoError(g, err, "%q", key)
	return string(content), output
}

// keys returns the keys of all objects, listed in pages of two.
func (g *gateway) keys() []string {
	g.Helper()
	var keys []string
	pages := s3.NewListObjectsV2Paginator(g.Client, &s3.ListObjectsV2Input{Bucket: g.bucket, MaxKeys: aws.Int32(2)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(g.Context())
		require.NoError(g, err)
		for _, object := range page.Contents {
			keys = append(keys, *object.Key)
		}
	}
	return keys
}

// buckets checks that the bucket can be created and listed.
func (g *gateway) buckets() {
	input := &s3.CreateBucketInput{Bucket: g.bucket}
	_, err := g.CreateBucket(g.Context(), input)
	require.NoError(g, err)
	_, err = g.CreateBucket(g.Context(), input)
	require.NoError(g, err, "in us-east-1, a second creation must succeed")
	_, err = g.HeadBucket(g.Context(), &s3.HeadBucketInput{Bucket: g.bucket})
	require.NoError(g, err)
	listing, err := g.ListBuckets(g.Context(), &s3.ListBucketsInput{Prefix: g.bucket})
	require.NoError(g, err)
	require.Len(g, listing.Buckets, 1)
}

// objects checks that objects can be written and read, also with keys that the provider does not
// permit.
func (g *gateway) objects() {
	for _, key := range []string{"plain", "dir/ü +?#%41", "dir/", "a//b", "a/./b", "tab\t"} {
		g.requireStored(key)
	}
	g.put("empty", "")
	content, _ := g.get("empty")
	require.Empty(g, content)
}

// requireStored requires that an object comes back as it was written, whole and in part.
func (g *gateway) requireStored(key string) {
	g.Helper()
	put := g.put(key, "content of "+key, func(input *s3.PutObjectInput) {
		input.ContentType = aws.String("text/x-test")
		input.CacheControl = aws.String("no-cache")
		input.Metadata = map[string]string{"color": "blue"}
		input.ChecksumAlgorithm = types.ChecksumAlgorithmSha256
	})

	content, got := g.get(key, func(input *s3.GetObjectInput) {
		input.ChecksumMode = types.ChecksumModeEnabled
	})
	require.Equal(g, "content of "+key, content)
	require.Equal(g, "text/x-test", *got.ContentType, "%q", key)
	require.Equal(g, "no-cache", *got.CacheControl, "%q", key)
	require.Equal(g, map[string]string{"color": "blue"}, got.Metadata, "%q", key)
	require.Equal(g, *put.ETag, *got.ETag)
	if !g.lacks.Checksums {
		require.Equal(g, *put.ChecksumSHA256, aws.ToString(got.ChecksumSHA256))
	}

	// Bytes 3 to 6 of "content" are "tent".
	content, _ = g.get(key, func(input *s3.GetObjectInput) {
		input.Range = aws.String("bytes=3-6")
	})
	require.Equal(g, "tent", content)
}

// conditions checks that conditions guard writes and reads.
func (g *gateway) conditions() {
	key := aws.String("condition")

	// A write that must create the object.
	first := g.put(*key, "one")
	_, err := g.PutObject(g.Context(), &s3.PutObjectInput{
		Bucket:      g.bucket,
		Key:         key,
		Body:        strings.NewReader("two"),
		IfNoneMatch: aws.String("*"),
	})
	g.requireError(err, http.StatusPreconditionFailed, "PreconditionFailed")

	// A write that requires the current entity tag, and one that requires an older one.
	second := g.put(*key, "two", func(input *s3.PutObjectInput) {
		input.IfMatch = first.ETag
	})
	_, err = g.PutObject(g.Context(), &s3.PutObjectInput{
		Bucket:  g.bucket,
		Key:     key,
		Body:    strings.NewReader("three"),
		IfMatch: first.ETag,
	})
	g.requireError(err, http.StatusPreconditionFailed, "PreconditionFailed")

	// Reads of an unchanged object, and past its end.
	_, err = g.GetObject(g.Context(), &s3.GetObjectInput{Bucket: g.bucket, Key: key, IfNoneMatch: second.ETag})
	g.requireError(err, http.StatusNotModified, "NotModified")
	_, err = g.GetObject(g.Context(), &s3.GetObjectInput{Bucket: g.bucket, Key: key, Range: aws.String("bytes=9-")})
	g.requireError(err, http.StatusRequestedRangeNotSatisfiable, "InvalidRange")
}

// listings checks that a listing has the objects that earlier checks have written, and no other
// key.
func (g *gateway) listings() {
	want := []string{"plain", "dir/ü +?#%41", "dir/", "a//b", "a/./b", "tab\t", "empty", "condition"}
	require.ElementsMatch(g, want, g.keys(), "no object of the server's own may be listed")

	folder, err := g.ListObjectsV2(g.Context(), &s3.ListObjectsV2Input{
		Bucket:    g.bucket,
		Delimiter: aws.String("/"),
		Prefix:    aws.String("a/"),
	})
	require.NoError(g, err)
	require.Empty(g, folder.Contents)
	require.Len(g, folder.CommonPrefixes, 2)

	// A listing has the ETag of a read.
	_, object := g.get("plain")
	page, err := g.ListObjectsV2(g.Context(), &s3.ListObjectsV2Input{Bucket: g.bucket, Prefix: aws.String("plain")})
	require.NoError(g, err)
	require.Equal(g, *object.ETag, *page.Contents[0].ETag, "a listing must have the ETag of a read")
}

// copies checks that a copy has the bytes and the metadata of its source, and that a copy onto
// itself replaces the metadata.
func (g *gateway) copies() {
	source := aws.String(*g.bucket + "/plain")
	_, err := g.CopyObject(g.Context(), &s3.CopyObjectInput{
		Bucket:     g.bucket,
		Key:        aws.String("copy"),
		CopySource: source,
	})
	require.NoError(g, err)
	content, object := g.get("copy")
	require.Equal(g, "content of plain", content)
	require.Equal(g, map[string]string{"color": "blue"}, object.Metadata)

	// Copy the object onto itself, with other metadata.
	_, err = g.CopyObject(g.Context(), &s3.CopyObjectInput{
		Bucket:            g.bucket,
		Key:               aws.String("plain"),
		CopySource:        source,
		MetadataDirective: types.MetadataDirectiveReplace,
		Metadata:          map[string]string{"color": "red"},
	})
	require.NoError(g, err, "a copy onto itself must succeed")
	content, object = g.get("plain")
	require.Equal(g, "content of plain", content)
	require.Equal(g, map[string]string{"color": "red"}, object.Metadata)
}

// tags checks that a tag can be set and read.
func (g *gateway) tags() {
	_, err := g.PutObjectTagging(g.Context(), &s3.PutObjectTaggingInput{
		Bucket:  g.bucket,
		Key:     aws.String("plain"),
		Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}},
	})
	require.NoError(g, err)
	tags, err := g.GetObjectTagging(g.Context(), &s3.GetObjectTaggingInput{Bucket: g.bucket, Key: aws.String("plain")})
	require.NoError(g, err)
	require.Len(g, tags.TagSet, 1)
}

// objectsOfOtherTools checks that the gateway lists, reads, replaces and removes objects with
// keys that this library would refuse to write.
func (g *gateway) objectsOfOtherTools() {
	provider, err := g.service.Driver(*g.bucket)
	require.NoError(g, err)
	defer func() { require.NoError(g, provider.Close()) }()
	before := g.keys()

	// Another tool writes the objects, without the gateway.
	keys := []string{"by-others/", "by-others//b", "by-others/c/"}
	if provider.Describe().Features&storage.LeadingSlashes != 0 {
		keys = append(keys, "/by-others")
	}
	for _, key := range keys {
		content := "content of " + key
		_, err := provider.Put(g.Context(), &driver.PutRequest{
			Key:        key,
			Body:       strings.NewReader(content),
			Size:       int64(len(content)),
			Properties: storage.Properties{ContentType: "text/plain"},
		})
		require.NoError(g, err, "%q", key)
	}

	// The gateway lists them.
	require.ElementsMatch(g, append(slices.Clone(before), keys...), g.keys())
	page, err := g.ListObjectsV2(g.Context(), &s3.ListObjectsV2Input{
		Bucket:    g.bucket,
		Prefix:    aws.String("by-others/"),
		Delimiter: aws.String("/"),
	})
	require.NoError(g, err)
	require.Len(g, page.Contents, 1)
	require.Equal(g, "by-others/", *page.Contents[0].Key)
	require.Len(g, page.CommonPrefixes, 2)

	// The gateway reads, replaces and removes them.
	for _, key := range keys {
		content, _ := g.get(key)
		require.Equal(g, "content of "+key, content)
		g.put(key, "changed")
		content, _ = g.get(key)
		require.Equal(g, "changed", content, "%q", key)
		_, err := g.DeleteObject(g.Context(), &s3.DeleteObjectInput{Bucket: g.bucket, Key: &key})
		require.NoError(g, err, "%q", key)
	}
	require.ElementsMatch(g, before, g.keys())
}

// refusedRequests checks the error codes of requests that the provider refuses.
func (g *gateway) refusedRequests() {
	ctx := g.Context()
	missing := aws.String("missing")
	noBucket := aws.String(*g.bucket + "-none")

	// An object, a version or a bucket that does not exist.
	_, err := g.GetObject(ctx, &s3.GetObjectInput{Bucket: g.bucket, Key: missing})
	g.requireError(err, http.StatusNotFound, "NoSuchKey")
	_, err = g.GetObject(ctx, &s3.GetObjectInput{Bucket: g.bucket, Key: missing, VersionId: aws.String("a-version")})
	g.requireError(err, http.StatusNotFound, "NoSuchVersion")
	_, err = g.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket:     g.bucket,
		Key:        aws.String("copy"),
		CopySource: aws.String(*g.bucket + "/missing"),
	})
	g.requireError(err, http.StatusNotFound, "NoSuchKey")
	_, err = g.GetObject(ctx, &s3.GetObjectInput{Bucket: noBucket, Key: missing})
	g.requireError(err, http.StatusNotFound, "NoSuchBucket")
	_, err = g.PutObject(ctx, &s3.PutObjectInput{Bucket: noBucket, Key: missing, Body: strings.NewReader("x")})
	g.requireError(err, http.StatusNotFound, "NoSuchBucket")

	// A bucket that is not empty.
	_, err = g.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: g.bucket})
	g.requireError(err, http.StatusConflict, "BucketNotEmpty")

	// Settings that the provider would not apply.
	_, err = g.PutObject(ctx, &s3.PutObjectInput{
		Bucket:               g.bucket,
		Key:                  aws.String("k"),
		Body:                 strings.NewReader("x"),
		ServerSideEncryption: types.ServerSideEncryptionAwsKms,
	})
	g.requireError(err, http.StatusNotImplemented, "NotImplemented")
	expireAfterADay := types.LifecycleRule{
		Status:     types.ExpirationStatusEnabled,
		Filter:     &types.LifecycleRuleFilter{Prefix: aws.String("")},
		Expiration: &types.LifecycleExpiration{Days: aws.Int32(1)},
	}
	_, err = g.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{
		Bucket: g.bucket,
		LifecycleConfiguration: &types.BucketLifecycleConfiguration{
			Rules: []types.LifecycleRule{expireAfterADay},
		},
	})
	g.requireError(err, http.StatusNotImplemented, "NotImplemented")

	// A request that is canceled.
	canceledCtx, cancel := context.WithCancel(ctx)
	cancel()
	_, err = g.GetObject(canceledCtx, &s3.GetObjectInput{Bucket: g.bucket, Key: missing})
	require.Error(g, err)
}

// removals checks that objects can be removed, one by one and in a batch, even if they are missing.
func (g *gateway) removals() {
	_, err := g.DeleteObject(g.Context(), &s3.DeleteObjectInput{Bucket: g.bucket, Key: aws.String("copy")})
	require.NoError(g, err)
	_, err = g.DeleteObject(g.Context(), &s3.DeleteObjectInput{Bucket: g.bucket, Key: aws.String("copy")})
	require.NoError(g, err, "a second removal must succeed")

	var batch []types.ObjectIdentifier
	for _, key := range append(g.keys(), "missing") {
		batch = append(batch, types.ObjectIdentifier{Key: aws.String(key)})
	}
	output, err := g.DeleteObjects(g.Context(), &s3.DeleteObjectsInput{
		Bucket: g.bucket,
		Delete: &types.Delete{Objects: batch},
	})
	require.NoError(g, err)
	require.Empty(g, output.Errors)
	require.Len(g, output.Deleted, len(batch))
	require.Empty(g, g.keys())
}

// versions checks that versions and delete markers are listed and removed, or that the request for
// them is refused if the provider lacks them.
func (g *gateway) versions(lacks bool) {
	_, err := g.PutBucketVersioning(g.Context(), &s3.PutBucketVersioningInput{
		Bucket:                  g.bucket,
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	if lacks {
		g.requireError(err, http.StatusNotImplemented, "NotImplemented")
		return
	}
	require.NoError(g, err)

	// A replaced object can be read by its version.
	first := g.put("k", "one")
	g.put("k", "two")
	content, _ := g.get("k", func(input *s3.GetObjectInput) {
		input.VersionId = first.VersionId
	})
	require.Equal(g, "one", content)

	// A removal adds a delete marker. Without the marker, the object is there again.
	removal, err := g.DeleteObject(g.Context(), &s3.DeleteObjectInput{Bucket: g.bucket, Key: aws.String("k")})
	require.NoError(g, err)
	require.True(g, *removal.DeleteMarker)
	g.requireVersions(2, 1)
	_, err = g.DeleteObject(g.Context(), &s3.DeleteObjectInput{
		Bucket:    g.bucket,
		Key:       aws.String("k"),
		VersionId: removal.VersionId,
	})
	require.NoError(g, err)
	content, _ = g.get("k")
	require.Equal(g, "two", content)

	// Versions can be removed.
	for _, version := range g.requireVersions(2, 0) {
		_, err = g.DeleteObject(g.Context(), &s3.DeleteObjectInput{
			Bucket:    g.bucket,
			Key:       version.Key,
			VersionId: version.VersionId,
		})
		require.NoError(g, err)
	}
}

// requireVersions requires that the bucket has so many versions and delete markers, and returns the
// versions.
func (g *gateway) requireVersions(versions, markers int) []types.ObjectVersion {
	g.Helper()
	output, err := g.ListObjectVersions(g.Context(), &s3.ListObjectVersionsInput{Bucket: g.bucket})
	require.NoError(g, err)
	require.Len(g, output.Versions, versions)
	require.Len(g, output.DeleteMarkers, markers)
	return output.Versions
}
