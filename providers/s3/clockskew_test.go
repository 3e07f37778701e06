package s3

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/s3/internal/s3error"
	"github.com/omnibucket/storage/providers/s3/internal/serverclock"
	"github.com/omnibucket/storage/providers/s3/internal/signature"
)

// If the server names the bucket's region and the request used another one, the hint tells which
// region to set. If the region was right, the error has another reason, and another hint.
func TestRegionHint(t *testing.T) {
	const bucketRegion = "eu-west-1"
	const setRegion = "the bucket is in region eu-west-1: set region=eu-west-1"
	tests := []struct {
		name     string
		config   Config
		status   int // of the response, which has no body
		wantHint string
	}{
		{
			name:     "another region",
			config:   Config{Region: "us-east-1", AccessKeyID: "key", SecretKey: "secret"},
			status:   http.StatusBadRequest,
			wantHint: setRegion,
		},
		{
			name:     "another region, anonymous",
			config:   Config{Region: "us-east-1", Anonymous: true},
			status:   http.StatusMovedPermanently,
			wantHint: setRegion,
		},
		{
			name:     "the bucket's region, at another endpoint",
			config:   Config{Region: bucketRegion, AccessKeyID: "key", SecretKey: "secret"},
			status:   http.StatusMovedPermanently,
			wantHint: s3error.RegionHint,
		},
		{
			// S3 also sends 400 for an object with a customer's key if the request lacks the key.
			name:     "the bucket's region, and a bad request",
			config:   Config{Region: bucketRegion, AccessKeyID: "key", SecretKey: "secret"},
			status:   http.StatusBadRequest,
			wantHint: noCustomerKeyHint,
		},
		{
			// The access key has slashes. They must not be taken for the slash that precedes the
			// region in the Authorization header.
			name:     "the bucket's region, and an access key with slashes",
			config:   Config{Region: bucketRegion, AccessKeyID: "a/b/c", SecretKey: "secret"},
			status:   http.StatusBadRequest,
			wantHint: noCustomerKeyHint,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, reply{
				Status: tt.status,
				Header: map[string]string{"X-Amz-Bucket-Region": bucketRegion},
			})
			d := server.openDriver(t, "aws", func(c *Config) {
				c.Region = tt.config.Region
				c.AccessKeyID = tt.config.AccessKeyID
				c.SecretKey = tt.config.SecretKey
				c.Anonymous = tt.config.Anonymous
			})

			_, err := d.Head(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
			e := &storage.Error{}
			require.ErrorAs(t, err, &e)
			require.Equal(t, tt.wantHint, e.Hint)
		})
	}
}

// If the HEAD of a call is denied and the server's Date differs from this machine's clock, the call
// fails with a retryable Unauthenticated. Later requests and signed URLs use the server's time.
func TestClockCorrected(t *testing.T) {
	serverTime := time.Now().Add(30 * time.Minute)
	server := newStandIn(t, reply{
		Status: 403,
		Header: map[string]string{"Date": serverTime.UTC().Format(http.TimeFormat)},
	})
	d := server.openDriver(t, "aws")
	e := &storage.Error{}

	// The first request is signed at this machine's time.
	_, err := d.Head(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
	require.ErrorAs(t, err, &e)
	require.Equal(t, storage.Unauthenticated, e.Code, "%v", err)
	require.True(t, e.Retryable)
	require.Equal(t, s3error.ClockHint, e.Hint)

	// The second request is signed with the server's time, so it is denied for another reason.
	_, err = d.Head(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
	require.ErrorAs(t, err, &e)
	require.Equal(t, storage.PermissionDenied, e.Code, "%v", err)
	require.False(t, e.Retryable)

	// A URL is signed at the server's time, too.
	signedURL, err := d.Sign(t.Context(), wiretest.SignedUpload(func(*driver.SignRequest) {}))
	require.NoError(t, err)
	u, err := url.Parse(signedURL.URL)
	require.NoError(t, err)
	date, err := time.Parse(signature.TimeFormat, u.Query().Get("X-Amz-Date"))
	require.NoError(t, err)
	require.WithinDuration(t, serverTime, date, serverclock.MaxSkew)
}

// A response from a cache has an Age. The Date of such a response does not correct the clock.
func TestClockIgnoresCache(t *testing.T) {
	d := newStandIn(t, reply{
		Status: 403,
		Header: map[string]string{
			"Date": time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat),
			"Age":  "3600",
		},
	}).openDriver(t, "aws")

	_, err := d.Head(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
	require.Equal(t, storage.PermissionDenied, storage.CodeOf(err), "%v", err)
}

// The clock is also corrected by a response to a request that the SDK sent, such as a listing.
func TestClockFollowsSDKResponses(t *testing.T) {
	serverTime := time.Now().Add(30 * time.Minute)
	skewed := errorReply(403, "RequestTimeTooSkewed", "")
	skewed.Header["Date"] = serverTime.UTC().Format(http.TimeFormat)
	d := newStandIn(t, skewed).openDriver(t, "aws")

	_, err := d.List(t.Context(), &driver.ListRequest{Limit: 10})
	require.Equal(t, storage.Unauthenticated, storage.CodeOf(err), "%v", err)
	require.WithinDuration(t, serverTime, d.account.clock.Time(), serverclock.MaxSkew)
}

// A successful response corrects the clock again, because this machine's clock may have been set
// since the last correction.
func TestClockCorrectedAgain(t *testing.T) {
	for name, call := range map[string]func(d *objectDriver) error{
		"by the SDK": func(d *objectDriver) error {
			_, err := d.ListVersions(t.Context(), &driver.ListRequest{Limit: 10})
			return err
		},
		"by the raw client": func(d *objectDriver) error {
			_, err := d.Head(t.Context(), &driver.GetRequest{Key: "a", Length: -1})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := newStandIn(t, reply{Header: map[string]string{
				"Date":           time.Now().UTC().Format(http.TimeFormat),
				"Content-Length": "0",
				"ETag":           etag,
			}})
			d := server.openDriver(t, "aws")

			// A refusal has corrected the clock by an hour.
			d.account.clock.Observe(&http.Response{
				StatusCode: http.StatusForbidden,
				Header:     http.Header{"Date": {time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)}},
			})
			require.WithinDuration(t, time.Now().Add(time.Hour), d.account.clock.Time(), serverclock.MaxSkew)

			// Any successful response corrects the time again, even if the call cannot read the response.
			_ = call(d)
			require.WithinDuration(t, time.Now(), d.account.clock.Time(), serverclock.MaxSkew)
		})
	}
}
