package s3_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/providers/s3/s3probe"
)

// probeResults has what s3probe must find out about each server if the Config has no profile.
var probeResults = map[string]struct {
	conditions s3.Conditions
	ignored    []string // the checks whose request the server ignores
}{
	"minio": {
		conditions: s3.Conditions{Create: true, Update: true, Complete: true},
		ignored: []string{
			"a listing accepts a delimiter other than a slash",
			"uploads in progress are listed",
			"a full last page of a listing names no next page",
			"create-only and compare-and-swap on a copy",
			"a conditional delete",
			"a public object in a private bucket",
			"a key that begins with a slash is another key",
		},
	},
	"versitygw": {
		conditions: s3.Conditions{Create: true, Update: true, Complete: true},
		ignored: []string{
			"a full last page of a listing names no next page",
			"an object is encrypted with a key of a KMS",
			"create-only and compare-and-swap on a copy",
			"a conditional delete",
			"a public object in a private bucket",
			"a key that begins with a slash is another key",
		},
	},
}

// The probe finds out what MinIO and versitygw enforce and leaves nothing behind. A bucket that is
// opened with the probed profile has the features that were found.
func TestProbe(t *testing.T) {
	for _, name := range serverNames {
		t.Run(name, func(t *testing.T) {
			const isVersioned = false
			testProbe(t, name, isVersioned)
		})
	}

	// Only MinIO is probed with versions. If versitygw gets a removal and a write at the same time,
	// it keeps versions that it lists but cannot remove.
	t.Run("minio, versioned", func(t *testing.T) {
		const isVersioned = true
		testProbe(t, "minio", isVersioned)
	})
}

// testProbe checks the report of a probe of a server, and that the probe leaves nothing behind.
func testProbe(t *testing.T, name string, versioned bool) {
	server := needServer(t, name)
	c := server.config(t, server.bucket(t, versioned))
	c.Profile = nil // no features are known
	report, err := s3probe.Run(t.Context(), c, "tmp/")
	require.NoError(t, err)
	t.Log(report)

	// The report names the server, and its profile has what the server enforces.
	want := probeResults[name]
	got := report.Profile
	profile, _ := s3.NamedProfile(name)
	require.Equal(t, name, report.Answers)
	require.Equal(t, want.conditions, got.Conditions)
	require.Equal(t, s3.ChecksumFullObject, got.Checksum)
	require.True(t, got.OrderedListing)
	require.Equal(t, profile.SlashDelimiter, got.SlashDelimiter)
	require.Equal(t, profile.TokenAfterLast, got.TokenAfterLast)
	require.Equal(t, profile.HidesUploads, got.HidesUploads)
	require.Equal(t, profile.SignedUploads, got.SignedUploads)
	require.True(t, got.Copy)
	require.True(t, got.CopyParts)
	require.True(t, got.SignedForms)
	require.NotEqual(t, s3.BatchNone, got.Batch)
	require.Equal(t, profile.KMS, got.KMS)
	require.False(t, got.CustomerKeys, "a server without TLS must have no customer keys")

	// The report has each check.
	var ignored []string
	for _, check := range report.Checks {
		require.Contains(t, report.String(), check.Name)
		if check.Verdict == s3probe.Ignored {
			ignored = append(ignored, check.Name)
		}
	}
	require.ElementsMatch(t, want.ignored, ignored)

	// Nothing is left in the bucket.
	require.Empty(t, report.Left)
	page, err := server.raw.ListObjectVersions(t.Context(), &awss3.ListObjectVersionsInput{Bucket: &c.Bucket})
	require.NoError(t, err)
	require.Empty(t, page.Versions)
	require.Empty(t, page.DeleteMarkers)
	uploads, err := server.raw.ListMultipartUploads(t.Context(),
		&awss3.ListMultipartUploadsInput{Bucket: &c.Bucket})
	require.NoError(t, err)
	require.Empty(t, uploads.Uploads)

	// A bucket with the profile has the features.
	c.Profile = &report.Profile
	b, err := s3.Open(t.Context(), c)
	require.NoError(t, err)
	require.True(t, storage.Supports(b, storage.ConditionalCreate|storage.ConditionalUpdate))
	require.Equal(t, want.conditions.Remove, storage.Supports(b, storage.ConditionalRemove))
	_, err = b.Upload(t.Context(), "a", strings.NewReader("x"), storage.IfAbsent())
	require.NoError(t, err)
	_, err = b.Upload(t.Context(), "a", strings.NewReader("y"), storage.IfAbsent())
	require.ErrorIs(t, err, storage.PreconditionFailed)
}

// A probe fails with the reason if it cannot write to the bucket.
func TestProbeUnwritableBucket(t *testing.T) {
	s := needServer(t, "minio")
	c := s.config(t, "omnibucket-never-made")
	_, err := s3probe.Run(t.Context(), c, "")
	require.Equal(t, storage.BucketNotFound, storage.CodeOf(err), "%v", err)

	c.SecretKey = "wrong" // checked before the bucket
	_, err = s3probe.Run(t.Context(), c, "")
	require.Equal(t, storage.Unauthenticated, storage.CodeOf(err), "%v", err)
}

// A cancelAt is a transport that counts requests, and cancels a context at a given one.
type cancelAt struct {
	left   atomic.Int64 // requests until then
	cancel context.CancelFunc
}

// RoundTrip sends the request. If it is the given one, RoundTrip cancels the context first.
func (c *cancelAt) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.left.Add(-1) == 0 {
		c.cancel()
	}
	return withoutKeepAlive().Transport.RoundTrip(r)
}

// Run probes what a server can do. If its context is canceled, it still removes the objects that it
// has written.
func TestProbeCanceled(t *testing.T) {
	s := needServer(t, "minio")
	c := s.config(t, s.bucket(t, false))

	// The numbers count requests: each probe is canceled at the request with one of these numbers.
	for _, requests := range []int64{1, 3, 20, 45} {
		ctx, cancel := context.WithCancel(t.Context())
		canceler := &cancelAt{cancel: cancel}
		canceler.left.Store(requests)
		c.HTTPClient = &http.Client{Transport: canceler}

		_, err := s3probe.Run(ctx, c, "tmp/")
		require.Error(t, err)
		cancel() // The transport has called it already, but vet does not know that.

		page, err := s.raw.ListObjectsV2(t.Context(), &awss3.ListObjectsV2Input{Bucket: &c.Bucket})
		require.NoError(t, err)
		require.Empty(t, page.Contents, "after %d requests", requests)
	}
}
