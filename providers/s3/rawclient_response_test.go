package s3

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

func TestRawClientReadsWhatTheSDKReads(t *testing.T) {
	for name, response := range map[string]reply{
		"everything": {Header: map[string]string{
			"ETag": etag, "Last-Modified": "Fri, 02 Jan 2026 03:04:05 GMT", "X-Amz-Version-Id": "v1",
			"Content-Type": "text/plain", "Content-Encoding": "gzip", "Content-Disposition": "inline", "Content-Language": "de", "Cache-Control": "no-store",
			"X-Amz-Meta-Owner": "me", "X-Amz-Meta-empty": "", "X-Amz-Storage-Class": "GLACIER", "X-Amz-Checksum-Crc32c": "mnG7TA==", "X-Amz-Checksum-Type": "FULL_OBJECT",
		}, Body: "hello"},
		"a checksum of checksums": {Header: map[string]string{"ETag": etag, "X-Amz-Checksum-Crc32c": "mnG7TA==-2", "X-Amz-Checksum-Type": "COMPOSITE"}, Body: "hello"},
		"only an ETag":            {Header: map[string]string{"ETag": etag}},
	} {
		t.Run(name, func(t *testing.T) {
			put := response
			put.Body = "" // it would be an error
			w := newStandIn(t, response, response, response, response, put)
			d := w.on(t, "aws")
			for _, read := range []func(*driver) (*storage.Attrs, error){
				func(d *driver) (*storage.Attrs, error) {
					attrs, body, err := d.Get(t.Context(), &storage.GetRequest{Key: "k", Length: -1})
					require.NoError(t, err)
					text, err := io.ReadAll(body)
					require.Equal(t, response.Body, string(text))
					require.NoError(t, body.Close())
					return attrs, err
				},
				func(d *driver) (*storage.Attrs, error) {
					return d.Head(t.Context(), &storage.GetRequest{Key: "k", Length: -1})
				},
				func(d *driver) (*storage.Attrs, error) { return d.Put(t.Context(), wiretest.Put("k", "hello")) },
			} {
				want, err := read(sdkOnly(d))
				require.NoError(t, err)
				got, err := read(d)
				require.NoError(t, err)
				require.Equal(t, want, got)
			}
		})
	}
}

func TestRawClientCorrectsItsClock(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	skewed := failing(403, "RequestTimeTooSkewed", "")
	skewed.Header["Date"] = at.Format(http.TimeFormat)
	cached := failing(403, "RequestTimeTooSkewed", "")
	cached.Header = map[string]string{"Date": at.Format(http.TimeFormat), "Age": "3600"}
	for name, row := range map[string]struct {
		here     time.Duration // this machine's clock, against the store's
		response reply
		signed   time.Time // the next request
	}{
		"a late clock":                {-time.Hour, skewed, at},
		"an early clock":              {48 * time.Hour, skewed, at},
		"a correct clock":             {time.Minute, skewed, at.Add(time.Minute)},
		"not by the time of a cache":  {time.Hour, cached, at.Add(time.Hour)},
		"not by a successful request": {time.Hour, stored, at.Add(time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			w := newStandIn(t, row.response, stored)
			d := w.on(t, "aws")
			d.account.clock.now = func() time.Time { return at.Add(row.here) }
			_, err := d.Put(t.Context(), wiretest.Put("k", "hello"))
			if row.response.Status != 0 {
				require.ErrorIs(t, err, storage.Unauthenticated)
			}
			_, err = d.Put(t.Context(), wiretest.Put("k", "hello"))
			require.NoError(t, err)
			require.Equal(t, row.signed.Format(amzTime), w.server.Last(t).Header.Get("X-Amz-Date"))
			require.Contains(t, w.server.Last(t).Header.Get("Authorization"), "Credential=key/"+row.signed.Format(amzDay)+"/")
		})
	}
}

func TestRawClientHasTheSDKsErrors(t *testing.T) {
	for name, response := range map[string]reply{
		"a modeled error":          failing(404, "NoSuchKey", "gone"),
		"another":                  failing(403, "AccessDenied", "no"),
		"without a body":           {Status: 503},
		"an error with status 200": {Body: failing(0, "InternalError", "").Body},
		"a redirect":               {Status: 307, Header: map[string]string{"Location": "http://elsewhere.invalid/"}},
		"no XML":                   {Status: 502, Body: "<html>Bad gateway"},
		"a connection":             {Cut: true},
		"half a response":          {Body: "<?xml version=\"1.0\"?><Err"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newStandIn(t, response)
			d := w.on(t, "aws")
			_, want := sdkOnly(d).Put(t.Context(), wiretest.Put("k", "hello"))
			_, got := d.Put(t.Context(), wiretest.Put("k", "hello"))
			require.Error(t, want)
			require.Error(t, got)
			w1, g1 := want.(*storage.Error), got.(*storage.Error)
			require.Equal(t, strings.ReplaceAll(w1.Err.Error(), `Put "`+w.server.URL+`/photos/k?x-id=PutObject": `, ""), g1.Err.Error())
			require.IsType(t, w1.Err, g1.Err)
			wrapped, own := *w1, *g1
			wrapped.Err, own.Err = nil, nil
			require.Equal(t, wrapped, own)
		})
	}
}

func TestRawClientHasTheSDKsErrorOfAMissingObject(t *testing.T) {
	w := newStandIn(t, reply{Status: 404, Header: map[string]string{"X-Amz-Request-Id": "request", "X-Amz-Id-2": "host"}})
	d := w.on(t, "aws")
	_, want := sdkOnly(d).Head(t.Context(), &storage.GetRequest{Key: "k", Length: -1})
	_, got := d.Head(t.Context(), &storage.GetRequest{Key: "k", Length: -1})
	var w1, g1 *storage.Error
	require.ErrorAs(t, want, &w1)
	require.ErrorAs(t, got, &g1)
	require.Equal(t, w1.Err.Error(), g1.Err.Error())
	require.IsType(t, w1.Err, g1.Err)
	for _, err := range []error{want, got} {
		var response awss3.ResponseError
		require.ErrorAs(t, err, &response)
		require.Equal(t, "host", response.ServiceHostID())
		require.Equal(t, "request", response.ServiceRequestID())
		var modeled *types.NotFound
		require.ErrorAs(t, err, &modeled)
		var status *awshttp.ResponseError
		require.ErrorAs(t, err, &status)
		require.Equal(t, 404, status.HTTPStatusCode())
	}
	w1.Err, g1.Err = nil, nil
	require.Equal(t, *w1, *g1)
}

func TestRawClientWithoutCredentials(t *testing.T) {
	broken := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, errors.New("no credentials here")
	})
	eachClient(t, "", func(t *testing.T, use func(*driver) *driver) {
		w := newStandIn(t, stored)
		d := use(w.on(t, "aws", func(c *Config) {
			c.AccessKeyID, c.SecretKey = "", ""
			c.AWS = &aws.Config{Region: "eu-west-1", Credentials: broken}
		}))
		_, err := d.Put(t.Context(), wiretest.Put("k", "hello"))
		require.ErrorIs(t, err, storage.Unauthenticated)
		require.ErrorContains(t, err, "no credentials here")
		require.NotErrorIs(t, err, storage.OutcomeUnknown)
		require.Empty(t, w.server.Lines())
	})
}
