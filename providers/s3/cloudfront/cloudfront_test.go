package cloudfront_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cdn"
	"github.com/omnibucket/storage/providers/s3/cloudfront"
)

var _ cdn.Purger = (*cloudfront.Purger)(nil)

const secret = "wJalrXUtnFEMI-secret-of-a-test"

// signingTime is the time of all signatures in these tests.
var signingTime = time.Date(2026, 11, 29, 10, 20, 30, 0, time.UTC)

func staticCredentials(context.Context) (aws.Credentials, error) {
	return aws.Credentials{
		AccessKeyID:     "AKIDEXAMPLE",
		SecretAccessKey: secret,
		SessionToken:    "session-of-a-test",
	}, nil
}

// A signedTransport is a transport to CloudFront that checks the signature of each request, and
// records its line and body. Each response has the status and the body of the transport.
type signedTransport struct {
	t      *testing.T
	status int
	body   string

	lines  []string
	bodies []string
}

func (s *signedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	require.NoError(s.t, err)
	require.Equal(s.t, authorization(r, string(body)), r.Header.Get("Authorization"))
	require.Equal(s.t, "session-of-a-test", r.Header.Get("X-Amz-Security-Token"))
	require.Equal(s.t, "text/xml", r.Header.Get("Content-Type"))

	s.lines = append(s.lines, r.Method+" "+r.URL.String())
	s.bodies = append(s.bodies, string(body))
	return &http.Response{
		StatusCode: s.status,
		Status:     fmt.Sprint(s.status),
		Header:     http.Header{},
		Request:    r,
		Body:       io.NopCloser(strings.NewReader(s.body)),
	}, nil
}

// authorization computes the header of Signature Version 4.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func authorization(r *http.Request, body string) string {
	sum := func(text string) string {
		digest := sha256.Sum256([]byte(text))
		return hex.EncodeToString(digest[:])
	}
	mac := func(key []byte, text string) []byte {
		hash := hmac.New(sha256.New, key)
		_, _ = hash.Write([]byte(text)) // cannot fail
		return hash.Sum(nil)
	}
	const names = "content-length;content-type;host;x-amz-date;x-amz-security-token"
	const scope = "20261129/us-east-1/cloudfront/aws4_request"
	canonical := strings.Join([]string{
		r.Method,
		r.URL.EscapedPath(),
		"", // no query
		"content-length:" + fmt.Sprint(len(body)),
		"content-type:" + r.Header.Get("Content-Type"),
		"host:" + r.URL.Host,
		"x-amz-date:20261129T102030Z",
		"x-amz-security-token:" + r.Header.Get("X-Amz-Security-Token"),
		"", // the end of the headers
		names,
		sum(body),
	}, "\n")

	key := []byte("AWS4" + secret)
	for part := range strings.SplitSeq(scope, "/") {
		key = mac(key, part)
	}
	signature := mac(key, "AWS4-HMAC-SHA256\n20261129T102030Z\n"+scope+"\n"+sum(canonical))
	return "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/" + scope + ", SignedHeaders=" + names +
		", Signature=" + hex.EncodeToString(signature)
}

// newPurger returns a Purger that sends its requests to transport at a fixed time.
func newPurger(t *testing.T, transport *signedTransport) *cloudfront.Purger {
	t.Helper()
	transport.t = t
	purger, err := cloudfront.NewPurger(t.Context(), cloudfront.Config{
		DistributionID: "EDFDVBD6EXAMPLE",
		Credentials:    aws.CredentialsProviderFunc(staticCredentials),
		HTTPClient:     &http.Client{Transport: transport},
	})
	require.NoError(t, err)
	purger.At(signingTime, "reference")
	return purger
}

// Purge sends one invalidation with the paths of the given URLs.
func TestPurgeRequest(t *testing.T) {
	transport := &signedTransport{status: http.StatusCreated}
	err := newPurger(t, transport).Purge(t.Context(), []string{
		"https://cdn.example.com/files/a%20b.jpg",
		"https://cdn.example.com/c?size=2",
		"https://cdn.example.com",
	})
	require.NoError(t, err)

	require.Equal(t, []string{
		"POST https://cloudfront.amazonaws.com/2020-05-31/distribution/EDFDVBD6EXAMPLE/invalidation",
	}, transport.lines)
	require.Equal(t, []string{
		`<?xml version="1.0" encoding="UTF-8"?>` + "\n" +
			`<InvalidationBatch xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/">` +
			`<CallerReference>reference</CallerReference>` +
			`<Paths><Items><Path>/files/a%20b.jpg</Path><Path>/c?size=2</Path><Path>/</Path></Items>` +
			`<Quantity>3</Quantity></Paths></InvalidationBatch>`,
	}, transport.bodies)
}

// Purge sends at most three thousand paths in a request.
func TestPurgeBatches(t *testing.T) {
	transport := &signedTransport{status: http.StatusCreated}
	batches := []int{3000, 3000, 1}
	urls := make([]string, 6001)
	for i := range urls {
		urls[i] = fmt.Sprintf("https://cdn.example.com/%d", i)
	}

	require.NoError(t, newPurger(t, transport).Purge(t.Context(), urls))
	require.Len(t, transport.bodies, len(batches))
	for i, want := range batches {
		require.Equal(t, want, strings.Count(transport.bodies[i], "<Path>"))
		require.Contains(t, transport.bodies[i], fmt.Sprintf("<Quantity>%d</Quantity>", want))
	}
}

// Viewers may request a path in several forms, escaped or not. Purge sends all of these forms.
func TestPurgePaths(t *testing.T) {
	tests := []struct {
		name, url string
		want      []string
	}{
		{name: "letters", url: "https://cdn.example.com/a/b.jpg", want: []string{"/a/b.jpg"}},
		{name: "a space, which is unsafe", url: "https://cdn.example.com/a%20b", want: []string{"/a%20b"}},
		{name: "another alphabet", url: "https://cdn.example.com/%C3%A9", want: []string{"/%C3%A9"}},
		{
			name: "an asterisk, which would be a wildcard",
			url:  "https://cdn.example.com/a%2A",
			want: []string{"/a%2A"},
		},
		{name: "a percent sign", url: "https://cdn.example.com/a%2521", want: []string{"/a%2521"}},
		{
			name: "characters that a viewer may escape or not",
			url:  "https://cdn.example.com/a%21%40",
			want: []string{"/a%21%40", "/a!@"},
		},
		{
			name: "a tilde, which is unsafe to CloudFront",
			url:  "https://cdn.example.com/~a",
			want: []string{"/~a", "/%7Ea"},
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			transport := &signedTransport{status: http.StatusCreated}
			require.NoError(t, newPurger(t, transport).Purge(t.Context(), []string{tt.url}))

			// The body of the request has the paths.
			var request struct {
				Paths struct{ Items struct{ Path []string } }
			}
			require.NoError(t, xml.Unmarshal([]byte(transport.bodies[0]), &request))
			require.Equal(t, tt.want, request.Paths.Items.Path)
		})
	}
}

// The error of Purge has the code of the failure, says whether it is temporary, and contains no
// secret.
func TestPurgeFailures(t *testing.T) {
	refusal := func(code string) string {
		return `<ErrorResponse xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Error>` +
			`<Type>Sender</Type><Code>` + code + `</Code><Message>` + secret + `</Message>` +
			`</Error><RequestId>id</RequestId></ErrorResponse>`
	}
	tests := []struct {
		name          string
		status        int
		body          string
		want          storage.Code
		wantTemporary bool
	}{
		{
			name:          "too many in progress, whose status is 400",
			status:        400,
			body:          refusal("TooManyInvalidationsInProgress"),
			want:          storage.RateLimited,
			wantTemporary: true,
		},
		{
			name:          "throttled",
			status:        400,
			body:          refusal("Throttling"),
			want:          storage.RateLimited,
			wantTemporary: true,
		},
		{
			name:   "a path that is refused",
			status: 400,
			body:   refusal("InvalidArgument"),
			want:   storage.InvalidArgument,
		},
		{name: "no permission", status: 403, body: refusal("AccessDenied"), want: storage.PermissionDenied},
		{
			name:   "no such distribution",
			status: 404,
			body:   refusal("NoSuchDistribution"),
			want:   storage.InvalidArgument,
		},
		{name: "out of order", status: 503, body: "<html>", want: storage.Unavailable, wantTemporary: true},
		{name: "a redirect", status: 302, want: storage.InvalidArgument},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			transport := &signedTransport{status: tt.status, body: tt.body}

			err := newPurger(t, transport).Purge(t.Context(), []string{"https://cdn.example.com/a"})
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			require.Equal(t, tt.wantTemporary, storage.IsTemporary(err))
			require.NotContains(t, err.Error(), secret)
			require.Len(t, transport.lines, 1)
		})
	}
}

// Purge fails without credentials, and its error contains no secret.
func TestPurgeWithoutCredentials(t *testing.T) {
	purger := newPurgerWithoutCredentials(t)
	err := purger.Purge(t.Context(), []string{"https://cdn.example.com/a"})
	require.ErrorIs(t, err, storage.Unauthenticated)
	require.NotContains(t, err.Error(), secret)
}

// Purge without credentials fails with Canceled if ctx has ended.
func TestPurgeWithoutCredentialsCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := newPurgerWithoutCredentials(t).Purge(ctx, []string{"https://cdn.example.com/a"})
	require.ErrorIs(t, err, storage.Canceled)
}

// newPurgerWithoutCredentials returns a Purger whose credentials fail with an error that has a secret.
func newPurgerWithoutCredentials(t *testing.T) *cloudfront.Purger {
	t.Helper()
	noCredentials := func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, errors.New("line 1: " + secret)
	}
	purger, err := cloudfront.NewPurger(t.Context(), cloudfront.Config{
		DistributionID: "E",
		Credentials:    aws.CredentialsProviderFunc(noCredentials),
	})
	require.NoError(t, err)
	return purger
}

// NewPurger refuses a Config whose DistributionID is not an id.
func TestNewPurgerChecksConfig(t *testing.T) {
	for _, id := range []string{"", "../E", "E/invalidation?"} {
		t.Run(id, func(t *testing.T) {
			_, err := cloudfront.NewPurger(t.Context(), cloudfront.Config{
				DistributionID: id,
				Credentials:    aws.CredentialsProviderFunc(staticCredentials),
			})
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.ErrorContains(t, err, "Config.DistributionID")
		})
	}
}

// Purge refuses a URL without a host.
func TestPurgeRefusesPath(t *testing.T) {
	purger := newPurger(t, &signedTransport{})
	require.ErrorIs(t, purger.Purge(t.Context(), []string{"/a"}), storage.InvalidArgument)
}

// A Purger prints only the id of its distribution.
func TestPurgerIsPrinted(t *testing.T) {
	purger := newPurger(t, &signedTransport{})
	require.Equal(t, "{DistributionID:EDFDVBD6EXAMPLE}", fmt.Sprintf("%+v", purger))
}

// NewPurger uses the SDK's default chain of credentials if Config has none.
func TestNewPurgerDefaultCredentials(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", secret)
	t.Setenv("AWS_SESSION_TOKEN", "session-of-a-test")

	// signedTransport requires that each request is signed with these credentials.
	transport := &signedTransport{t: t, status: http.StatusCreated}
	purger, err := cloudfront.NewPurger(t.Context(), cloudfront.Config{
		DistributionID: "EDFDVBD6EXAMPLE",
		HTTPClient:     &http.Client{Transport: transport},
	})
	require.NoError(t, err)
	purger.At(signingTime, "reference")

	require.NoError(t, purger.Purge(t.Context(), []string{"https://cdn.example.com/a"}))
	require.Len(t, transport.lines, 1)
}
