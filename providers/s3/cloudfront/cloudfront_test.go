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

var at = time.Date(2026, 11, 29, 10, 20, 30, 0, time.UTC)

func static(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: secret, SessionToken: "session-of-a-test"}, nil
}

// A judge is a connection to CloudFront that checks the signature of each request, and keeps its body.
type judge struct {
	t      *testing.T
	lines  []string
	bodies []string
	status int
	answer string
}

func (j *judge) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	require.NoError(j.t, err)
	require.Equal(j.t, authorization(r, string(body)), r.Header.Get("Authorization"))
	require.Equal(j.t, "session-of-a-test", r.Header.Get("X-Amz-Security-Token"))
	require.Equal(j.t, "text/xml", r.Header.Get("Content-Type"))

	j.lines = append(j.lines, r.Method+" "+r.URL.String())
	j.bodies = append(j.bodies, string(body))
	return &http.Response{
		StatusCode: j.status,
		Status:     fmt.Sprint(j.status),
		Header:     http.Header{},
		Request:    r,
		Body:       io.NopCloser(strings.NewReader(j.answer)),
	}, nil
}

// authorization computes the header of Signature Version 4.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func authorization(r *http.Request, body string) string {
	sum := func(text string) string {
		s := sha256.Sum256([]byte(text))
		return hex.EncodeToString(s[:])
	}
	mac := func(key []byte, text string) []byte {
		m := hmac.New(sha256.New, key)
		_, _ = m.Write([]byte(text))
		return m.Sum(nil)
	}
	const names = "content-length;content-type;host;x-amz-date;x-amz-security-token"
	const scope = "20261129/us-east-1/cloudfront/aws4_request"
	canonical := strings.Join([]string{
		r.Method, r.URL.EscapedPath(), "",
		"content-length:" + fmt.Sprint(len(body)), "content-type:" + r.Header.Get("Content-Type"), "host:" + r.URL.Host,
		"x-amz-date:20261129T102030Z", "x-amz-security-token:" + r.Header.Get("X-Amz-Security-Token"), "",
		names, sum(body),
	}, "\n")
	key := []byte("AWS4" + secret)
	for part := range strings.SplitSeq(scope, "/") {
		key = mac(key, part)
	}
	signature := mac(key, "AWS4-HMAC-SHA256\n20261129T102030Z\n"+scope+"\n"+sum(canonical))
	return "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/" + scope + ", SignedHeaders=" + names +
		", Signature=" + hex.EncodeToString(signature)
}

func newPurger(t *testing.T, j *judge) *cloudfront.Purger {
	t.Helper()
	j.t = t
	p, err := cloudfront.NewPurger(t.Context(), cloudfront.Config{
		DistributionID: "EDFDVBD6EXAMPLE",
		Credentials:    aws.CredentialsProviderFunc(static),
		HTTPClient:     &http.Client{Transport: j},
	})
	require.NoError(t, err)
	p.At(at, "reference")
	return p
}

// Purge sends one invalidation with the paths of its URLs.
func TestPurgeRequest(t *testing.T) {
	j := &judge{status: http.StatusCreated}
	require.NoError(t, newPurger(t, j).Purge(t.Context(), []string{
		"https://cdn.example.com/files/a%20b.jpg", "https://cdn.example.com/c?size=2", "https://cdn.example.com",
	}))
	require.Equal(
		t,
		[]string{
			"POST https://cloudfront.amazonaws.com/2020-05-31/distribution/EDFDVBD6EXAMPLE/invalidation",
		},
		j.lines,
	)
	require.Equal(t, []string{
		`<?xml version="1.0" encoding="UTF-8"?>` + "\n" +
			`<InvalidationBatch xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><CallerReference>reference</CallerReference>` +
			`<Paths><Items><Path>/files/a%20b.jpg</Path><Path>/c?size=2</Path><Path>/</Path></Items><Quantity>3</Quantity></Paths></InvalidationBatch>`,
	}, j.bodies)
}

// A request has at most three thousand paths.
func TestPurgeBatches(t *testing.T) {
	j := &judge{status: http.StatusCreated}
	urls := make([]string, 6001)
	for i := range urls {
		urls[i] = fmt.Sprintf("https://cdn.example.com/%d", i)
	}
	require.NoError(t, newPurger(t, j).Purge(t.Context(), urls))
	require.Len(t, j.bodies, 3)
	for i, want := range []int{3000, 3000, 1} {
		require.Equal(t, want, strings.Count(j.bodies[i], "<Path>"))
		require.Contains(t, j.bodies[i], fmt.Sprintf("<Quantity>%d</Quantity>", want))
	}
}

// Purge sends each form of a path, escaped or not, in which viewers may request it.
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
			j := &judge{status: http.StatusCreated}
			require.NoError(t, newPurger(t, j).Purge(t.Context(), []string{tt.url}))
			var request struct {
				Paths struct{ Items struct{ Path []string } }
			}
			require.NoError(t, xml.Unmarshal([]byte(j.bodies[0]), &request))
			require.Equal(t, tt.want, request.Paths.Items.Path)
		})
	}
}

// Each failure has its code, and no error has a secret.
func TestPurgeFailures(t *testing.T) {
	refusal := func(code string) string {
		return `<ErrorResponse xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Error><Type>Sender</Type><Code>` + code +
			`</Code><Message>` + secret + `</Message></Error><RequestId>id</RequestId></ErrorResponse>`
	}
	tests := []struct {
		name      string
		status    int
		answer    string
		want      storage.Code
		temporary bool
	}{
		{
			name:      "too many in progress, whose status is 400",
			status:    400,
			answer:    refusal("TooManyInvalidationsInProgress"),
			want:      storage.RateLimited,
			temporary: true,
		},
		{
			name:      "throttled",
			status:    400,
			answer:    refusal("Throttling"),
			want:      storage.RateLimited,
			temporary: true,
		},
		{
			name:   "a path that is refused",
			status: 400,
			answer: refusal("InvalidArgument"),
			want:   storage.InvalidArgument,
		},
		{name: "no permission", status: 403, answer: refusal("AccessDenied"), want: storage.PermissionDenied},
		{
			name:   "no such distribution",
			status: 404,
			answer: refusal("NoSuchDistribution"),
			want:   storage.InvalidArgument,
		},
		{name: "out of order", status: 503, answer: "<html>", want: storage.Unavailable, temporary: true},
		{name: "a redirect", status: 302, want: storage.InvalidArgument},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			j := &judge{status: tt.status, answer: tt.answer}
			err := newPurger(t, j).Purge(t.Context(), []string{"https://cdn.example.com/a"})
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			require.Equal(t, tt.temporary, storage.IsTemporary(err))
			require.NotContains(t, err.Error(), secret)
			require.Len(t, j.lines, 1)
		})
	}
}

// Purge fails without credentials, and its error has no secret.
func TestPurgeWithoutCredentials(t *testing.T) {
	none := func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, errors.New("line 1: " + secret)
	}
	p, err := cloudfront.NewPurger(
		t.Context(),
		cloudfront.Config{DistributionID: "E", Credentials: aws.CredentialsProviderFunc(none)},
	)
	require.NoError(t, err)
	err = p.Purge(t.Context(), []string{"https://cdn.example.com/a"})
	require.ErrorIs(t, err, storage.Unauthenticated)
	require.NotContains(t, err.Error(), secret)

	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, p.Purge(canceled, []string{"https://cdn.example.com/a"}), storage.Canceled)
}

// NewPurger refuses an invalid Config.
func TestNewPurgerChecksConfig(t *testing.T) {
	for _, id := range []string{"", "../E", "E/invalidation?"} {
		_, err := cloudfront.NewPurger(
			t.Context(),
			cloudfront.Config{DistributionID: id, Credentials: aws.CredentialsProviderFunc(static)},
		)
		require.ErrorIs(t, err, storage.InvalidArgument, id)
		require.ErrorContains(t, err, "Config.DistributionID")
	}
	p := newPurger(t, &judge{})
	require.ErrorIs(t, p.Purge(t.Context(), []string{"/a"}), storage.InvalidArgument)
	require.Equal(t, "{DistributionID:EDFDVBD6EXAMPLE}", fmt.Sprintf("%+v", p))
}

// Without Config.Credentials, NewPurger uses the SDK's default chain of credentials.
func TestNewPurgerDefaultCredentials(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", secret)
	t.Setenv("AWS_SESSION_TOKEN", "session-of-a-test")
	j := &judge{t: t, status: http.StatusCreated}
	p, err := cloudfront.NewPurger(
		t.Context(),
		cloudfront.Config{DistributionID: "EDFDVBD6EXAMPLE", HTTPClient: &http.Client{Transport: j}},
	)
	require.NoError(t, err)
	p.At(at, "reference")

	require.NoError(t, p.Purge(t.Context(), []string{"https://cdn.example.com/a"}))
	require.Len(t, j.lines, 1)
}
