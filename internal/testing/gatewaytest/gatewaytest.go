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
	g.Client, g.other = g.start(), g.start()
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
	g.foreign()
	g.refused()
	g.removals()
	g.versions(lacks.Versions)
	g.part("k", g.begin("k"), 1, "nobody completes it")
	_, err := g.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: g.bucket})
	require.NoError(t, err)
	_, err = g.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: g.bucket})
	g.fails(err, http.StatusNotFound, "NotFound")
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

func (g *gateway) fails(err error, status int, code string) {
	g.Helper()
	var e smithy.APIError
	require.ErrorAs(g, err, &e)
	require.Equal(g, code, e.ErrorCode(), "%v", err)
	var response interface{ HTTPStatusCode() int }
	require.ErrorAs(g, err, &response)
	require.Equal(g, status, response.HTTPStatusCode(), "%v", err)
}

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

func (g *gateway) keys() (keys []string) {
	g.Helper()
	pages := s3.NewListObjectsV2Paginator(g.Client, &s3.ListObjectsV2Input{Bucket: g.bucket, MaxKeys: aws.Int32(2)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(g.Context())
		require.NoError(g, err)
		for _, o := range page.Contents {
			keys = append(keys, *o.Key)
		}
	}
	return keys
}

func (g *gateway) buckets() {
	input := &s3.CreateBucketInput{Bucket: g.bucket}
	_, err := g.CreateBucket(g.Context(), input)
	require.NoError(g, err)
	_, err = g.CreateBucket(g.Context(), input)
	require.NoError(g, err, "in us-east-1, it succeeds again")
	_, err = g.HeadBucket(g.Context(), &s3.HeadBucketInput{Bucket: g.bucket})
	require.NoError(g, err)
	all, err := g.ListBuckets(g.Context(), &s3.ListBucketsInput{Prefix: g.bucket})
	require.NoError(g, err)
	require.Len(g, all.Buckets, 1)
}

// objects checks that objects can be written and read, with keys that the provider permits, and
// with keys that the provider does not permit.
func (g *gateway) objects() {
	for _, key := range []string{"plain", "dir/ü +?#%41", "dir/", "a//b", "a/./b", "tab\t"} {
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
		require.Equal(
			g, []string{"text/x-test", "no-cache", "blue"},
			[]string{*got.ContentType, *got.CacheControl, got.Metadata["color"]}, "%q", key,
		)
		require.Len(g, got.Metadata, 1)
		require.Equal(g, *put.ETag, *got.ETag)
		if !g.lacks.Checksums {
			require.Equal(g, *put.ChecksumSHA256, aws.ToString(got.ChecksumSHA256))
		}
		content, _ = g.get(key, func(input *s3.GetObjectInput) {
			input.Range = aws.String("bytes=3-6")
		})
		require.Equal(g, "tent", content)
	}
	g.put("empty", "")
	content, _ := g.get("empty")
	require.Empty(g, content)
}

func (g *gateway) conditions() {
	first := g.put("condition", "one")
	_, err := g.PutObject(
		g.Context(),
		&s3.PutObjectInput{
			Bucket:      g.bucket,
			Key:         aws.String("condition"),
			Body:        strings.NewReader("two"),
			IfNoneMatch: aws.String("*"),
		},
	)
	g.fails(err, http.StatusPreconditionFailed, "PreconditionFailed")
	second := g.put("condition", "two", func(input *s3.PutObjectInput) {
		input.IfMatch = first.ETag
	})
	_, err = g.PutObject(
		g.Context(),
		&s3.PutObjectInput{
			Bucket:  g.bucket,
			Key:     aws.String("condition"),
			Body:    strings.NewReader("three"),
			IfMatch: first.ETag,
		},
	)
	g.fails(err, http.StatusPreconditionFailed, "PreconditionFailed")
	_, err = g.GetObject(g.Context(), &s3.GetObjectInput{
		Bucket:      g.bucket,
		Key:         aws.String("condition"),
		IfNoneMatch: second.ETag,
	})
	g.fails(err, http.StatusNotModified, "NotModified")
	_, err = g.GetObject(g.Context(), &s3.GetObjectInput{
		Bucket: g.bucket,
		Key:    aws.String("condition"),
		Range:  aws.String("bytes=9-"),
	})
	g.fails(err, http.StatusRequestedRangeNotSatisfiable, "InvalidRange")
}

func (g *gateway) listings() {
	require.ElementsMatch(
		g,
		[]string{"plain", "dir/ü +?#%41", "dir/", "a//b", "a/./b", "tab\t", "empty", "condition"},
		g.keys(),
		"nothing of the server's own",
	)
	output, err := g.ListObjectsV2(g.Context(), &s3.ListObjectsV2Input{
		Bucket:    g.bucket,
		Delimiter: aws.String("/"),
		Prefix:    aws.String("a/"),
	})
	require.NoError(g, err)
	require.Empty(g, output.Contents)
	require.Len(g, output.CommonPrefixes, 2)
	_, got := g.get("plain")
	output, err = g.ListObjectsV2(g.Context(), &s3.ListObjectsV2Input{Bucket: g.bucket, Prefix: aws.String("plain")})
	require.NoError(g, err)
	require.Equal(g, *got.ETag, *output.Contents[0].ETag, "as in a listing")
}

func (g *gateway) copies() {
	source := aws.String(*g.bucket + "/plain")
	_, err := g.CopyObject(g.Context(), &s3.CopyObjectInput{Bucket: g.bucket, Key: aws.String("copy"), CopySource: source})
	require.NoError(g, err)
	content, got := g.get("copy")
	require.Equal(g, "content of plain", content)
	require.Equal(g, map[string]string{"color": "blue"}, got.Metadata)
	_, err = g.CopyObject(g.Context(), &s3.CopyObjectInput{
		Bucket:            g.bucket,
		Key:               aws.String("plain"),
		CopySource:        source,
		MetadataDirective: types.MetadataDirectiveReplace,
		Metadata:          map[string]string{"color": "red"},
	})
	require.NoError(g, err, "onto itself")
	content, got = g.get("plain")
	require.Equal(g, "content of plain", content)
	require.Equal(g, map[string]string{"color": "red"}, got.Metadata)
}

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

// foreign requires that the gateway reads and removes objects of other tools. Their keys are ones
// that this library would refuse to write.
func (g *gateway) foreign() {
	d, err := g.service.Driver(*g.bucket)
	require.NoError(g, err)
	defer func() { require.NoError(g, d.Close()) }()
	names := g.keys()
	keys := []string{"by-others/", "by-others//b", "by-others/c/"}
	if d.Describe().Features&storage.LeadingSlashes != 0 {
		keys = append(keys, "/by-others")
	}
	for _, key := range keys {
		content := "content of " + key
		_, err := d.Put(
			g.Context(),
			&driver.PutRequest{
				Key:        key,
				Body:       strings.NewReader(content),
				Size:       int64(len(content)),
				Properties: storage.Properties{ContentType: "text/plain"},
			},
		)
		require.NoError(g, err, "%q", key)
	}
	require.ElementsMatch(g, append(slices.Clone(names), keys...), g.keys())
	page, err := g.ListObjectsV2(
		g.Context(),
		&s3.ListObjectsV2Input{Bucket: g.bucket, Prefix: aws.String("by-others/"), Delimiter: aws.String("/")},
	)
	require.NoError(g, err)
	require.Len(g, page.Contents, 1)
	require.Equal(g, "by-others/", *page.Contents[0].Key)
	require.Len(g, page.CommonPrefixes, 2)
	for _, key := range keys {
		content, _ := g.get(key)
		require.Equal(g, "content of "+key, content)
		g.put(key, "changed")
		content, _ = g.get(key)
		require.Equal(g, "changed", content, "%q", key)
		_, err := g.DeleteObject(g.Context(), &s3.DeleteObjectInput{Bucket: g.bucket, Key: &key})
		require.NoError(g, err, "%q", key)
	}
	require.ElementsMatch(g, names, g.keys())
}

// refused requires the right error code in the response if the provider refuses a request.
func (g *gateway) refused() {
	ctx := g.Context()
	absent := aws.String("missing")
	none := aws.String(*g.bucket + "-none")
	_, err := g.GetObject(ctx, &s3.GetObjectInput{Bucket: g.bucket, Key: absent})
	g.fails(err, http.StatusNotFound, "NoSuchKey")
	_, err = g.GetObject(ctx, &s3.GetObjectInput{Bucket: g.bucket, Key: absent, VersionId: aws.String("a-version")})
	g.fails(err, http.StatusNotFound, "NoSuchVersion")
	_, err = g.GetObject(ctx, &s3.GetObjectInput{Bucket: none, Key: absent})
	g.fails(err, http.StatusNotFound, "NoSuchBucket")
	_, err = g.PutObject(ctx, &s3.PutObjectInput{Bucket: none, Key: absent, Body: strings.NewReader("x")})
	g.fails(err, http.StatusNotFound, "NoSuchBucket")
	_, err = g.CopyObject(
		ctx,
		&s3.CopyObjectInput{Bucket: g.bucket, Key: aws.String("copy"), CopySource: aws.String(*g.bucket + "/missing")},
	)
	g.fails(err, http.StatusNotFound, "NoSuchKey")
	_, err = g.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: g.bucket})
	g.fails(err, http.StatusConflict, "BucketNotEmpty")
	_, err = g.PutObject(
		ctx,
		&s3.PutObjectInput{
			Bucket:               g.bucket,
			Key:                  aws.String("k"),
			Body:                 strings.NewReader("x"),
			ServerSideEncryption: types.ServerSideEncryptionAwsKms,
		},
	)
	g.fails(err, http.StatusNotImplemented, "NotImplemented")
	_, err = g.PutBucketLifecycleConfiguration(
		ctx,
		&s3.PutBucketLifecycleConfigurationInput{
			Bucket: g.bucket,
			LifecycleConfiguration: &types.BucketLifecycleConfiguration{
				Rules: []types.LifecycleRule{
					{
						Status:     types.ExpirationStatusEnabled,
						Filter:     &types.LifecycleRuleFilter{Prefix: aws.String("")},
						Expiration: &types.LifecycleExpiration{Days: aws.Int32(1)},
					},
				},
			},
		},
	)
	g.fails(err, http.StatusNotImplemented, "NotImplemented") // refused, because the provider would not apply the rule
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = g.GetObject(canceled, &s3.GetObjectInput{Bucket: g.bucket, Key: absent})
	require.Error(g, err)
}

func (g *gateway) removals() {
	_, err := g.DeleteObject(g.Context(), &s3.DeleteObjectInput{Bucket: g.bucket, Key: aws.String("copy")})
	require.NoError(g, err)
	_, err = g.DeleteObject(g.Context(), &s3.DeleteObjectInput{Bucket: g.bucket, Key: aws.String("copy")})
	require.NoError(g, err, "again")
	var all []types.ObjectIdentifier
	for _, key := range append(g.keys(), "missing") {
		all = append(all, types.ObjectIdentifier{Key: aws.String(key)})
	}
	output, err := g.DeleteObjects(g.Context(), &s3.DeleteObjectsInput{
		Bucket: g.bucket,
		Delete: &types.Delete{Objects: all},
	})
	require.NoError(g, err)
	require.Empty(g, output.Errors)
	require.Len(g, output.Deleted, len(all))
	require.Empty(g, g.keys())
}

// versions checks that versions and delete markers are listed and removed.
func (g *gateway) versions(lacks bool) {
	_, err := g.PutBucketVersioning(g.Context(), &s3.PutBucketVersioningInput{
		Bucket:                  g.bucket,
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	if lacks {
		g.fails(err, http.StatusNotImplemented, "NotImplemented")
		return
	}
	require.NoError(g, err)
	one := g.put("k", "one")
	g.put("k", "two")
	content, _ := g.get("k", func(input *s3.GetObjectInput) {
		input.VersionId = one.VersionId
	})
	require.Equal(g, "one", content)
	removed, err := g.DeleteObject(g.Context(), &s3.DeleteObjectInput{Bucket: g.bucket, Key: aws.String("k")})
	require.NoError(g, err)
	require.True(g, *removed.DeleteMarker)
	output, err := g.ListObjectVersions(g.Context(), &s3.ListObjectVersionsInput{Bucket: g.bucket})
	require.NoError(g, err)
	require.Len(g, output.Versions, 2)
	require.Len(g, output.DeleteMarkers, 1)
	_, err = g.DeleteObject(g.Context(), &s3.DeleteObjectInput{
		Bucket:    g.bucket,
		Key:       aws.String("k"),
		VersionId: removed.VersionId,
	})
	require.NoError(g, err)
	content, _ = g.get("k")
	require.Equal(g, "two", content)
	output, err = g.ListObjectVersions(g.Context(), &s3.ListObjectVersionsInput{Bucket: g.bucket})
	require.NoError(g, err)
	require.Empty(g, output.DeleteMarkers)
	require.Len(g, output.Versions, 2)
	for _, v := range output.Versions {
		_, err = g.DeleteObject(g.Context(), &s3.DeleteObjectInput{Bucket: g.bucket, Key: v.Key, VersionId: v.VersionId})
		require.NoError(g, err)
	}
}
