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

// probeResults has what s3probe must find about each server, without a profile.
var probeResults = map[string]struct {
	conditions s3.Conditions
	ignored    []string // the checks whose request the server ignores
}{
	"minio": {
		s3.Conditions{Create: true, Update: true, Complete: true},
		[]string{
			"a listing accepts a delimiter other than a slash", "uploads in progress are listed", "a full last page of a listing names no next page",
			"create-only and compare-and-swap on a copy", "a conditional delete", "a public object in a private bucket",
			"a key that begins with a slash is another key",
		},
	},
	"versitygw": {
		s3.Conditions{Create: true, Update: true, Complete: true},
		[]string{
			"a full last page of a listing names no next page", "an object is encrypted with a key of a KMS",
			"create-only and compare-and-swap on a copy", "a conditional delete", "a public object in a private bucket",
			"a key that begins with a slash is another key",
		},
	},
}

func TestProbe(t *testing.T) {
	for _, name := range serverNames {
		for _, versioned := range []bool{false, true} {
			if name == "versitygw" && versioned {
				continue // a simultaneous delete and write leave versions that it lists and cannot remove
			}
			t.Run(name+map[bool]string{true: ", versioned"}[versioned], func(t *testing.T) {
				s := needServer(t, name)
				c := s.config(t, s.bucket(t, versioned))
				c.Profile = nil // no features are known
				report, err := s3probe.Run(t.Context(), c, "tmp/")
				require.NoError(t, err)

				t.Log(report)
				require.Equal(t, name, report.Answers)
				want := probeResults[name]
				require.Equal(t, want.conditions, report.Profile.Conditions)
				require.Equal(t, s3.ChecksumFullObject, report.Profile.Checksum)

				profile, _ := s3.NamedProfile(name)
				require.True(t, report.Profile.OrderedListing)
				require.Equal(t, profile.SlashDelimiter, report.Profile.SlashDelimiter)
				require.Equal(t, profile.TokenAfterLast, report.Profile.TokenAfterLast)
				require.Equal(t, profile.HidesUploads, report.Profile.HidesUploads)
				require.Equal(t, profile.SignedUploads, report.Profile.SignedUploads)
				require.True(t, report.Profile.Copy && report.Profile.CopyParts && report.Profile.SignedForms)
				require.NotEqual(t, s3.BatchNone, report.Profile.Batch)
				require.Equal(t, profile.KMS, report.Profile.KMS)
				require.False(t, report.Profile.CustomerKeys, "the server has no TLS here")

				var ignored []string
				for _, check := range report.Checks {
					require.Contains(t, report.String(), check.Name)
					if check.Verdict == s3probe.Ignored {
						ignored = append(ignored, check.Name)
					}
				}
				require.ElementsMatch(t, want.ignored, ignored)
				require.Empty(t, report.Left)

				page, err := s.raw.ListObjectVersions(t.Context(),
					&awss3.ListObjectVersionsInput{Bucket: &c.Bucket})
				require.NoError(t, err)
				require.Empty(t, page.Versions)
				require.Empty(t, page.DeleteMarkers)
				uploads, err := s.raw.ListMultipartUploads(t.Context(),
					&awss3.ListMultipartUploadsInput{Bucket: &c.Bucket})
				require.NoError(t, err)
				require.Empty(t, uploads.Uploads)

				c.Profile = &report.Profile
				b, err := s3.Open(t.Context(), c)
				require.NoError(t, err)
				require.True(t, storage.Supports(b, storage.ConditionalCreate|storage.ConditionalUpdate))
				require.Equal(t, want.conditions.Remove, storage.Supports(b, storage.ConditionalRemove))

				_, err = b.Upload(t.Context(), "a", strings.NewReader("x"), storage.IfAbsent())
				require.NoError(t, err)
				_, err = b.Upload(t.Context(), "a", strings.NewReader("y"), storage.IfAbsent())
				require.ErrorIs(t, err, storage.PreconditionFailed)
			})
		}
	}
}

// A probe of a bucket that cannot be written fails with the reason.
func TestProbeUnwritableBucket(t *testing.T) {
	s := needServer(t, "minio")
	c := s.config(t, "omnibucket-never-made")
	_, err := s3probe.Run(t.Context(), c, "")
	require.Equal(t, storage.BucketNotFound, storage.CodeOf(err), "%v", err)
	c.SecretKey = "wrong"
	_, err = s3probe.Run(t.Context(), c, "")
	require.Equal(t, storage.Unauthenticated, storage.CodeOf(err), "%v", err)
}

// cancelAt is a transport that cancels a context at the n-th request.
type cancelAt struct {
	left   atomic.Int64
	cancel context.CancelFunc
}

func (c *cancelAt) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.left.Add(-1) == 0 {
		c.cancel()
	}
	return withoutKeepAlive().Transport.RoundTrip(r)
}

// A canceled probe leaves no objects behind.
func TestProbeCanceled(t *testing.T) {
	s := needServer(t, "minio")
	c := s.config(t, s.bucket(t, false))
	for _, n := range []int64{1, 3, 20, 45} {
		ctx, cancel := context.WithCancel(t.Context())
		canceler := &cancelAt{cancel: cancel}
		canceler.left.Store(n)
		c.HTTPClient = &http.Client{Transport: canceler}

		_, err := s3probe.Run(ctx, c, "tmp/")
		require.Error(t, err)
		cancel()
		page, err := s.raw.ListObjectsV2(t.Context(), &awss3.ListObjectsV2Input{Bucket: &c.Bucket})
		require.NoError(t, err)
		require.Empty(t, page.Contents, "after %d requests", n)
	}
}
