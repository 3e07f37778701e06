package s3probe

import (
	"context"
	"crypto/tls"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/providers/internal/testing/documented"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
)

// startAmazon starts our server, which is as strict as Amazon's documents, and returns a
// Config whose client reaches it at every host name.
func startAmazon(t *testing.T, c s3server.Config) (*s3server.Server, s3.Config) {
	t.Helper()
	c.TLS = &tls.Config{}
	server, err := s3server.Start(c)
	require.NoError(t, err)
	t.Cleanup(server.Close)
	transport := &http.Transport{
		MaxIdleConnsPerHost: racers,                                // a handshake costs more than the requests of a race
		TLSClientConfig:     &tls.Config{InsecureSkipVerify: true}, // its certificate does not name Amazon's hosts
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, strings.TrimPrefix(server.URL, "https://"))
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return server, s3.Config{
		Region:      s3server.DefaultRegion,
		AccessKeyID: s3server.DefaultAccessKeyID,
		SecretKey:   s3server.DefaultSecretKey,
		HTTPClient:  &http.Client{Transport: transport},
	}
}

// newLockingBucket creates a bucket with object lock, and returns c with the name of this bucket.
func newLockingBucket(t *testing.T, c s3.Config) s3.Config {
	t.Helper()
	service, err := s3.NewService(t.Context(), c)
	require.NoError(t, err)
	c.Bucket = "locking"
	_, err = service.CreateBucket(t.Context(), c.Bucket, storage.WithObjectLock())
	require.NoError(t, err)
	return c
}

// enableACLs lets the bucket accept access control lists, which a new bucket refuses.
func enableACLs(t *testing.T, c s3.Config) {
	t.Helper()
	b, err := s3.Open(t.Context(), c)
	require.NoError(t, err)
	client, ok := storage.As[*awss3.Client](b)
	require.True(t, ok)
	_, err = client.PutBucketOwnershipControls(t.Context(), &awss3.PutBucketOwnershipControlsInput{
		Bucket: &c.Bucket,
		OwnershipControls: &types.OwnershipControls{
			Rules: []types.OwnershipControlsRule{{ObjectOwnership: types.ObjectOwnershipObjectWriter}},
		},
	})
	require.NoError(t, err)
	require.NoError(t, storage.Close(b))
}

// raceOnce makes each race of a run happen once, so that a run has a fifth of the requests.
func raceOnce(t *testing.T) {
	t.Helper()
	writes := writeRaces
	deletes := deleteRaces
	writeRaces = 1
	deleteRaces = 1
	t.Cleanup(func() {
		writeRaces = writes
		deleteRaces = deletes
	})
}

// Run finds every feature of a server that follows Amazon's documents.
func TestRunOnAmazonsRules(t *testing.T) {
	tests := []struct {
		name    string
		hasACLs bool // the bucket accepts access control lists
	}{
		{name: "without ACLs, the default"},
		{name: "with ACLs", hasACLs: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, c := startAmazon(t, s3server.Config{Strict: !tt.hasACLs})
			c = newLockingBucket(t, c)
			if tt.hasACLs {
				enableACLs(t, c)
			}

			// The profile has no known feature, so Run must find all features.
			profile, ok := s3.NamedProfile("unknown")
			require.True(t, ok)
			c.Profile = &profile

			report, err := Run(t.Context(), c, "tmp/")
			require.NoError(t, err)
			t.Log(report)

			found := report.Profile
			allConditions := s3.Conditions{Create: true, Update: true, Complete: true, Copy: true, Remove: true}
			require.Equal(t, allConditions, found.Conditions)
			require.True(t, found.Tags)
			require.True(t, found.PinnedCopyParts)
			require.Equal(t, s3.LockNewBuckets, found.ObjectLock)
			require.True(t, found.KMS)
			require.True(t, found.CustomerKeys)
			require.Empty(t, report.Left, "all objects of the probe must be removed")

			// All checks pass, except for those that the configuration leaves out.
			for _, check := range report.Checks {
				want := Enforced
				if check.Name == "a public object in a private bucket" && !tt.hasACLs {
					want = Refused
				}
				// The Config has an HTTP client, so these checks are left out.
				if strings.HasPrefix(check.Name, "over TLS, a part") {
					want = Inconclusive
				}
				require.Equal(t, want, check.Verdict, check.Name+": "+check.Detail)
			}
		})
	}
}

// These constants are names of checks.
const (
	customerCheck = "only a customer's key reads its object, over TLS"
	tagsCheck     = "tags of writes, copies and their own calls"
	kmsCheck      = "an object is encrypted with a key of a KMS"
	holdCheck     = "a legal hold keeps a version, in a bucket with object lock"
)

// The names of the headers with a customer's key begin with customerHeader.
const customerHeader = "X-Amz-Server-Side-Encryption-Customer-"

// Run finds each fault of a server. In the profile, it clears only the feature that has the fault.
func TestRunFindsWhatAServerDoesNotEnforce(t *testing.T) {
	raceOnce(t) // which makes Run quicker, because none of the rows is about races

	tests := map[string]struct {
		fault       s3server.Fault
		isLocking   bool                    // the bucket has object lock
		check       string                  // the name of the check in the report that finds the fault
		wantVerdict Verdict                 // of the check
		isExpected  func(p s3.Profile) bool // whether the features in the profile fit the fault
	}{
		"create-only ignored": {
			fault:       s3server.Fault{Operation: "PutObject", Ignore: []string{"If-None-Match"}},
			check:       "create-only on Put",
			wantVerdict: Ignored,
			isExpected:  func(p s3.Profile) bool { return !p.Conditions.Create && p.Conditions.Update },
		},
		"compare-and-swap ignored": {
			fault:       s3server.Fault{Operation: "PutObject", Ignore: []string{"If-Match"}},
			check:       "compare-and-swap on Put",
			wantVerdict: Ignored,
			isExpected:  func(p s3.Profile) bool { return !p.Conditions.Update && p.Conditions.Create },
		},
		"create-only refused": {
			fault:       s3server.Fault{Operation: "PutObject", Error: "NotImplemented", Skip: 10},
			check:       "create-only on Put",
			wantVerdict: Refused,
			isExpected:  func(p s3.Profile) bool { return !p.Conditions.Create },
		},
		"conditions of CompleteMultipartUpload ignored": {
			fault:       s3server.Fault{Operation: "CompleteMultipartUpload", Ignore: []string{"If-Match"}},
			check:       "both on completing a multipart upload",
			wantVerdict: Ignored,
			isExpected:  func(p s3.Profile) bool { return !p.Conditions.Complete },
		},
		"creates of CompleteMultipartUpload ignored": {
			fault:       s3server.Fault{Operation: "CompleteMultipartUpload", Ignore: []string{"If-None-Match"}},
			check:       "an upload whose completion was refused stays",
			wantVerdict: Enforced,
			isExpected:  func(p s3.Profile) bool { return !p.RefusalAborts && !p.Conditions.Complete },
		},
		"conditions of deletes ignored": {
			fault:       s3server.Fault{Operation: "DeleteObject", Ignore: []string{"If-Match"}},
			check:       "a conditional delete",
			wantVerdict: Ignored,
			isExpected:  func(p s3.Profile) bool { return !p.Conditions.Remove },
		},
		"conditions of copies ignored": {
			fault:       s3server.Fault{Operation: "CopyObject", Ignore: []string{"If-None-Match"}},
			check:       "create-only and compare-and-swap on a copy",
			wantVerdict: Ignored,
			isExpected:  func(p s3.Profile) bool { return !p.Conditions.Copy && p.Copy },
		},
		"checksums ignored": {
			fault:       s3server.Fault{Operation: "PutObject", Ignore: []string{"X-Amz-Checksum-Crc32c"}},
			check:       "a body that does not match its CRC32C is refused",
			wantVerdict: Ignored,
			isExpected:  func(p s3.Profile) bool { return p.Checksum == s3.ChecksumNone && !p.ContentMD5 },
		},
		"no listing of uploads": {
			fault:       s3server.Fault{Operation: "ListMultipartUploads", Error: "NotImplemented"},
			check:       "uploads in progress are listed",
			wantVerdict: Refused,
			isExpected:  func(p s3.Profile) bool { return p.HidesUploads },
		},
		"no copies": {
			fault:       s3server.Fault{Operation: "CopyObject", Error: "NotImplemented"},
			check:       "a server-side copy",
			wantVerdict: Refused,
			isExpected:  func(p s3.Profile) bool { return !p.Copy },
		},
		"no copied parts": {
			fault:       s3server.Fault{Operation: "UploadPartCopy", Error: "NotImplemented"},
			check:       "a part copied from an object",
			wantVerdict: Refused,
			isExpected:  func(p s3.Profile) bool { return !p.CopyParts },
		},
		"other revisions of copied parts": {
			fault: s3server.Fault{
				Operation: "UploadPartCopy",
				Ignore:    []string{"X-Amz-Copy-Source-If-Match"},
			},
			check:       "a copied part is of the revision that it names",
			wantVerdict: Ignored,
			isExpected:  func(p s3.Profile) bool { return !p.PinnedCopyParts && p.CopyParts },
		},
		"no batches": {
			fault:       s3server.Fault{Operation: "DeleteObjects", Error: "NotImplemented"},
			check:       "a batch delete",
			wantVerdict: Refused,
			isExpected:  func(p s3.Profile) bool { return p.Batch == s3.BatchNone },
		},
		"no forms": {
			fault:       s3server.Fault{Operation: "PostObject", Error: "NotImplemented"},
			check:       "a form enforces its sizes and type",
			wantVerdict: Inconclusive,
			isExpected:  func(p s3.Profile) bool { return !p.SignedForms },
		},
		"tags ignored": {
			fault:       s3server.Fault{Operation: "PutObject", Ignore: []string{"X-Amz-Tagging"}},
			check:       tagsCheck,
			wantVerdict: Ignored,
			isExpected:  func(p s3.Profile) bool { return !p.Tags },
		},
		"tags of uploads ignored": {
			fault:       s3server.Fault{Operation: "CreateMultipartUpload", Ignore: []string{"X-Amz-Tagging"}},
			check:       tagsCheck,
			wantVerdict: Ignored,
			isExpected:  func(p s3.Profile) bool { return !p.Tags },
		},
		"other tags of copies ignored": {
			fault:       s3server.Fault{Operation: "CopyObject", Ignore: []string{"X-Amz-Tagging-Directive"}},
			check:       tagsCheck,
			wantVerdict: Ignored,
			isExpected:  func(p s3.Profile) bool { return !p.Tags },
		},
		"the number of tags not told": {
			fault:       s3server.Fault{Operation: "HeadObject", Hide: []string{"X-Amz-Tagging-Count"}},
			check:       tagsCheck,
			wantVerdict: Ignored,
			isExpected:  func(p s3.Profile) bool { return !p.Tags },
		},
		"no tags": {
			fault:       s3server.Fault{Operation: "PutObjectTagging", Error: "NotImplemented"},
			check:       tagsCheck,
			wantVerdict: Refused,
			isExpected:  func(p s3.Profile) bool { return !p.Tags },
		},
		"a hold ignored": {
			isLocking:   true,
			fault:       s3server.Fault{Operation: "PutObject", Ignore: []string{"X-Amz-Object-Lock-Legal-Hold"}},
			check:       holdCheck,
			wantVerdict: Ignored,
			isExpected:  func(p s3.Profile) bool { return p.ObjectLock == s3.LockNone },
		},
		"a bucket without object lock": {
			fault:       s3server.Fault{Operation: "PutObject", Key: "none"},
			check:       holdCheck,
			wantVerdict: Refused,
			isExpected:  func(p s3.Profile) bool { return p.ObjectLock == s3.LockNone },
		},
		"SSE-KMS ignored": {
			fault: s3server.Fault{
				Operation: "PutObject",
				Ignore:    []string{"X-Amz-Server-Side-Encryption", "X-Amz-Server-Side-Encryption-Context"},
			},
			check:       kmsCheck,
			wantVerdict: Ignored,
			isExpected:  func(p s3.Profile) bool { return !p.KMS },
		},
		"SSE-C ignored": {
			fault: s3server.Fault{
				Operation: "PutObject",
				Ignore: []string{
					customerHeader + "Algorithm",
					customerHeader + "Key",
					customerHeader + "Key-Md5",
				},
			},
			check:       customerCheck,
			wantVerdict: Ignored,
			isExpected:  func(p s3.Profile) bool { return !p.CustomerKeys },
		},
		"a server that is busy once": {
			fault:       s3server.Fault{Operation: "CopyObject", Error: "SlowDown", Times: 1},
			check:       "a server-side copy",
			wantVerdict: Enforced,
			isExpected:  func(p s3.Profile) bool { return p.Copy },
		},
	}
	sampleStep := testserver.Sample(4, 1) // only each fourth case runs in a short run
	for i, name := range slices.Sorted(maps.Keys(tests)) {
		if i%sampleStep != 0 {
			continue
		}
		tt := tests[name]
		t.Run(name, func(t *testing.T) {
			server, c := startAmazon(t, s3server.Config{Strict: true, Buckets: []string{"photos"}})
			if tt.isLocking {
				c = newLockingBucket(t, c)
			} else {
				c.Bucket = "photos"
			}
			server.Inject(tt.fault)

			report, err := Run(t.Context(), c, "")
			require.NoError(t, err)

			i := slices.IndexFunc(report.Checks, func(check Check) bool { return check.Name == tt.check })
			require.NotEqual(t, -1, i, report)
			require.Equal(t, tt.wantVerdict, report.Checks[i].Verdict, report)
			require.True(t, tt.isExpected(report.Profile), "%+v", report.Profile)
		})
	}
}

// Run finds out that a server aborts an upload whose completion it refuses, as R2 does.
func TestRunFindsThatARefusalAbortsAnUpload(t *testing.T) {
	raceOnce(t)
	server, err := s3server.Start(s3server.Config{Buckets: []string{"photos"}})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	front := httptest.NewServer(documented.Like(server, documented.R2Conditions))
	t.Cleanup(front.Close)
	// With this profile, the driver itself checks a condition first, and sends no request if it
	// does not hold. Run must turn this check off.
	profile, _ := s3.NamedProfile("r2")

	report, err := Run(t.Context(), s3.Config{
		Bucket:      "photos",
		Endpoint:    front.URL,
		AccessKeyID: s3server.DefaultAccessKeyID,
		SecretKey:   s3server.DefaultSecretKey,
		Profile:     &profile,
	}, "tmp/")
	require.NoError(t, err)
	require.True(t, report.Profile.Conditions.Complete, "%v", report)
	require.True(t, report.Profile.RefusalAborts)
	require.Empty(t, report.Left)
}

// The error of Run names the prefix of the objects that it could not remove.
func TestRunThatFailsNamesWhatItLeft(t *testing.T) {
	server, c := startAmazon(t, s3server.Config{Strict: true, Buckets: []string{"photos"}})
	c.Bucket = "photos"
	for _, operation := range []string{"GetObject", "ListObjectsV2", "DeleteObject"} {
		server.Inject(s3server.Fault{Operation: operation, Error: "AccessDenied"})
	}

	report, err := Run(t.Context(), c, "tmp/")
	require.Nil(t, report)
	require.ErrorIs(t, err, storage.PermissionDenied)
	require.ErrorContains(t, err, `see the objects under "tmp/probe-`)
}

// The report names the prefix of the objects that Run could not remove.
func TestRunReportsWhatItCouldNotRemove(t *testing.T) {
	raceOnce(t)
	server, c := startAmazon(t, s3server.Config{Strict: true, Buckets: []string{"photos"}})
	c.Bucket = "photos"
	server.Inject(s3server.Fault{Operation: "DeleteObject", Error: "AccessDenied"})

	report, err := Run(t.Context(), c, "tmp/")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(report.Left, "tmp/probe-"), report.Left)
	require.Contains(t, report.String(), report.Left)
}

// Run removes all objects that it has written, even if the server cannot list versions and lists objects in
// several pages.
func TestRunRemovesAllPagesOfWhatItWrote(t *testing.T) {
	server, c := startAmazon(t, s3server.Config{
		Strict:  true,
		Buckets: []string{"photos"},
		Limits:  s3server.Limits{MaxPage: 20},
	})

	// Without a listing of versions, Run must find its objects by listings in pages of 20.
	server.Inject(s3server.Fault{Operation: "ListObjectVersions", Error: "NotImplemented"})
	c.Bucket = "photos"

	profile, ok := s3.NamedProfile("unknown")
	require.True(t, ok)
	profile.Versioning = false
	c.Profile = &profile

	report, err := Run(t.Context(), c, "tmp/")
	require.NoError(t, err)
	require.Empty(t, report.Left)

	// Nothing is left in the bucket.
	b, err := s3.Open(t.Context(), c)
	require.NoError(t, err)
	defer func() {
		require.NoError(t, storage.Close(b))
	}()
	for entry, err := range b.List(t.Context()) {
		require.NoError(t, err)
		t.Errorf("%s was left", entry.Key)
	}
}
