package signature

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/internal/urlpath"
)

var now = time.Date(2026, 3, 4, 5, 6, 7, 890_000_000, time.UTC)

// Our signature in headers equals that of the SDK. The driver's sign_test.go compares signed URLs.
func TestHeaderSignatureMatchesSDK(t *testing.T) {
	for name, row := range map[string]struct {
		method, host, query, token string
		length                     int64
		header                     map[string]string
	}{
		"a read":                         {method: "GET"},
		"a token":                        {method: "GET", token: "tok/en+=="},
		"a query":                        {method: "GET", query: "versionId=v%2F1%20%2B&x-id=GetObject"},
		"a body":                         {method: "PUT", length: 5},
		"a port":                         {method: "GET", host: "127.0.0.1:9000"},
		"many headers":                   {method: "PUT", length: 1, header: map[string]string{"Content-Type": "text/plain", "Content-Md5": "x", "Cache-Control": "y", "X-Amz-Meta-A-B": "1", "X-Amz-Meta-A_b": "2", "X-Amz-Meta-A": "3", "If-Match": `"e"`}},
		"an empty value":                 {method: "PUT", header: map[string]string{"X-Amz-Meta-A": ""}},
		"spaces inside and at both ends": {method: "PUT", header: map[string]string{"Content-Disposition": "  a   b  c "}},
		"no ASCII":                       {method: "PUT", header: map[string]string{"Content-Disposition": "é\u00a0 \t x"}},
	} {
		for _, key := range wiretest.Keys {
			t.Run(name+", "+key[:min(len(key), 20)], func(t *testing.T) {
				if row.host == "" {
					row.host = "photos.s3.eu-west-1.amazonaws.com"
				}
				path := "/" + urlpath.Escape(key)
				request := &http.Request{
					Method:        row.method,
					Host:          row.host,
					ContentLength: row.length,
					Header:        http.Header{},
					URL:           &url.URL{Scheme: "https", Host: row.host, Path: "/" + key, RawPath: path, RawQuery: row.query},
				}
				for name, value := range row.header {
					request.Header.Set(name, value)
				}
				credentials := aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret", SessionToken: row.token}
				signer := v4.NewSigner(func(o *v4.SignerOptions) {
					o.DisableURIPathEscaping = true
				})
				require.NoError(t, signer.SignHTTP(t.Context(), credentials, request, EmptySHA256, Service, "eu-west-1", now))
				want := request.Header.Get("Authorization")
				request.Header.Del("Authorization")
				got := new(Keys).Get(&credentials, "eu-west-1", now).Authorization(&Request{
					Method: row.method,
					Host:   row.host,
					Path:   path,
					Query:  row.query,
					Header: request.Header,
					Length: row.length,
					SHA256: EmptySHA256,
					At:     now,
				})
				require.Equal(t, want, got)
			})
		}
	}
}

// A signing key is reused for the same credentials and region on the same day. If one of them differs, another key
// is computed.
func TestSigningKeyCachedForDay(t *testing.T) {
	alice := aws.Credentials{AccessKeyID: "alice", SecretAccessKey: "secret"}
	bob := aws.Credentials{AccessKeyID: "bob", SecretAccessKey: "secret"}
	rotated := aws.Credentials{AccessKeyID: "alice", SecretAccessKey: "another"}
	midnight := time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
	for name, row := range map[string]struct {
		credentials aws.Credentials
		region      string
		at          time.Time
		kept        bool
	}{
		"the same":                   {alice, "eu-west-1", midnight, true},
		"the last second of the day": {alice, "eu-west-1", midnight.Add(24*time.Hour - 1), true},
		"in another time zone":       {alice, "eu-west-1", midnight.In(time.FixedZone("", -12*60*60)), true},
		"the next day":               {alice, "eu-west-1", midnight.Add(24 * time.Hour), false},
		"the day before":             {alice, "eu-west-1", midnight.Add(-1), false},
		"somebody else":              {bob, "eu-west-1", midnight, false},
		"a new secret":               {rotated, "eu-west-1", midnight, false},
		"another region":             {alice, "us-east-1", midnight, false},
	} {
		t.Run(name, func(t *testing.T) {
			var keys Keys
			first := keys.Get(&alice, "eu-west-1", midnight)
			next := keys.Get(&row.credentials, row.region, row.at)
			require.Equal(t, row.kept, first == next)
			require.Equal(t, new(Keys).Get(&row.credentials, row.region, row.at).Signature("text"), next.Signature("text"))
			require.Same(t, next, keys.last.Load(), "only one key is cached")
		})
	}
}
