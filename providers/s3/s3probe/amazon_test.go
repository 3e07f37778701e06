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

// newLockingBucket creates a bucket with object lock, and returns the Config with it.
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

func TestRunOnAmazonsRules(t *testing.T) {
	for name, acl := range map[string]bool{"without ACLs, the default": false, "with ACLs": true} {
		t.Run(name, func(t *testing.T) {
			_, c := startAmazon(t, s3server.Config{Strict: !acl})
			c = newLockingBucket(t, c)
			if acl {
				enableACLs(t, c)
			}
			profile, ok := s3.NamedProfile("unknown") // no features are known
			require.True(t, ok)
			c.Profile = &profile
			report, err := Run(t.Context(), c, "tmp/")
			require.NoError(t, err)

			t.Log(report)
			require.Equal(t, s3.Conditions{Create: true, Update: true, Complete: true, Copy: true, Remove: true}, report.Profile.Conditions)
			require.True(t, report.Profile.Tags && report.Profile.PinnedCopyParts)
			require.Equal(t, s3.LockNewBuckets, report.Profile.ObjectLock)
			require.True(t, report.Profile.KMS && report.Profile.CustomerKeys)
			require.Empty(t, report.Left)

			for _, check := range report.Checks {
				want := Enforced
				if check.Name == "a public object in a private bucket" && !acl {
					want = Refused
				} else if strings.HasPrefix(check.Name, "over TLS, a part") { // the Config has an HTTP client
					want = Inconclusive
				}
				require.Equal(t, want, check.Verdict, check.Name+": "+check.Detail)
			}
		})
	}
}

const (
	customerCheck  = "only a customer's key reads its object, over TLS"
	customerHeader = "X-Amz-Server-Side-Encryption-Customer-"

	tagsCheck    = "tags of writes, copies and their own calls"
	kmsCheck     = "an object is encrypted with a key of a KMS"
	uploadsCheck = "uploads in progress are listed"

	holdCheck = "a legal hold keeps a version, in a bucket with object lock"
)

func TestRunFindsWhatAServerDoesNotEnforce(t *testing.T) {
	raceOnce(t) // none of the rows is about races
	rows := map[string]struct {
		rule    s3server.Fault
		check   string
		verdict Verdict
		lost    func(p s3.Profile) bool
	}{
		"create-only ignored": {
			rule:    s3server.Fault{Operation: "PutObject", Ignore: []string{"If-None-Match"}},
			check:   "create-only on Put",
			verdict: Ignored,
			lost:    func(p s3.Profile) bool { return !p.Conditions.Create && p.Conditions.Update },
		},
		"compare-and-swap ignored": {
			rule:    s3server.Fault{Operation: "PutObject", Ignore: []string{"If-Match"}},
			check:   "compare-and-swap on Put",
			verdict: Ignored,
			lost:    func(p s3.Profile) bool { return !p.Conditions.Update && p.Conditions.Create },
		},
		"create-only refused": {
			rule:    s3server.Fault{Operation: "PutObject", Error: "NotImplemented", Skip: 10},
			check:   "create-only on Put",
			verdict: Refused,
			lost:    func(p s3.Profile) bool { return !p.Conditions.Create },
		},
		"conditions of CompleteMultipartUpload ignored": {
			rule:    s3server.Fault{Operation: "CompleteMultipartUpload", Ignore: []string{"If-Match"}},
			check:   "both on completing a multipart upload",
			verdict: Ignored,
			lost:    func(p s3.Profile) bool { return !p.Conditions.Complete },
		},
		"creates of CompleteMultipartUpload ignored": {
			rule:    s3server.Fault{Operation: "CompleteMultipartUpload", Ignore: []string{"If-None-Match"}},
			check:   "an upload whose completion was refused stays",
			verdict: Enforced,
			lost:    func(p s3.Profile) bool { return !p.RefusalAborts && !p.Conditions.Complete },
		},
		"conditions of deletes ignored": {
			rule:    s3server.Fault{Operation: "DeleteObject", Ignore: []string{"If-Match"}},
			check:   "a conditional delete",
			verdict: Ignored,
			lost:    func(p s3.Profile) bool { return !p.Conditions.Remove },
		},
		"conditions of copies ignored": {
			rule:    s3server.Fault{Operation: "CopyObject", Ignore: []string{"If-None-Match"}},
			check:   "create-only and compare-and-swap on a copy",
			verdict: Ignored,
			lost:    func(p s3.Profile) bool { return !p.Conditions.Copy && p.Copy },
		},
		"checksums ignored": {
			rule:    s3server.Fault{Operation: "PutObject", Ignore: []string{"X-Amz-Checksum-Crc32c"}},
			check:   "a body that does not match its CRC32C is refused",
			verdict: Ignored,
			lost:    func(p s3.Profile) bool { return p.Checksum == s3.ChecksumNone && !p.ContentMD5 },
		},
		"no listing of uploads": {
			rule:    s3server.Fault{Operation: "ListMultipartUploads", Error: "NotImplemented"},
			check:   uploadsCheck,
			verdict: Refused,
			lost:    func(p s3.Profile) bool { return p.HidesUploads },
		},
		"no copies": {
			rule:    s3server.Fault{Operation: "CopyObject", Error: "NotImplemented"},
			check:   "a server-side copy",
			verdict: Refused,
			lost:    func(p s3.Profile) bool { return !p.Copy },
		},
		"no copied parts": {
			rule:    s3server.Fault{Operation: "UploadPartCopy", Error: "NotImplemented"},
			check:   "a part copied from an object",
			verdict: Refused,
			lost:    func(p s3.Profile) bool { return !p.CopyParts },
		},
		"other revisions of copied parts": {
			rule: s3server.Fault{
				Operation: "UploadPartCopy",
				Ignore:    []string{"X-Amz-Copy-Source-If-Match"},
			},
			check:   "a copied part is of the revision that it names",
			verdict: Ignored,
			lost:    func(p s3.Profile) bool { return !p.PinnedCopyParts && p.CopyParts },
		},
		"no batches": {
			rule:    s3server.Fault{Operation: "DeleteObjects", Error: "NotImplemented"},
			check:   "a batch delete",
			verdict: Refused,
			lost:    func(p s3.Profile) bool { return p.Batch == s3.BatchNone },
		},
		"no forms": {
			rule:    s3server.Fault{Operation: "PostObject", Error: "NotImplemented"},
			check:   "a form enforces its sizes and type",
			verdict: Inconclusive,
			lost:    func(p s3.Profile) bool { return !p.SignedForms },
		},
		"tags ignored": {
			rule:    s3server.Fault{Operation: "PutObject", Ignore: []string{"X-Amz-Tagging"}},
			check:   tagsCheck,
			verdict: Ignored,
			lost:    func(p s3.Profile) bool { return !p.Tags },
		},
		"tags of uploads ignored": {
			rule:    s3server.Fault{Operation: "CreateMultipartUpload", Ignore: []string{"X-Amz-Tagging"}},
			check:   tagsCheck,
			verdict: Ignored,
			lost:    func(p s3.Profile) bool { return !p.Tags },
		},
		"other tags of copies ignored": {
			rule:    s3server.Fault{Operation: "CopyObject", Ignore: []string{"X-Amz-Tagging-Directive"}},
			check:   tagsCheck,
			verdict: Ignored,
			lost:    func(p s3.Profile) bool { return !p.Tags },
		},
		"the number of tags not told": {
			rule:    s3server.Fault{Operation: "HeadObject", Hide: []string{"X-Amz-Tagging-Count"}},
			check:   tagsCheck,
			verdict: Ignored,
			lost:    func(p s3.Profile) bool { return !p.Tags },
		},
		"no tags": {
			rule:    s3server.Fault{Operation: "PutObjectTagging", Error: "NotImplemented"},
			check:   tagsCheck,
			verdict: Refused,
			lost:    func(p s3.Profile) bool { return !p.Tags },
		},
		"a hold ignored": {
			rule:    s3server.Fault{Operation: "PutObject", Ignore: []string{"X-Amz-Object-Lock-Legal-Hold"}},
			check:   holdCheck,
			verdict: Ignored,
			lost:    func(p s3.Profile) bool { return p.ObjectLock == s3.LockNone },
		},
		"a bucket without object lock": {
			rule:    s3server.Fault{Operation: "PutObject", Key: "none"},
			check:   holdCheck,
			verdict: Refused,
			lost:    func(p s3.Profile) bool { return p.ObjectLock == s3.LockNone },
		},
		"SSE-KMS ignored": {
			rule: s3server.Fault{
				Operation: "PutObject",
				Ignore:    []string{"X-Amz-Server-Side-Encryption", "X-Amz-Server-Side-Encryption-Context"},
			},
			check:   kmsCheck,
			verdict: Ignored,
			lost:    func(p s3.Profile) bool { return !p.KMS },
		},
		"SSE-C ignored": {
			rule: s3server.Fault{
				Operation: "PutObject",
				Ignore: []string{
					customerHeader + "Algorithm",
					customerHeader + "Key",
					customerHeader + "Key-Md5",
				},
			},
			check:   customerCheck,
			verdict: Ignored,
			lost:    func(p s3.Profile) bool { return !p.CustomerKeys },
		},
		"a server that is busy once": {
			rule:    s3server.Fault{Operation: "CopyObject", Error: "SlowDown", Times: 1},
			check:   "a server-side copy",
			verdict: Enforced,
			lost:    func(p s3.Profile) bool { return p.Copy },
		},
	}
	for i, name := range slices.Sorted(maps.Keys(rows)) {
		if i%testserver.Sample(4, 1) != 0 {
			continue
		}
		test := rows[name]
		t.Run(name, func(t *testing.T) {
			server, c := startAmazon(t, s3server.Config{Strict: true, Buckets: []string{"photos"}})
			c.Bucket = "photos"
			if name == "a hold ignored" {
				c.Bucket = ""
				c = newLockingBucket(t, c)
			}
			server.Inject(test.rule)
			report, err := Run(t.Context(), c, "")
			require.NoError(t, err)
			ok := false

			for _, check := range report.Checks {
				if check.Name == test.check {
					ok = true
					require.Equal(t, test.verdict, check.Verdict, report)
				}
			}
			require.True(t, ok, report)
			require.True(t, test.lost(report.Profile), "%+v", report.Profile)
		})
	}
}

func TestRunFindsThatARefusalAbortsAnUpload(t *testing.T) {
	raceOnce(t)
	server, err := s3server.Start(s3server.Config{Buckets: []string{"photos"}})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	front := httptest.NewServer(documented.Like(server, documented.R2Conditions))
	t.Cleanup(front.Close)
	profile, _ := s3.NamedProfile("r2") // whose driver would not send a false condition

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

// If Run fails and cannot remove its objects, the error names their prefix.
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

// Run removes all pages of its objects, even if the server cannot list versions.
func TestRunRemovesAllPagesOfWhatItWrote(t *testing.T) {
	server, c := startAmazon(t, s3server.Config{
		Strict:  true,
		Buckets: []string{"photos"},
		Limits:  s3server.Limits{MaxPage: 20},
	})
	server.Inject(s3server.Fault{Operation: "ListObjectVersions", Error: "NotImplemented"})
	c.Bucket = "photos"
	profile, ok := s3.NamedProfile("unknown")
	require.True(t, ok)
	profile.Versioning = false
	c.Profile = &profile

	report, err := Run(t.Context(), c, "tmp/")
	require.NoError(t, err)
	require.Empty(t, report.Left)

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
