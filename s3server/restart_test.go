package s3server_test

import (
	"crypto/md5"
	"encoding/hex"
	"iter"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/s3server"
)

// A directory is a server over a directory, which can be started again.
type directory struct {
	store *store
	path  string
}

// startInDirectory starts a server over a directory.
func startInDirectory(t *testing.T, path string, c s3server.Config) *directory {
	t.Helper()
	clock := &clock{}
	if c.Now == nil {
		c.Now = clock.now
	}
	service, err := local.NewServiceDriver(path, local.Config{NoSync: true, Now: c.Now})
	require.NoError(t, err)
	c.Service = service
	if c.Buckets == nil {
		c.Buckets = []string{}
	}
	d := &directory{startServer(t, c), path}
	d.store.clock = clock
	t.Cleanup(func() { _ = service.Close() })
	return d
}

// restart ends the server, and starts another one on the directory.
func (d *directory) restart(t *testing.T, c s3server.Config) *directory {
	t.Helper()
	d.store.server.Close()
	return startInDirectory(t, d.path, c)
}

// A server that is restarted over a directory has all objects of the server before it, with all
// their attributes.
func TestDirectoryKeepsEverything(t *testing.T) {
	d := startInDirectory(t, t.TempDir(), s3server.Config{Buckets: []string{bucket}})
	d.store.setOwnership(t, types.ObjectOwnershipObjectWriter)
	d.store.allowPublicAccess(t)

	// Store an object with many attributes, and two objects with unusual keys.
	input := putInput("folder/photo.jpg", "a photo")
	input.Metadata = map[string]string{"taken": "today"}
	input.ContentLanguage = aws.String("de")
	input.WebsiteRedirectLocation = aws.String("/elsewhere")
	input.Tagging = aws.String("a=1&b=")
	input.ACL = types.ObjectCannedACLPublicRead
	input.ServerSideEncryption = types.ServerSideEncryptionAwsKms
	input.SSEKMSKeyId = aws.String("key")
	_, err := d.store.PutObject(t.Context(), input)
	require.NoError(t, err)
	d.store.put(t, "folder/", "")
	d.store.put(t, "a//b", "an empty segment")

	d = d.restart(t, s3server.Config{})

	// All keys and contents are there.
	require.Equal(t, []string{"a//b", "folder/", "folder/photo.jpg"}, d.store.keys(t))
	require.Equal(t, "an empty segment", d.store.get(t, "a//b"))

	// The attributes, the tags and the ACL are there.
	output, err := d.store.GetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("folder/photo.jpg"),
	})
	require.NoError(t, err)
	require.Equal(t, "a photo", readBody(t, output.Body))
	require.Equal(t, map[string]string{"taken": "today"}, output.Metadata)
	require.Equal(t, "de", *output.ContentLanguage)
	require.Equal(t, "/elsewhere", *output.WebsiteRedirectLocation)
	require.Equal(t, types.ServerSideEncryptionAwsKms, output.ServerSideEncryption)
	require.Equal(t, int32(2), *output.TagCount)
	require.Equal(t, map[string]string{"a": "1", "b": ""}, d.store.tags(t, "folder/photo.jpg"))
	grants := d.store.objectGrants(t, d.store.Client, "folder/photo.jpg")
	require.Len(t, grants, 2, "everybody and the owner")
}

// A server that is restarted over a directory has the bucket's policy, and all versions and delete markers.
func TestDirectoryKeepsVersionsAndPolicy(t *testing.T) {
	const pageSize = 1000 // of the listings of versions
	d := startInDirectory(t, t.TempDir(), s3server.Config{Buckets: []string{bucket}})

	// Set a policy.
	d.store.allowPublicAccess(t)
	const policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",` +
		`"Action":"s3:GetObject","Resource":"arn:aws:s3:::` + bucket + `/plain"}]}`
	require.NoError(t, d.store.setPolicy(policy))

	// The object "plain" has a null version below a delete marker. The object "versions" has two versions.
	etagOfNull := d.store.put(t, "plain", "plain")
	d.store.setVersioning(t, types.BucketVersioningStatusEnabled)
	one := d.store.putVersion(t, "versions", "one")
	two := d.store.putVersion(t, "versions", "two")
	d.store.deleteObject(t, "plain")
	versionIDs := d.store.versionIDs(t, pageSize)

	d = d.restart(t, s3server.Config{})

	restarted, err := d.store.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	require.JSONEq(t, policy, *restarted.Policy)
	require.Equal(t, versionIDs, d.store.versionIDs(t, pageSize))
	require.Equal(t, []string{"versions"}, d.store.keys(t))
	require.Equal(t, "one", d.store.getVersion(t, "versions", one))
	require.Equal(t, "two", d.store.getVersion(t, "versions", two))

	// The null version, which is below the delete marker, is the object from before versioning was enabled.
	old, err := d.store.GetObject(t.Context(), &s3.GetObjectInput{
		Bucket:    aws.String(bucket),
		Key:       aws.String("plain"),
		VersionId: aws.String("null"),
	})
	require.NoError(t, err)
	require.Equal(t, etagOfNull, *old.ETag)
	require.NoError(t, old.Body.Close())
}

// A server that is restarted over a directory can continue and complete an upload. After another restart, a repeated
// completion has the same result.
func TestDirectoryKeepsUploads(t *testing.T) {
	d := startInDirectory(t, t.TempDir(), s3server.Config{Buckets: []string{bucket}})
	upload := d.store.beginUpload(t, "large", compositeCRC32C)
	first := d.store.uploadPart(t, "large", upload, 1, "0123456789", withCRC32C)

	// The restarted server has the upload and its part.
	d = d.restart(t, s3server.Config{})
	uploads, err := d.store.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{
		Bucket: aws.String(bucket),
	})
	require.NoError(t, err)
	require.Len(t, uploads.Uploads, 1)
	parts, err := d.store.ListParts(t.Context(), &s3.ListPartsInput{
		Bucket:   aws.String(bucket),
		Key:      aws.String("large"),
		UploadId: &upload,
	})
	require.NoError(t, err)
	require.Len(t, parts.Parts, 1)
	require.Equal(t, first.ETag, parts.Parts[0].ETag)
	require.Equal(t, first.ChecksumCRC32C, parts.Parts[0].ChecksumCRC32C)

	// The upload can be continued and completed.
	last := d.store.uploadPart(t, "large", upload, 2, "last", withCRC32C)
	completion := completeInput("large", upload, first, last)
	completed, err := d.store.CompleteMultipartUpload(t.Context(), completion)
	require.NoError(t, err)
	require.Equal(t, "0123456789last", d.store.get(t, "large"))

	// After another restart, a repeated completion returns the same object.
	d = d.restart(t, s3server.Config{})
	repeated, err := d.store.CompleteMultipartUpload(t.Context(), completion)
	require.NoError(t, err)
	require.Equal(t, completed.ETag, repeated.ETag)
	require.Equal(t, completed.ChecksumCRC32C, repeated.ChecksumCRC32C)
}

// A server that is restarted over a directory still has the locks of its objects.
func TestDirectoryKeepsLocks(t *testing.T) {
	d := startInDirectory(t, t.TempDir(), s3server.Config{})
	ctx := t.Context()
	_, err := d.store.CreateBucket(ctx, &s3.CreateBucketInput{
		Bucket:                     aws.String(bucket),
		ObjectLockEnabledForBucket: aws.Bool(true),
	})
	require.NoError(t, err)

	input := putInput("k", "locked")
	input.ChecksumAlgorithm = types.ChecksumAlgorithmCrc32c
	input.ObjectLockLegalHoldStatus = types.ObjectLockLegalHoldStatusOn
	output, err := d.store.PutObject(ctx, input)
	require.NoError(t, err)

	// The restarted server refuses to delete the held version.
	d = d.restart(t, s3server.Config{})
	_, err = d.store.DeleteObject(ctx, &s3.DeleteObjectInput{
		Bucket:    aws.String(bucket),
		Key:       aws.String("k"),
		VersionId: output.VersionId,
	})
	requireFailure(t, err, 403, "AccessDenied")

	// A change of the hold survives the next restart.
	_, err = d.store.PutObjectLegalHold(ctx, &s3.PutObjectLegalHoldInput{
		Bucket:            aws.String(bucket),
		Key:               aws.String("k"),
		LegalHold:         &types.ObjectLockLegalHold{Status: types.ObjectLockLegalHoldStatusOff},
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc32c,
	})
	require.NoError(t, err)

	d = d.restart(t, s3server.Config{})
	hold, err := d.store.GetObjectLegalHold(ctx, &s3.GetObjectLegalHoldInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("k"),
	})
	require.NoError(t, err)
	require.Equal(t, types.ObjectLockLegalHoldStatusOff, hold.LegalHold.Status)
}

// Over a directory, each object is a file with its key as the path. Records of the server are not objects.
func TestDirectoryHasObjectsAsFiles(t *testing.T) {
	d := startInDirectory(t, t.TempDir(), s3server.Config{Buckets: []string{bucket}})
	photo := filepath.Join(d.path, bucket, "folder", "photo.jpg")

	// An object becomes a file with its content. Its entity tag is the MD5 of the content.
	etag := d.store.put(t, "folder/photo.jpg", "a photo")
	content, err := os.ReadFile(photo)
	require.NoError(t, err)
	require.Equal(t, "a photo", string(content))
	hash := md5.Sum(content)
	require.Equal(t, `"`+hex.EncodeToString(hash[:])+`"`, etag)

	// The part of an upload is not an object.
	upload := d.store.beginUpload(t, "large")
	d.store.uploadPart(t, "large", upload, 1, "part")
	require.Equal(t, []string{"folder/photo.jpg"}, d.store.keys(t))

	// If another program changes the file, the object has the new content and another entity tag.
	require.NoError(t, os.WriteFile(photo, []byte("changed by hand"), 0o666))
	head, err := d.store.HeadObject(t.Context(), &s3.HeadObjectInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("folder/photo.jpg"),
	})
	require.NoError(t, err)
	require.NotEqual(t, etag, *head.ETag)
	require.Equal(t, "changed by hand", d.store.get(t, "folder/photo.jpg"))
}

// A file that another program writes into the directory of a bucket is an object.
func TestDirectoryHasFilesAsObjects(t *testing.T) {
	d := startInDirectory(t, t.TempDir(), s3server.Config{Buckets: []string{bucket}})
	require.NoError(t, os.WriteFile(filepath.Join(d.path, bucket, "by-hand.txt"), []byte("by hand"), 0o666))

	output, err := d.store.GetObject(t.Context(), &s3.GetObjectInput{
		Bucket: aws.String(bucket),
		Key:    aws.String("by-hand.txt"),
	})
	require.NoError(t, err)
	require.Equal(t, "by hand", readBody(t, output.Body))
	require.Equal(t, "text/plain; charset=utf-8", *output.ContentType)
	require.Regexp(t, `^"[0-9a-f]{32}-1"$`, *output.ETag, "a suffix shows that the entity tag is not an MD5")

	// A listing has the object with the same entity tag.
	list, err := d.store.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	require.Len(t, list.Contents, 1)
	require.Equal(t, output.ETag, list.Contents[0].ETag)

	_, err = d.store.CopyObject(t.Context(), copyInput("by-hand.txt", "copy.txt"))
	require.NoError(t, err)
	require.Equal(t, "by hand", d.store.get(t, "copy.txt"))
}

// A directory that another program makes is a bucket. If the program removes the directory and
// makes it again, it is a new bucket.
func TestDirectoryHasDirectoriesAsBuckets(t *testing.T) {
	d := startInDirectory(t, t.TempDir(), s3server.Config{Buckets: []string{bucket}})
	directory := filepath.Join(d.path, "by-hand")
	require.NoError(t, os.Mkdir(directory, 0o777))

	// A listing shows the bucket, and writes nothing into it.
	list, err := d.store.ListBuckets(t.Context(), &s3.ListBucketsInput{})
	require.NoError(t, err)
	require.Len(t, list.Buckets, 2)
	require.NoDirExists(t, filepath.Join(directory, ".omnibucket"))

	// Each of the buckets at this path accepts objects.
	for range 2 {
		_, err = d.store.PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: aws.String("by-hand"),
			Key:    aws.String("k"),
			Body:   strings.NewReader("x"),
		})
		require.NoError(t, err)

		// Remove the bucket, and make it again. Then wait until the server reads settings again.
		const timeOfCachedSettings = 30 * time.Millisecond
		require.NoError(t, os.RemoveAll(directory))
		require.NoError(t, os.Mkdir(directory, 0o777))
		time.Sleep(timeOfCachedSettings)
	}
}

// listEscaped returns the keys of all objects in the form that a listing with URL encoding has. It
// reads pages of pageSize keys.
func (s *store) listEscaped(t *testing.T, pageSize int32) (keys []string) {
	t.Helper()
	pages := s3.NewListObjectsV2Paginator(s.Client, &s3.ListObjectsV2Input{
		Bucket:       aws.String(bucket),
		MaxKeys:      &pageSize,
		EncodingType: types.EncodingTypeUrl,
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		require.NoError(t, err)
		for _, o := range page.Contents {
			keys = append(keys, *o.Key)
		}
	}
	return keys
}

// A server over a directory stores, lists and removes objects of any key that S3 permits, even after a restart.
func TestDirectoryKeepsAnyKey(t *testing.T) {
	d := startInDirectory(t, t.TempDir(), s3server.Config{Buckets: []string{bucket}})
	keys := []string{
		// empty path elements, dots and spaces
		"a", "a/", "a//", "a//b", "a/b", "a/./b", "a/b/../c", "a/b.", "/", "//", "/a", " ", " a", "a ",
		// control characters, and names that Windows reserves
		"tab\tand\nnewline", "\x01", "\x7f", `back\slash`, "C:", "con", "NUL.txt", "*?<>|\"",
		// percent signs, Unicode and upper case
		"%2F", "100%", "é", "e\u0301", "日本", "\U0001F600", "\uffff", "A",
		// names that the store or the server uses itself
		"!%", "!%%s3server/bucket.json", "!%x", ".omnibucket", ".omnibucket/private/bucket.json", ".omnibucket%x",
		// long names
		strings.Repeat("n", 1000),
		strings.Repeat("s/", 400) + "x",
	}
	for _, key := range keys {
		_, err := d.store.PutObject(t.Context(), putInput(key, "content of "+key))
		require.NoError(t, err, "%q", key)
	}

	// After a restart, each key has its object, and pages of each size list all keys.
	d = d.restart(t, s3server.Config{})
	for _, key := range keys {
		require.Equal(t, "content of "+key, d.store.get(t, key), "%q", key)
	}
	for _, pageSize := range []int32{1, 7, 1000} {
		require.Len(t, d.store.listEscaped(t, pageSize), len(keys), "pages of %d", pageSize)
	}

	// When all objects are removed, the bucket leaves no directory.
	for _, key := range keys {
		d.store.deleteObject(t, key)
	}
	_, err := d.store.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)
	require.NoDirExists(t, filepath.Join(d.path, bucket))
}

// A server over a directory lists prefixes of keys whose file names are escaped. The path of a file
// cannot have an empty element, one that ends with a dot, or one with a control character.
func TestDirectoryListsPrefixesOfEscapedKeys(t *testing.T) {
	d := startInDirectory(t, t.TempDir(), s3server.Config{Buckets: []string{bucket}})
	for _, key := range []string{"dir/", "dir/a", "dir//b", "dir//c", "dir./x", "dir.", "dir\x01/y"} {
		d.store.put(t, key, "")
	}

	tests := []struct {
		prefix             string
		wantKeys           []string
		wantCommonPrefixes []string // by the delimiter "/"
	}{
		{prefix: "", wantKeys: []string{"dir."}, wantCommonPrefixes: []string{"dir\x01/", "dir./", "dir/"}},
		{prefix: "dir/", wantKeys: []string{"dir/", "dir/a"}, wantCommonPrefixes: []string{"dir//"}},
		{prefix: "dir//", wantKeys: []string{"dir//b", "dir//c"}},
		{prefix: "dir", wantKeys: []string{"dir."}, wantCommonPrefixes: []string{"dir\x01/", "dir./", "dir/"}},
		{prefix: "dir.", wantKeys: []string{"dir."}, wantCommonPrefixes: []string{"dir./"}},
		{prefix: "dir./", wantKeys: []string{"dir./x"}},
		{prefix: "dir\x01", wantCommonPrefixes: []string{"dir\x01/"}},
	}
	for _, tt := range tests {
		t.Run(tt.prefix, func(t *testing.T) {
			output, err := d.store.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{
				Bucket:       aws.String(bucket),
				Prefix:       &tt.prefix,
				Delimiter:    aws.String("/"),
				EncodingType: types.EncodingTypeUrl,
			})
			require.NoError(t, err)

			var keys, commonPrefixes []string
			for _, o := range output.Contents {
				keys = append(keys, unescape(t, *o.Key))
			}
			for _, p := range output.CommonPrefixes {
				commonPrefixes = append(commonPrefixes, unescape(t, *p.Prefix))
			}
			require.Equal(t, tt.wantKeys, keys)
			require.Equal(t, tt.wantCommonPrefixes, commonPrefixes)
		})
	}
}

// unescape decodes a name of a listing with EncodingType url.
func unescape(t *testing.T, text string) string {
	t.Helper()
	decoded, err := url.QueryUnescape(text)
	require.NoError(t, err)
	return decoded
}

// A directory without the server's settings is a bucket with the settings of a new one. A crash
// during CreateBucket can leave such a directory.
func TestDirectoryHasSettingsOfNewBucket(t *testing.T) {
	// Only a directory shows that the bucket exists.
	path := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(path, bucket), 0o777))

	service, err := local.NewServiceDriver(path, local.Config{NoSync: true})
	require.NoError(t, err)
	defer func() {
		require.NoError(t, service.Close())
	}()
	server, err := s3server.Start(s3server.Config{Service: service, Buckets: []string{"created"}})
	require.NoError(t, err)
	defer server.Close()
	client := s3.New(s3.Options{
		Region:       s3server.DefaultRegion,
		BaseEndpoint: &server.URL,
		UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(s3server.DefaultAccessKeyID,
			s3server.DefaultSecretKey, ""),
	})

	// The bucket has no block of public access, like one that the server has just created.
	for _, name := range []string{"created", bucket} {
		_, err = client.GetPublicAccessBlock(t.Context(), &s3.GetPublicAccessBlockInput{Bucket: &name})
		requireFailure(t, err, 404, "NoSuchPublicAccessBlockConfiguration")
	}
}

// If one of two servers over a directory enables versioning, the other one keeps versions, too.
func TestDirectoryKeepsVersions(t *testing.T) {
	path := t.TempDir()
	one := startInDirectory(t, path, s3server.Config{Buckets: []string{bucket}})
	two := startInDirectory(t, path, s3server.Config{})
	two.store.put(t, "k", "before")

	one.store.setVersioning(t, types.BucketVersioningStatusEnabled)
	require.NotEqual(t, "null", two.store.putVersion(t, "k", "after"))

	two.store.deleteObject(t, "k")
	require.Len(t, one.store.versionIDs(t, 1000), 3)
}

// listedOneByOne returns the keys and common prefixes of a listing in pages of one entry.
func (s *store) listedOneByOne(t *testing.T, delimiter string) iter.Seq[string] {
	input := &s3.ListObjectsV2Input{Bucket: aws.String(bucket), MaxKeys: aws.Int32(1)}
	if delimiter != "" {
		input.Delimiter = &delimiter
	}
	return func(yield func(string) bool) {
		pages := s3.NewListObjectsV2Paginator(s.Client, input)
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			require.NoError(t, err)
			for _, o := range page.Contents {
				if !yield(*o.Key) {
					return
				}
			}
			for _, p := range page.CommonPrefixes {
				if !yield(*p.Prefix) {
					return
				}
			}
		}
	}
}

// A server over a directory lists all keys, page by page, with any delimiter.
func TestDirectoryListsPages(t *testing.T) {
	d := startInDirectory(t, t.TempDir(), s3server.Config{Buckets: []string{bucket}})
	keys := []string{"//x", "/a", "/b", "...", "a .", "a//x", "a//y", "a/b", "tab\t", "tab\tb", "z"}
	for _, key := range keys {
		d.store.put(t, key, "")
	}

	// Keys with the same text before the first slash are one common prefix: "/" has three keys, and "a/" has three.
	wantBySlash := []string{"/", "...", "a .", "a/", "tab\t", "tab\tb", "z"}
	require.ElementsMatch(t, wantBySlash, slices.Collect(d.store.listedOneByOne(t, "/")))

	// No key contains a bar yet, so the listing has each key itself.
	require.ElementsMatch(t, keys, slices.Collect(d.store.listedOneByOne(t, "|")))

	// A delimiter other than the slash can group keys of different folders. Here, the common
	// prefixes are " x|" and "x|".
	keysWithBar := []string{"x|a", "x|tab\t", "x|/", " x|a", " x|\t", "m"}
	for _, key := range keysWithBar {
		d.store.put(t, key, "")
	}
	wantByBar := []string{
		" x|", "...", "//x", "/a", "/b", "a .", "a//x", "a//y", "a/b", "m", "tab\t", "tab\tb", "x|", "z",
	}
	require.Equal(t, wantByBar, slices.Collect(d.store.listedOneByOne(t, "|")))

	// A client can remove the keys of each page before it asks for the next page, and still sees
	// all keys.
	for _, key := range keysWithBar {
		d.store.deleteObject(t, key)
	}
	var removed []string
	for key := range d.store.listedOneByOne(t, "") {
		d.store.deleteObject(t, key)
		removed = append(removed, key)
	}
	require.ElementsMatch(t, keys, removed)
}

// A server over a directory drops a multipart upload that nobody has continued for a week.
func TestDirectoryDropsOldUploads(t *testing.T) {
	d := startInDirectory(t, t.TempDir(), s3server.Config{Buckets: []string{bucket}})

	// The test moves the server's clock. The SDK learns the new time only if it may retry.
	d.store.Client = d.store.client(func(o *s3.Options) {
		o.RetryMaxAttempts = 3
	})

	uploads := func() (keys []string) {
		output, err := d.store.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{
			Bucket: aws.String(bucket),
		})
		require.NoError(t, err)
		for _, u := range output.Uploads {
			keys = append(keys, *u.Key)
		}
		return keys
	}

	const day = 24 * time.Hour
	d.store.beginUpload(t, "empty")
	idle := d.store.beginUpload(t, "idle")
	busy := d.store.beginUpload(t, "busy")
	d.store.uploadPart(t, "idle", idle, 1, "0123456789")

	// On the sixth day, all uploads exist. Two days later, only the one with a new part is left.
	d.store.clock.move(6 * day)
	require.Len(t, uploads(), 3)
	d.store.uploadPart(t, "busy", busy, 1, "0123456789")
	d.store.clock.move(2 * day)
	require.Equal(t, []string{"busy"}, uploads())

	// The idle upload cannot be used, and the busy one can be continued.
	_, err := d.store.ListParts(t.Context(), &s3.ListPartsInput{
		Bucket:   aws.String(bucket),
		Key:      aws.String("idle"),
		UploadId: &idle,
	})
	requireFailure(t, err, 404, "NoSuchUpload")
	d.store.uploadPart(t, "busy", busy, 2, "0123456789")
}

// A server can be killed after it has made the object, but before it has removed the upload's
// records. A repeated completion then has the same result.
func TestDirectoryRemembersInterruptedCompletion(t *testing.T) {
	d := startInDirectory(t, t.TempDir(), s3server.Config{Buckets: []string{bucket}})
	upload := d.store.beginUpload(t, "large")
	part := d.store.uploadPart(t, "large", upload, 1, "0123456789")
	completion := completeInput("large", upload, part)

	// Keep a copy of the upload's records, and complete the upload.
	records := filepath.Join(d.path, bucket, ".omnibucket", "private")
	backup := t.TempDir()
	require.NoError(t, os.CopyFS(backup, os.DirFS(records)))
	completed, err := d.store.CompleteMultipartUpload(t.Context(), completion)
	require.NoError(t, err)

	// Restore the upload's records, as if the server was killed before it removed them.
	for _, folder := range []string{"uploads", "parts"} {
		require.NoError(t, os.CopyFS(filepath.Join(records, folder), os.DirFS(filepath.Join(backup, folder))))
	}
	d = d.restart(t, s3server.Config{})
	repeated, err := d.store.CompleteMultipartUpload(t.Context(), completion)
	require.NoError(t, err)
	require.Equal(t, completed.ETag, repeated.ETag)

	// A completion with another list of parts is not a repetition of the first.
	d = d.restart(t, s3server.Config{})
	otherPart := part
	otherPart.ETag = completed.ETag
	_, err = d.store.CompleteMultipartUpload(t.Context(), completeInput("large", upload, otherPart))
	requireFailure(t, err, 404, "NoSuchUpload")

	// No upload is left.
	uploads, err := d.store.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{
		Bucket: aws.String(bucket),
	})
	require.NoError(t, err)
	require.Empty(t, uploads.Uploads)
}

// A locked version becomes current again if the delete marker above it is removed. A listing then has it once.
func TestLockedVersionReturnsOnce(t *testing.T) {
	d := startInDirectory(t, t.TempDir(), s3server.Config{})
	_, err := d.store.CreateBucket(t.Context(), &s3.CreateBucketInput{
		Bucket:                     aws.String(bucket),
		ObjectLockEnabledForBucket: aws.Bool(true),
	})
	require.NoError(t, err)

	for _, mode := range []types.ObjectLockMode{types.ObjectLockModeGovernance, types.ObjectLockModeCompliance} {
		t.Run(string(mode), func(t *testing.T) {
			key := string(mode)
			input := putInput(key, "locked")
			input.ChecksumAlgorithm = types.ChecksumAlgorithmCrc32c
			input.ObjectLockMode = mode
			input.ObjectLockRetainUntilDate = aws.Time(d.store.clock.now().Add(time.Hour))
			put, err := d.store.PutObject(t.Context(), input)
			require.NoError(t, err)

			// Add a delete marker, and remove it.
			marker := *d.store.deleteObject(t, key).VersionId
			d.store.deleteVersion(t, key, marker)

			require.Equal(t, "locked", d.store.get(t, key))
			output, err := d.store.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{
				Bucket: aws.String(bucket),
				Prefix: &key,
			})
			require.NoError(t, err)
			require.Len(t, output.Versions, 1)
			require.Equal(t, *put.VersionId, *output.Versions[0].VersionId)
		})
	}
}
