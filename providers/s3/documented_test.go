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

// Amazon's rules, the transient answers that Amazon documents, and in each bucket an object and an upload
// of another program, whose key makes a page unreadable.
func TestFurtherConformanceWithAmazonsTransientAnswers(t *testing.T) {
	testserver.Further(t)
	foreign := &foreign{}
	s, answering := startAnsweringServer(t, "aws", documented.Amazon, documented.ForeignObject(foreign.in))
	foreign.addTo(s)

	requireConformance(t, s, func(d driver.Driver) driver.Driver { return withoutForeign{withSmallParts(d), foreign} },
		append(documented.Skips(nil), storagetest.WithName("s3"))...)
	foreign.requireSeen(t, "aws")

	storagetest.RunService(t, func(t *testing.T) storage.Service {
		front := httptest.NewTLSServer(answering.For(t))
		t.Cleanup(front.Close)
		service, err := s3.NewService(t.Context(), newAmazonConfig(t, front.URL), // at its own hosts, which have blocks of public access
			storage.WithRetry(storage.RetryPolicy{Attempts: 30, MaxDelay: time.Millisecond}))
		require.NoError(t, err)
		return service
	}, storagetest.WithName("s3"))
	answering.RequireAllGiven(t, amazonsRare...)
}

// Over TLS, the checksums of parts are in trailers. The role only writes: it may do all this in a bucket with
// SSE-KMS, except to read checksums. The suite's own client of signed URLs does not trust the certificate.
func TestFurtherConformanceOverTLSWithoutDecrypt(t *testing.T) {
	testserver.Further(t)
	s, answering := startAnsweringServer(t, "aws", documented.Amazon, documented.WithoutDecrypt)
	front := httptest.NewTLSServer(answering)
	t.Cleanup(front.Close)
	trustCertificate(t, front.Certificate())
	s.endpoint = front.URL
	requireConformance(t, s, func(d driver.Driver) driver.Driver {
		profiled := d.(interface {
			Profile() s3.Profile
			WithProfile(p s3.Profile) driver.Driver
		})
		p := profiled.Profile()
		p.NoSigning = true
		p.SignedForms = false
		p.SignedUploads = s3.SignedUploads{}
		return withSmallParts(profiled.WithProfile(p))
	}, append(documented.Skips(withoutChecksums), storagetest.WithName("s3"),
		storagetest.SkipRules("no request of these rules asks for a checksum by HEAD, or sends one in a trailer", "R6", "R7", "R8", "L1", "L3"))...)
}

// amazonsRare has kinds of which the suite makes fewer requests than there are answers.
var amazonsRare = []string{"POST restore", "PUT retention"}

// withoutChecksums has the cases that need the checksum of an object from HEAD.
var withoutChecksums = map[string]string{
	"a reader delivers bytes and attributes": "the attributes of the reader have the checksum, and those of Attrs do not",
	"the CRC32C is kept with the object":     "Attrs does not have it",
}

// A role that may encrypt with the bucket's KMS key, and not decrypt, can upload whole objects.
// Download, Copy and uploads in parts fail with PermissionDenied.
func TestKMSRoleWithoutDecrypt(t *testing.T) {
	s, _ := startAnsweringServer(t, "aws", nil, documented.DeniedDecrypt)
	b := engine.New(withSmallParts(s.driver(t, s.bucket(t, false))))
	ctx := t.Context()
	text := strings.Repeat("x", 3*leastPart)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
	upload := func(opts ...storage.UploadOption) error {
		_, err := b.Upload(ctx, "a", strings.NewReader(text), opts...)
		return err
	}
	require.NoError(t, upload())

	exists, err := b.Exists(ctx, "a")
	require.NoError(t, err)
	require.True(t, exists)

	attrs, err := b.Attrs(ctx, "a")
	require.NoError(t, err)
	require.Equal(t, int64(len(text)), attrs.Size)

	_, _, readErr := storage.ReadAll(ctx, b, "a")
	_, copyErr := storage.Copy(ctx, b, "b", b, "a")
	for name, err := range map[string]error{
		"Download": readErr,
		"Copy":     copyErr,
		"in parts": upload(storage.WithPartSize(leastPart)),
	} {
		require.Equal(t, storage.PermissionDenied, storage.CodeOf(err), "%s: %v", name, err)
		require.ErrorContains(t, err, "KMS key", name)
	}

	for u, err := range storage.ListUploads(ctx, b) {
		require.NoError(t, err)
		require.Fail(t, "an upload stays", u.Key)
	}
	require.NoError(t, b.Remove(ctx, "a"))
}

// If a server cannot escape a key with a control character, a listing of the whole bucket fails
// with Unsupported. A listing of a prefix without that key succeeds.
func TestListUnescapedForeignKey(t *testing.T) {
	foreign := &foreign{}
	s, _ := startAnsweringServer(t, "versitygw", nil, documented.ForeignObject(foreign.in),
		documented.VersitysListings)
	foreign.addTo(s)
	b := s.open(t, s.bucket(t, false))
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
	_, err := b.Upload(t.Context(), "photos/a", strings.NewReader("x"))
	require.NoError(t, err)

	_, err = storage.ListPage(t.Context(), b, "")
	require.Equal(t, storage.Unsupported, storage.CodeOf(err))
	require.ErrorContains(t, err, "control character")

	page, err := storage.ListPage(t.Context(), b, "", storage.WithPrefix("photos/"))
	require.NoError(t, err)
	require.Len(t, page.Entries, 1)

	for u, err := range storage.ListUploads(t.Context(), b) {
		require.NoError(t, err)
		require.True(t, documented.IsForeign(u.Key), u.Key)
	}
}

// A bucket with a default retention keeps every version for a day, and takes no write without a checksum:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html
func TestFurtherConformanceWithTransientAnswersAndADefaultRetention(t *testing.T) {
	testserver.Further(t)
	s, _ := startAnsweringServer(t, "aws", documented.Amazon)
	create := s.made
	s.retains, s.made = true, func(t *testing.T, bucket string) {
		s.retainByDefault(t, bucket)
		create(t, bucket)
	}
	requireConformance(t, s, withSmallParts, append(documented.Skips(underRetention), storagetest.WithName("s3"),
		storagetest.SkipRules("no write of these rules differs under a retention", "R6", "R7", "R8", "L1", "L3", "S3", "T1", "T2"))...)
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

// The suite passes with the transient errors that other S3 servers document.
func TestFurtherConformanceWithTransientAnswersOfKin(t *testing.T) {
	testserver.Further(t)
	tests := map[string]struct {
		answers []documented.Answer
		kinds   []documented.Kind
	}{
		"r2": {
			answers: documented.R2,
			kinds:   []documented.Kind{documented.R2Lacks, documented.R2Parts, documented.R2Conditions},
		},
		"spaces":    {answers: documented.Spaces, kinds: []documented.Kind{documented.CephsUploads}},
		"versitygw": {kinds: []documented.Kind{documented.VersitysListings}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			foreign := &foreign{}
			kinds := tt.kinds
			if name != "versitygw" { // TestListUnescapedForeignKey
				kinds = append(kinds, documented.ForeignObject(foreign.in))
			}
			s, answering := startAnsweringServer(t, name, tt.answers, kinds...)
			foreign.addTo(s)

			requireConformance(t, s, func(d driver.Driver) driver.Driver { return withoutForeign{withSmallParts(d), foreign} },
				append(documented.Skips(nil), documented.SkipCore(), storagetest.SkipRules("the answers of Amazon test the engine", "W8", "W13"), storagetest.WithName("s3"))...)
			foreign.requireSeen(t, name)
			answering.RequireAllGiven(t)
		})
	}
}

// startAnsweringServer starts a server of Amazon's rules, as an account of some kinds, behind a stand-in.
func startAnsweringServer(t *testing.T, name string, answers []documented.Answer, kinds ...documented.Kind) (*testServer, *documented.Server) {
	t.Helper()
	t.Setenv("OMNIBUCKET_SUPPORT", "") // the table has no column for it
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

// withSmallParts returns d with parts of leastPart bytes.
func withSmallParts(d driver.Driver) driver.Driver { return smallParts{d, leastPart} }

// A foreign counts what another program has, in listings.
type foreign struct {
	buckets                    sync.Map // that have it
	objects, versions, uploads atomic.Int64
}

func (f *foreign) in(bucket string) bool {
	_, has := f.buckets.Load(bucket)
	return has
}

// AddTo begins an upload of another program in each new bucket.
func (f *foreign) addTo(s *testServer) {
	create := s.made
	s.made = func(t *testing.T, bucket string) {
		f.buckets.Store(bucket, true)
		_, err := s.raw.CreateMultipartUpload(t.Context(), &awss3.CreateMultipartUploadInput{
			Bucket: &bucket,
			Key:    aws.String(documented.ForeignKey),
		})
		unreadable := new(xml.SyntaxError)
		require.ErrorAs(t, err, &unreadable, "the response has the key")
		create(t, bucket)
	}
}

// requireSeen requires that the listings of a kind of server had what is foreign. R2 has no versions.
func (f *foreign) requireSeen(t *testing.T, server string) {
	t.Helper()
	if strings.Contains(flag.Lookup("test.run").Value.String(), "/") {
		return // one case may list nothing
	}
	require.Positive(t, f.uploads.Load())
	if server != "versitygw" {
		require.Positive(t, f.objects.Load())
		require.Equal(t, server != "r2", f.versions.Load() > 0)
	}
}

// withoutForeign is a driver that lists only what the suite has made.
type withoutForeign struct {
	driver.Driver
	foreign *foreign
}

func (d withoutForeign) ListUploads(ctx context.Context, r *driver.ListUploadsRequest) (*driver.UploadPage, error) {
	page, err := d.Driver.ListUploads(ctx, r)
	if err != nil {
		return nil, err
	}
	page.Uploads = slices.DeleteFunc(page.Uploads,
		func(u storage.UploadEntry) bool { return counted(u.Key, &d.foreign.uploads) })
	return page, nil
}

func (d withoutForeign) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	page, err := d.Driver.List(ctx, r)
	if err != nil {
		return nil, err
	}
	page.Entries = slices.DeleteFunc(page.Entries,
		func(e storage.ListEntry) bool { return counted(e.Key, &d.foreign.objects) })
	return page, nil
}

func (d withoutForeign) ListVersions(ctx context.Context, r *driver.ListRequest) (*driver.VersionPage, error) {
	page, err := d.Driver.ListVersions(ctx, r)
	if err != nil {
		return nil, err
	}
	page.Entries = slices.DeleteFunc(page.Entries,
		func(e storage.VersionEntry) bool { return counted(e.Key, &d.foreign.versions) })
	return page, nil
}

// counted reports whether a key is foreign, and counts it then.
func counted(key string, count *atomic.Int64) bool {
	if documented.IsForeign(key) {
		count.Add(1)
		return true
	}
	return false
}
