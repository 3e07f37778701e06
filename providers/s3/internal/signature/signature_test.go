package signature

import (
	"cmp"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/escape"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

var now = time.Date(2026, 3, 4, 5, 6, 7, 890_000_000, time.UTC)

// authorizationOfSDK returns the header Authorization with which the SDK signs the request. The
// other headers that the SDK sets stay in the request.
func authorizationOfSDK(t *testing.T, credentials aws.Credentials, request *http.Request) string {
	t.Helper()
	signer := v4.NewSigner(func(o *v4.SignerOptions) {
		o.DisableURIPathEscaping = true // as the SDK makes it for S3
	})
	err := signer.SignHTTP(t.Context(), credentials, request, EmptySHA256, Service, "eu-west-1", now)
	require.NoError(t, err)

	authorization := request.Header.Get("Authorization")
	request.Header.Del("Authorization")
	return authorization
}

// Our signature in headers equals that of the SDK. The driver's sign_test.go compares signed URLs.
func TestHeaderSignatureMatchesSDK(t *testing.T) {
	tests := map[string]struct {
		method, host, query, token string
		length                     int64
		header                     map[string]string
	}{
		"a read":  {method: "GET"},
		"a token": {method: "GET", token: "tok/en+=="},
		"a query": {method: "GET", query: "versionId=v%2F1%20%2B&x-id=GetObject"},
		"a body":  {method: "PUT", length: 5},
		"a port":  {method: "GET", host: "127.0.0.1:9000"},
		"many headers": {
			method: "PUT",
			length: 1,
			header: map[string]string{
				"Content-Type":   "text/plain",
				"Content-Md5":    "x",
				"Cache-Control":  "y",
				"X-Amz-Meta-A-B": "1",
				"X-Amz-Meta-A_b": "2",
				"X-Amz-Meta-A":   "3",
				"If-Match":       `"e"`,
			},
		},
		"an empty value": {method: "PUT", header: map[string]string{"X-Amz-Meta-A": ""}},
		"spaces inside and at both ends": {
			method: "PUT",
			header: map[string]string{"Content-Disposition": "  a   b  c "},
		},
		"no ASCII": {
			method: "PUT",
			header: map[string]string{"Content-Disposition": "é\u00a0 \t x"},
		},
	}
	for name, tt := range tests {
		for _, key := range wiretest.Keys {
			shortKey := key[:min(len(key), 20)]
			t.Run(name+", "+shortKey, func(t *testing.T) {
				host := cmp.Or(tt.host, "photos.s3.eu-west-1.amazonaws.com")
				path := "/" + escape.Path(key)
				request := &http.Request{
					Method:        tt.method,
					Host:          host,
					ContentLength: tt.length,
					Header:        http.Header{},
					URL: &url.URL{
						Scheme:   "https",
						Host:     host,
						Path:     "/" + key,
						RawPath:  path,
						RawQuery: tt.query,
					},
				}
				for name, value := range tt.header {
					request.Header.Set(name, value)
				}

				credentials := aws.Credentials{
					AccessKeyID:     "AKID",
					SecretAccessKey: "secret",
					SessionToken:    tt.token,
				}

				// The SDK adds its headers to the request, and this package signs these headers, too.
				want := authorizationOfSDK(t, credentials, request)
				got := new(Keys).Get(&credentials, "eu-west-1", now).Authorization(&Request{
					Method: tt.method,
					Host:   host,
					Path:   path,
					Query:  tt.query,
					Header: request.Header,
					Length: tt.length,
					SHA256: EmptySHA256,
					At:     now,
				})
				require.Equal(t, want, got)
			})
		}
	}
}

// A signing key is used again for the same credentials and region on the same day. If one of them
// differs, a new key is computed.
func TestSigningKeyCachedForDay(t *testing.T) {
	alice := aws.Credentials{AccessKeyID: "alice", SecretAccessKey: "secret"}
	bob := aws.Credentials{AccessKeyID: "bob", SecretAccessKey: "secret"}
	rotated := aws.Credentials{AccessKeyID: "alice", SecretAccessKey: "another"}
	midnight := time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)

	tests := map[string]struct {
		credentials aws.Credentials
		region      string
		at          time.Time
		isReused    bool // for the key of alice in eu-west-1 at midnight
	}{
		"the same arguments": {credentials: alice, region: "eu-west-1", at: midnight, isReused: true},
		"the last second of the day": {
			credentials: alice,
			region:      "eu-west-1",
			at:          midnight.Add(24*time.Hour - 1),
			isReused:    true,
		},
		"the same time in another time zone": {
			credentials: alice,
			region:      "eu-west-1",
			at:          midnight.In(time.FixedZone("", -12*60*60)),
			isReused:    true,
		},
		"the next day": {
			credentials: alice,
			region:      "eu-west-1",
			at:          midnight.Add(24 * time.Hour),
		},
		"the day before": {credentials: alice, region: "eu-west-1", at: midnight.Add(-1)},
		"another key":    {credentials: bob, region: "eu-west-1", at: midnight},
		"a new secret":   {credentials: rotated, region: "eu-west-1", at: midnight},
		"another region": {credentials: alice, region: "us-east-1", at: midnight},
	}

	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var keys Keys
			oldKey := keys.Get(&alice, "eu-west-1", midnight)
			newKey := keys.Get(&tt.credentials, tt.region, tt.at)
			require.Equal(t, tt.isReused, oldKey == newKey)

			// A key from the cache makes the same signature as a new key.
			uncached := new(Keys).Get(&tt.credentials, tt.region, tt.at)
			require.Equal(t, uncached.Signature("text"), newKey.Signature("text"))
			require.Same(t, newKey, keys.lastKey.Load(), "only the last key must be cached")
		})
	}
}
