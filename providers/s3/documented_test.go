package s3_test

import (
	"context"
	"encoding/xml"
	"flag"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/providers/internal/testing/documented"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
	"github.com/omnibucket/storage/storagetest"
)

const leastPart = 64 << 10 // of an upload, in the servers of these tests

// The conformance suite passes although the server first sends the temporary errors that Amazon
// documents. Each bucket also has an object and an upload that another program made. Both have a
// key with a control character, which makes a page of a listing unreadable.
func TestFurtherConformanceWithAmazonsTransientAnswers(t *testing.T) {
	testserver.Further(t) // skips this long test in a plain "go test"

	// foreign has the object and the upload of the other program.
	foreign := &foreignEntries{}
	server, errorServer := startAnsweringServer(t, "aws", documented.Amazon, documented.ForeignObject(foreign.in))
	foreign.addTo(server)

	// The suite does not expect these entries in listings, so the layer removes them, and counts them.
	layer := func(d driver.Driver) driver.Driver { return withoutForeign{withSmallParts(d), foreign} }
	requireConformance(t, server, layer, append(documented.Skips(nil), storagetest.WithName("s3"))...)
	foreign.requireSeen(t, "aws")

	// The suite for accounts also passes at Amazon's own hosts, where a bucket can block public access.
	openService := func(t *testing.T) storage.Service {
		front := httptest.NewTLSServer(errorServer.For(t))
		t.Cleanup(front.Close)
		service, err := s3.NewService(t.Context(), newAmazonConfig(t, front.URL),
			storage.WithRetry(storage.RetryPolicy{Attempts: 30, MaxDelay: time.Millisecond}))
		require.NoError(t, err)
		return service
	}
	storagetest.RunService(t, openService, storagetest.WithName("s3"))
	errorServer.RequireAllGiven(t, rarelyRequested...)
}

// The conformance suite passes over TLS in a bucket with SSE-KMS, for a role that may not decrypt. Over TLS, the
// checksums of parts are in trailers. Without kms:Decrypt, S3 refuses a HEAD that asks for a checksum.
func TestFurtherConformanceOverTLSWithoutDecrypt(t *testing.T) {
	testserver.Further(t) // skips this long test in a plain "go test"

	// errorServer first sends the transient errors that Amazon documents. Requests reach it through
	// a TLS server.
	server, errorServer := startAnsweringServer(t, "aws", documented.Amazon, documented.WithoutDecrypt)
	front := httptest.NewTLSServer(errorServer)
	t.Cleanup(front.Close)
	trustCertificate(t, front.Certificate())
	server.endpoint = front.URL

	// Skip the cases that need a checksum from HEAD, and the rules that this setting cannot affect.
	opts := append(documented.Skips(withoutChecksums),
		storagetest.WithName("s3"),
		storagetest.SkipRules("no request of these rules asks for a checksum by HEAD, or sends one in a trailer",
			"R6", "R7", "R8", "L1", "L3"))

	// The profile permits no signed URLs and forms, because the suite's client for them does not trust the certificate.
	layer := func(d driver.Driver) driver.Driver { return withSmallParts(withoutSignatures(d)) }
	requireConformance(t, server, layer, opts...)
}

// withoutSignatures returns the driver d with a profile that permits no signed URLs and forms.
func withoutSignatures(d driver.Driver) driver.Driver {
	profiled := d.(interface {
		Profile() s3.Profile
		WithProfile(p s3.Profile) driver.Driver
	})
	profile := profiled.Profile()
	profile.NoSigning = true
	profile.SignedForms = false
	profile.SignedUploads = s3.SignedUploads{}
	return profiled.WithProfile(profile)
}

// rarelyRequested has kinds of requests that the suite makes only rarely, so it does not get all of
// their transient errors.
var rarelyRequested = []string{"POST restore", "PUT retention"}

// withoutChecksums has the cases that need the checksum of an object from HEAD.
var withoutChecksums = map[string]string{
	"a reader delivers bytes and attributes": "the attributes of the reader have the checksum, " +
		"and those of Attrs do not",
	"the CRC32C is kept with the object": "Attrs does not have it",
}

// A role may encrypt with the bucket's KMS key, but not decrypt. With this role, uploads of whole
// objects succeed, and Download and Copy fail with PermissionDenied. Uploads in parts fail, too,
// because S3 has to decrypt the key of the earlier parts to encrypt the next one.
func TestKMSRoleWithoutDecrypt(t *testing.T) {
	// The server refuses the requests that S3 refuses to such a role. It sends no other errors.
	server, _ := startAnsweringServer(t, "aws", nil, documented.DeniedDecrypt)
	b := engine.New(withSmallParts(server.driver(t, server.bucket(t, false))))
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
	ctx := t.Context()
	text := strings.Repeat("x", 3*leastPart)

	// A call that needs no decryption succeeds.
	_, err := b.Upload(ctx, "a", strings.NewReader(text))
	require.NoError(t, err)
	exists, err := b.Exists(ctx, "a")
	require.NoError(t, err)
	require.True(t, exists)
	attrs, err := b.Attrs(ctx, "a")
	require.NoError(t, err)
	require.Equal(t, int64(len(text)), attrs.Size)

	// All other calls fail, and their errors name the key.
	refused := []struct {
		name string
		call func(ctx context.Context) error
	}{
		{
			name: "Download",
			call: func(ctx context.Context) error {
				_, _, err := storage.ReadAll(ctx, b, "a")
				return err
			},
		},
		{
			name: "Copy",
			call: func(ctx context.Context) error {
				_, err := storage.Copy(ctx, b, "b", b, "a")
				return err
			},
		},
		{
			name: "Upload in parts",
			call: func(ctx context.Context) error {
				_, err := b.Upload(ctx, "a", strings.NewReader(text), storage.WithPartSize(leastPart))
				return err
			},
		},
	}
	for _, tt := range refused {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.call(t.Context())
			require.Equal(t, storage.PermissionDenied, storage.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, "KMS key")
		})
	}

	// No upload is left.
	for upload, err := range storage.ListUploads(ctx, b) {
		require.NoError(t, err)
		require.Fail(t, "an upload is left", upload.Key)
	}
	require.NoError(t, b.Remove(ctx, "a"))
}

// A listing of the whole bucket fails with Unsupported if the server cannot escape a key with a
// control character. A listing of a prefix without that key succeeds.
func TestListUnescapedForeignKey(t *testing.T) {
	// The server lists keys as versitygw does. Each of its buckets has an object and an upload of another program, and
	// their key has a control character.
	foreign := &foreignEntries{}
	server, _ := startAnsweringServer(t, "versitygw", nil,
		documented.ForeignObject(foreign.in), documented.VersitysListings)
	foreign.addTo(server)

	b := server.open(t, server.bucket(t, false))
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
	_, err := b.Upload(t.Context(), "photos/a", strings.NewReader("x"))
	require.NoError(t, err)

	// A listing that has the key fails.
	_, err = storage.ListPage(t.Context(), b, "")
	require.Equal(t, storage.Unsupported, storage.CodeOf(err))
	require.ErrorContains(t, err, "control character")

	// A listing without the key succeeds.
	page, err := storage.ListPage(t.Context(), b, "", storage.WithPrefix("photos/"))
	require.NoError(t, err)
	require.Len(t, page.Entries, 1)

	// A listing of uploads has no upload except that of the other program.
	for upload, err := range storage.ListUploads(t.Context(), b) {
		require.NoError(t, err)
		require.True(t, documented.IsForeign(upload.Key), upload.Key)
	}
}

// The suite passes in a bucket with a default retention. Such a bucket keeps every version for a day, and refuses
// writes without a checksum: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html
func TestFurtherConformanceWithTransientAnswersAndADefaultRetention(t *testing.T) {
	testserver.Further(t)
	server, _ := startAnsweringServer(t, "aws", documented.Amazon)
	initialize := server.made
	server.retains = true
	server.made = func(t *testing.T, bucket string) {
		server.retainByDefault(t, bucket)
		initialize(t, bucket)
	}
	requireConformance(t, server, withSmallParts, append(documented.Skips(underRetention),
		storagetest.WithName("s3"),
		storagetest.SkipRules("no write of these rules differs under a retention",
			"R6", "R7", "R8", "L1", "L3", "S3", "T1", "T2"))...)
}

// retainByDefault locks the objects of a new bucket for a day.
func (s *testServer) retainByDefault(t *testing.T, bucket string) {
	t.Helper()
	_, err := s.raw.PutBucketVersioning(t.Context(), &awss3.PutBucketVersioningInput{
		Bucket:                  &bucket,
		VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	require.NoError(t, err)
	_, err = s.raw.PutObjectLockConfiguration(t.Context(), &awss3.PutObjectLockConfigurationInput{
		Bucket: &bucket,
		ObjectLockConfiguration: &types.ObjectLockConfiguration{
			ObjectLockEnabled: types.ObjectLockEnabledEnabled,
			Rule: &types.ObjectLockRule{
				DefaultRetention: &types.DefaultRetention{
					Mode: types.ObjectLockRetentionModeGovernance,
					Days: aws.Int32(1),
				},
			},
		},
	})
	require.NoError(t, err)
}

const (
	unsignedChecksum = "the request is signed without a checksum, which S3 refuses"
	keptVersion      = "the case removes a version, which is locked"
	lockedByBucket   = "the case needs objects that the bucket does not lock"
)

// underRetention has the cases that a default retention changes.
var underRetention = map[string]string{
	"a signed create never overwrites":                                 unsignedChecksum,
	"a signed upload binds a content type only if asked to":            unsignedChecksum,
	"a signed size is enforced":                                        unsignedChecksum,
	"a signed upload stores its tags":                                  unsignedChecksum,
	"any text comes back from its encoded value after a signed upload": unsignedChecksum,
	"a signed part expires":                                            unsignedChecksum,
	"a signed part binds what was signed":                              unsignedChecksum,
	"removing a version is permanent":                                  keptVersion,
	"a signed removal removes one version":                             keptVersion,
	"a removed key stays removed":                                      keptVersion,
	"a delete marker is removed by its version":                        keptVersion,
	"RemoveVersions removes versions in batches":                       keptVersion,
	"versions under a prefix":                                          keptVersion,
	"a retention in the mode Compliance can only be extended":          lockedByBucket,
	"a legal hold keeps an object":                                     lockedByBucket,
	"a bucket without object lock refuses locks":                       lockedByBucket,
	"a copy does not take the locks of its source":                     lockedByBucket,
}

// The conformance suite passes on servers that behave like those of other providers. Each server
// differs from Amazon's as its provider documents. It first sends the transient errors that the
// provider documents.
func TestFurtherConformanceWithTransientAnswersOfKin(t *testing.T) {
	testserver.Further(t)
	tests := []struct {
		profile       string
		errors        []documented.Answer   // transient errors that the provider documents
		differences   []documented.Behavior // from Amazon's server
		foreignObject bool                  // the server can list the object of another program
	}{
		{
			profile:       "r2",
			errors:        documented.R2,
			differences:   []documented.Behavior{documented.R2Lacks, documented.R2Parts, documented.R2Conditions},
			foreignObject: true,
		},
		{
			profile:       "spaces",
			errors:        documented.Spaces,
			differences:   []documented.Behavior{documented.CephsUploads},
			foreignObject: true,
		},
		{
			profile:       "versitygw",
			differences:   []documented.Behavior{documented.VersitysListings},
			foreignObject: false, // see TestListUnescapedForeignKey
		},
	}

	for _, tt := range tests {
		t.Run(tt.profile, func(t *testing.T) {
			// Each bucket also has an upload and, if possible, an object of another program.
			foreign := &foreignEntries{}
			differences := tt.differences
			if tt.foreignObject {
				differences = append(differences, documented.ForeignObject(foreign.in))
			}
			server, errorServer := startAnsweringServer(t, tt.profile, tt.errors, differences...)
			foreign.addTo(server)

			// The suite does not expect these entries in listings, so the layer takes them out, and counts them.
			layer := func(d driver.Driver) driver.Driver { return withoutForeign{withSmallParts(d), foreign} }
			opts := append(documented.Skips(nil), documented.SkipCore(), storagetest.WithName("s3"),
				storagetest.SkipRules("the answers of Amazon test the engine", "W8", "W13"))
			requireConformance(t, server, layer, opts...)

			// The listings had the entries, and the server has sent each transient error.
			foreign.requireSeen(t, tt.profile)
			errorServer.RequireAllGiven(t)
		})
	}
}

// startAnsweringServer starts a server with the rules of Amazon and of an account of the given
// kinds. Requests reach it through a second server, which first sends transient errors. The
// function returns both servers.
func startAnsweringServer(
	t *testing.T, name string, answers []documented.Answer, kinds ...documented.Behavior,
) (*testServer, *documented.Server) {
	t.Helper()
	leaveOutOfSupportTable(t)
	server, err := s3server.Start(s3server.Config{
		Strict: name == "aws",
		Limits: s3server.Limits{MinPartSize: leastPart},
	})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	answering := documented.New(documented.Like(server, kinds...), documented.AmazonKind, answers)
	front := httptest.NewServer(answering)
	t.Cleanup(front.Close)
	s := &testServer{
		name:     name,
		endpoint: server.URL,
		key:      s3server.DefaultAccessKeyID,
		secret:   s3server.DefaultSecretKey,
		made:     answering.Add,
	}
	direct := *s // the test's own requests are not disturbed
	s.raw = direct.clientOver(withoutKeepAlive())
	s.endpoint = front.URL
	return s, answering
}

// withSmallParts returns a driver over d that accepts parts of leastPart bytes.
func withSmallParts(d driver.Driver) driver.Driver { return smallParts{Driver: d, least: leastPart} }

// A foreignEntries is an object and an upload of another program in each bucket of a server. It counts how often
// listings had them.
type foreignEntries struct {
	buckets                    sync.Map // names of buckets that have them
	objects, versions, uploads atomic.Int64
}

// The method in reports whether a bucket has the foreign object and upload.
func (f *foreignEntries) in(bucket string) bool {
	_, ok := f.buckets.Load(bucket)
	return ok
}

// addTo begins an upload of another program in each new bucket.
func (f *foreignEntries) addTo(s *testServer) {
	create := s.made
	s.made = func(t *testing.T, bucket string) {
		f.buckets.Store(bucket, true)
		_, err := s.raw.CreateMultipartUpload(t.Context(), &awss3.CreateMultipartUploadInput{
			Bucket: &bucket,
			Key:    aws.String(documented.ForeignKey),
		})
		// Parsing the response fails, because it has the key, whose control character is not valid
		// in XML.
		syntaxErr := new(xml.SyntaxError)
		require.ErrorAs(t, err, &syntaxErr)
		create(t, bucket)
	}
}

// requireSeen requires that listings of this server contained the foreign entries. It does not
// require objects on versitygw, because the test for this server adds none. It requires no versions
// on R2, because R2 has none.
func (f *foreignEntries) requireSeen(t *testing.T, server string) {
	t.Helper()
	runsOneCase := strings.Contains(flag.Lookup("test.run").Value.String(), "/")
	if runsOneCase {
		return // which may list nothing
	}
	require.Positive(t, f.uploads.Load())
	if server == "versitygw" {
		return
	}
	require.Positive(t, f.objects.Load())
	if server == "r2" {
		require.Zero(t, f.versions.Load())
		return
	}
	require.Positive(t, f.versions.Load())
}

// withoutForeign is a driver that lists only what the suite has made.
type withoutForeign struct {
	driver.Driver
	foreign *foreignEntries
}

// ListUploads counts the uploads of another program, and leaves them out.
func (d withoutForeign) ListUploads(
	ctx context.Context, r *driver.ListUploadsRequest,
) (*driver.UploadPage, error) {
	page, err := d.Driver.ListUploads(ctx, r)
	if err != nil {
		return nil, err
	}
	page.Uploads = slices.DeleteFunc(page.Uploads,
		func(u storage.UploadEntry) bool { return countForeign(u.Key, &d.foreign.uploads) })
	return page, nil
}

// List removes the objects of another program from the page, and counts them.
func (d withoutForeign) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	page, err := d.Driver.List(ctx, r)
	if err != nil {
		return nil, err
	}
	page.Entries = slices.DeleteFunc(page.Entries,
		func(e storage.ListEntry) bool { return countForeign(e.Key, &d.foreign.objects) })
	return page, nil
}

// ListVersions counts the objects of another program, and leaves them out.
func (d withoutForeign) ListVersions(
	ctx context.Context, r *driver.ListRequest,
) (*driver.VersionPage, error) {
	page, err := d.Driver.ListVersions(ctx, r)
	if err != nil {
		return nil, err
	}
	page.Entries = slices.DeleteFunc(page.Entries,
		func(e storage.VersionEntry) bool { return countForeign(e.Key, &d.foreign.versions) })
	return page, nil
}

// countForeign reports whether a key is that of the other program. If so, it adds one to the count.
func countForeign(key string, count *atomic.Int64) bool {
	if !documented.IsForeign(key) {
		return false
	}
	count.Add(1)
	return true
}
