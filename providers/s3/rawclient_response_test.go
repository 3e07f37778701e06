package s3

import (
	"context"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/s3/internal/signature"
)

// The raw client reads the same attributes from a response as the SDK.
func TestRawClientReadsWhatTheSDKReads(t *testing.T) {
	responses := map[string]reply{
		"everything": {
			Header: map[string]string{
				"ETag":                  etag,
				"Last-Modified":         "Fri, 02 Jan 2026 03:04:05 GMT",
				"X-Amz-Version-Id":      "v1",
				"Content-Type":          "text/plain",
				"Content-Encoding":      "gzip",
				"Content-Disposition":   "inline",
				"Content-Language":      "de",
				"Cache-Control":         "no-store",
				"X-Amz-Meta-Owner":      "me",
				"X-Amz-Meta-empty":      "",
				"X-Amz-Storage-Class":   "GLACIER",
				"X-Amz-Checksum-Crc32c": "mnG7TA==",
				"X-Amz-Checksum-Type":   "FULL_OBJECT",
			},
			Body: "hello",
		},
		"locks, tags and encryption": {
			Header: map[string]string{
				"ETag":                                etag,
				"X-Amz-Object-Lock-Mode":              "COMPLIANCE",
				"X-Amz-Object-Lock-Retain-Until-Date": "2030-01-02T03:04:05Z",
				"X-Amz-Object-Lock-Legal-Hold":        "ON",
				"X-Amz-Tagging-Count":                 "2",
				"X-Amz-Restore":                       `ongoing-request="false", expiry-date="Fri, 02 Jan 2026 03:04:05 GMT"`,
				replicationHeader:                     "COMPLETED",
				sseHeader:                             "aws:kms",
				kmsKeyHeader:                          keyARN,
			},
			Body: "hello",
		},
		"a customer's key": {
			Header: map[string]string{
				"ETag":            etag,
				customerHeader:    "AES256",
				customerMD5Header: customerKeys[0].md5,
			},
			Body: "hello",
		},
		"an empty object": {Header: map[string]string{"ETag": etag, "X-Amz-Version-Id": "null"}},
		"a checksum of checksums": {
			Header: map[string]string{
				"ETag":                  etag,
				"X-Amz-Checksum-Crc32c": "mnG7TA==-2",
				"X-Amz-Checksum-Type":   "COMPOSITE",
			},
			Body: "hello",
		},
		"only an ETag": {Header: map[string]string{"ETag": etag}},
	}
	for name, response := range responses {
		t.Run(name, func(t *testing.T) {
			// The server sends the same response to all requests, in the order in which they are
			// sent below. Only the response to a PUT has no body, because a body would be an error
			// there.
			putResponse := response
			putResponse.Body = ""
			server := newStandIn(t, response, response, response, response, putResponse)
			raw := server.openDriver(t, "aws")
			sdk := sdkOnly(raw)

			want := requireGet(t, sdk, response.Body)
			require.Equal(t, want, requireGet(t, raw, response.Body))

			want, err := sdk.Head(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
			require.NoError(t, err)
			got, err := raw.Head(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
			require.NoError(t, err)
			require.Equal(t, want, got)

			want, err = sdk.Put(t.Context(), wiretest.Put("k", "hello"))
			require.NoError(t, err)
			got, err = raw.Put(t.Context(), wiretest.Put("k", "hello"))
			require.NoError(t, err)
			require.Equal(t, want, got)
		})
	}
}

// requireGet requires that a download of the object "k" returns the given content, and returns the
// attributes of the object.
func requireGet(t *testing.T, d *objectDriver, content string) *storage.Attrs {
	t.Helper()
	attrs, body, err := d.Get(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
	require.NoError(t, err)
	text, err := io.ReadAll(body)
	require.NoError(t, err)
	require.Equal(t, content, string(text))
	require.NoError(t, body.Close())
	return attrs
}

// If S3 refuses a request because of its time, the raw client signs later requests with the time of
// the server. It does not trust the time of a cached or a successful response.
func TestRawClientCorrectsItsClock(t *testing.T) {
	serverTime := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

	// The server refuses two requests because of their time. The second refusal is an hour old, as
	// if it came from a cache.
	skewed := errorReply(403, "RequestTimeTooSkewed", "")
	skewed.Header["Date"] = serverTime.Format(http.TimeFormat)
	cached := errorReply(403, "RequestTimeTooSkewed", "")
	cached.Header = map[string]string{"Date": serverTime.Format(http.TimeFormat), "Age": "3600"}

	tests := []struct {
		name     string
		ahead    time.Duration // how far this machine's clock is ahead of the server's
		response reply
		wantTime time.Time // for which the next request is signed
	}{
		{name: "a clock an hour behind", ahead: -time.Hour, response: skewed, wantTime: serverTime},
		{name: "a clock two days ahead", ahead: 48 * time.Hour, response: skewed, wantTime: serverTime},
		{
			name:     "a clock a minute ahead, which is not corrected",
			ahead:    time.Minute,
			response: skewed,
			wantTime: serverTime.Add(time.Minute),
		},
		{
			name:     "a response of a cache",
			ahead:    time.Hour,
			response: cached,
			wantTime: serverTime.Add(time.Hour),
		},
		{
			name:     "a successful response",
			ahead:    time.Hour,
			response: stored,
			wantTime: serverTime.Add(time.Hour),
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newStandIn(t, tt.response, stored)
			d := server.openDriver(t, "aws")
			d.account.clock.Now = func() time.Time { return serverTime.Add(tt.ahead) }

			// The first request gets the response that may correct the clock.
			_, err := d.Put(t.Context(), wiretest.Put("k", "hello"))
			isRefused := tt.response.Status != 0
			if isRefused {
				require.ErrorIs(t, err, storage.Unauthenticated)
			}

			// The next request has the corrected time, in its date and in its signature.
			_, err = d.Put(t.Context(), wiretest.Put("k", "hello"))
			require.NoError(t, err)
			require.Equal(t, tt.wantTime.Format(signature.TimeFormat), server.Last(t).Header.Get("X-Amz-Date"))
			require.Contains(t, server.Last(t).Header.Get("Authorization"),
				"Credential=key/"+tt.wantTime.Format(signature.DayFormat)+"/")
		})
	}
}

// If a request fails, the raw client returns the same error as the SDK.
func TestRawClientHasTheSDKsErrors(t *testing.T) {
	calls := map[string]func(d *objectDriver) error{
		"Put": func(d *objectDriver) error {
			_, err := d.Put(t.Context(), wiretest.Put("k", "hello"))
			return err
		},
		"PutPart": func(d *objectDriver) error {
			_, err := d.PutPart(t.Context(), &driver.PartRequest{
				Key:    "k",
				Upload: "u",
				Number: 1,
				Body:   strings.NewReader("hello"),
				Size:   5,
			})
			return err
		},
		"Get": func(d *objectDriver) error {
			_, body, err := d.Get(t.Context(), &driver.GetRequest{Key: "k", Offset: 1, Length: 2})
			if err == nil {
				_ = body.Close()
			}
			return err
		},
		"Head": func(d *objectDriver) error {
			_, err := d.Head(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
			return err
		},
	}
	responses := map[string]reply{
		"an error that the SDK has a type for":  errorReply(404, "NoSuchKey", "gone"),
		"an error that the SDK has no type for": errorReply(403, "AccessDenied", "no"),
		"a missing bucket":                      errorReply(404, "NoSuchBucket", ""),
		"a delete marker":                       {Status: 404, Header: map[string]string{"X-Amz-Delete-Marker": "true"}},
		"a method that is not allowed":          errorReply(405, "MethodNotAllowed", ""),
		"an archived object":                    errorReply(403, "InvalidObjectState", ""),
		"a false condition":                     errorReply(412, "PreconditionFailed", ""),
		"a range past the end":                  errorReply(416, "InvalidRange", ""),
		"a server that is busy": {
			Status: 503,
			Header: map[string]string{"Retry-After": "7"},
			Body:   errorReply(503, "SlowDown", "").Body,
		},
		"a bucket in another region": {
			Status: 400,
			Header: map[string]string{"X-Amz-Bucket-Region": "eu-central-1"},
		},
		"the time of a wrong clock": {
			Status: 403,
			Header: map[string]string{"Date": "Fri, 02 Jan 2026 03:04:05 GMT"},
		},
		"an error without a body": {Status: 503},
		"a redirect": {
			Status: 307,
			Header: map[string]string{"Location": "http://elsewhere.invalid/"},
		},
		"an error in HTML": {Status: 502, Body: "<html>Bad gateway"},
		"a gateway's page": gatewayReply(500),
		"a login page": {
			Body:   "<html><body>Log in</body></html>",
			Header: map[string]string{withoutAmazonHeader: ""},
		},
		"a closed connection": {Cut: true},
	}
	for name, response := range responses {
		for call, do := range calls {
			t.Run(call+", "+name, func(t *testing.T) {
				requireSameErrors(t, response, do)
			})
		}
	}

	// The content of an object may itself be an error document, so only the driver's Put takes such
	// a document for an error.
	responsesToPut := map[string]reply{
		"an error with status 200": {Body: errorReply(0, "InternalError", "").Body},
		"half a response":          {Body: "<?xml version=\"1.0\"?><Err"},
	}
	for name, response := range responsesToPut {
		t.Run("Put, "+name, func(t *testing.T) {
			requireSameErrors(t, response, calls["Put"])
		})
	}
}

// requestInError matches the request that net/http puts before an error.
var requestInError = regexp.MustCompile(`(Put|Get|Head) "[^"]*": `)

// requireSameErrors requires that a call fails in the same way by the raw client and by the SDK.
func requireSameErrors(t *testing.T, response reply, do func(*objectDriver) error) {
	t.Helper()
	server := newStandIn(t, response)
	sdkErr := do(sdkOnly(server.openDriver(t, "aws")))
	rawErr := do(server.openDriver(t, "aws"))

	// The causes have the same type and text. Only the SDK's text also names the request.
	var wantErr, gotErr *storage.Error
	require.ErrorAs(t, sdkErr, &wantErr)
	require.ErrorAs(t, rawErr, &gotErr)
	require.Equal(t, requestInError.ReplaceAllString(wantErr.Err.Error(), ""), gotErr.Err.Error())
	require.IsType(t, wantErr.Err, gotErr.Err)

	// The other fields of the two errors are equal.
	wantFields := *wantErr
	gotFields := *gotErr
	wantFields.Err = nil
	gotFields.Err = nil
	require.Equal(t, wantFields, gotFields)
}

// Head of a missing object returns the same error by the raw client and by the SDK's client. The
// error contains the same types of the SDK.
func TestRawClientHasTheSDKsErrorOfAMissingObject(t *testing.T) {
	server := newStandIn(t, reply{
		Status: 404,
		Header: map[string]string{"X-Amz-Request-Id": "request", "X-Amz-Id-2": "host"},
	})
	d := server.openDriver(t, "aws")

	_, sdkErr := sdkOnly(d).Head(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
	_, rawErr := d.Head(t.Context(), &driver.GetRequest{Key: "k", Length: -1})

	// Both errors wrap an error of the same type and text.
	var wantErr, gotErr *storage.Error
	require.ErrorAs(t, sdkErr, &wantErr)
	require.ErrorAs(t, rawErr, &gotErr)
	require.Equal(t, wantErr.Err.Error(), gotErr.Err.Error())
	require.IsType(t, wantErr.Err, gotErr.Err)

	// Both errors contain each error type of the SDK.
	for _, err := range []error{sdkErr, rawErr} {
		var response awss3.ResponseError
		require.ErrorAs(t, err, &response)
		require.Equal(t, "host", response.ServiceHostID())
		require.Equal(t, "request", response.ServiceRequestID())

		var notFound *types.NotFound
		require.ErrorAs(t, err, &notFound)

		var status *awshttp.ResponseError
		require.ErrorAs(t, err, &status)
		require.Equal(t, 404, status.HTTPStatusCode())
	}

	// The other fields of the two errors are equal.
	wantErr.Err = nil
	gotErr.Err = nil
	require.Equal(t, *wantErr, *gotErr)
}

// If the credentials provider fails, the raw client sends nothing. It fails with Unauthenticated
// and the provider's error.
func TestRawClientWithoutCredentials(t *testing.T) {
	broken := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, errors.New("no credentials here")
	})
	server := newStandIn(t, stored)
	d := server.openDriver(t, "aws", func(c *Config) {
		c.AccessKeyID = ""
		c.SecretKey = ""
		c.AWS = &aws.Config{Region: "eu-west-1", Credentials: broken}
	})

	_, err := d.Put(t.Context(), wiretest.Put("k", "hello"))
	require.ErrorIs(t, err, storage.Unauthenticated)
	require.ErrorContains(t, err, "no credentials here")
	require.NotErrorIs(t, err, storage.OutcomeUnknown)
	require.Empty(t, server.Lines())
}
