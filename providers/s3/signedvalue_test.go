package s3

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/s3/internal/signature"
)

// nativeValues returns the values of options of this package.
func nativeValues(opts ...SignedOption) []any {
	var values []any
	for _, opt := range opts {
		var signOpts storage.SignOptions
		// This error can be ignored, because tests of invalid options do not use nativeValues.
		_ = signOpts.ApplyDownload(opt)
		for _, native := range signOpts.Native {
			values = append(values, native.Value)
		}
	}
	return values
}

// signedDownload returns a request to sign a download of "a b" for a minute. change may change it, and
// may be nil.
func signedDownload(change func(r *driver.SignRequest)) *driver.SignRequest {
	r := &driver.SignRequest{Method: http.MethodGet, Key: "a b", TTL: time.Minute, MinSize: -1, MaxSize: -1}
	if change != nil {
		change(r)
	}
	return r
}

// presignWithSDK returns the URL of the SDK's signer for a request.
func presignWithSDK(t *testing.T, method, query string, header http.Header, seconds string) string {
	t.Helper()
	address := "https://photos.s3.eu-west-1.amazonaws.com/a%20b?X-Amz-Expires=" + seconds
	if query != "" {
		address += "&" + query
	}
	r, err := http.NewRequest(method, address, nil)
	require.NoError(t, err)
	r.Header = header
	credentials := aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "secret"}
	signedURL, _, err := atTime{now}.PresignHTTP(t.Context(), credentials, r, signature.UnsignedPayload, "s3",
		"eu-west-1", now)
	require.NoError(t, err)
	return signedURL
}

// A URL with WithSignedParameter or WithSignedHeader equals the one that the SDK signs for the same request.
func TestWithSignedParameterMatchesSDK(t *testing.T) {
	// A URL for a minute is valid from the start of the current second, so it is valid for one second more.
	const seconds = "61"
	tests := []struct {
		name   string
		change func(r *driver.SignRequest) // of a request for a download
		opts   []SignedOption

		// These fields describe the same request for the SDK.
		method string
		query  string
		header http.Header
	}{
		{
			name:   "a parameter",
			opts:   []SignedOption{WithSignedParameter("x-user", "a b&c=d")},
			method: "GET",
			query:  "x-user=a%20b%26c%3Dd",
		},
		{
			name: "parameters in any order",
			change: func(r *driver.SignRequest) {
				r.Version = "v"
				r.ResponseType = "text/plain"
			},
			opts:   []SignedOption{WithSignedParameter("z", "1"), WithSignedParameter("a", "2")},
			method: "GET",
			query:  "a=2&response-content-type=text%2Fplain&versionId=v&z=1",
		},
		{
			name:   "a header",
			opts:   []SignedOption{WithSignedHeader("range", "bytes=0-9")},
			method: "GET",
			header: http.Header{"Range": {"bytes=0-9"}},
		},
		{
			name: "an upload",
			change: func(r *driver.SignRequest) {
				r.Method = "PUT"
				r.ContentType = "text/plain"
			},
			opts:   []SignedOption{WithSignedHeader("X-Team", "blue"), WithSignedParameter("job", "7")},
			method: "PUT",
			query:  "job=7",
			header: http.Header{"Content-Type": {"text/plain"}, "X-Team": {"blue"}},
		},
		{
			name: "a removal",
			change: func(r *driver.SignRequest) {
				r.Method = "DELETE"
				r.Version = "v/1"
			},
			opts:   []SignedOption{WithSignedParameter("job", "7")},
			method: "DELETE",
			query:  "job=7&versionId=v%2F1",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := signedDownload(tt.change)
			r.Native = nativeValues(tt.opts...)
			got, err := mustOpen(t, Config{}).urls.sign(t.Context(), r, now)
			require.NoError(t, err)
			require.Equal(t, presignWithSDK(t, tt.method, tt.query, tt.header.Clone(), seconds), got.URL)
			require.Equal(t, tt.method, got.Method)
			require.Len(t, got.Header, len(tt.header))
		})
	}
}

// WithSignedParameter and WithSignedHeader refuse a name or a value that the signature or another
// option determines, or that a client cannot send.
func TestWithSignedParameterRefused(t *testing.T) {
	b := engine.New(mustOpen(t, Config{}))
	for name, o := range map[string]SignedOption{
		"a parameter of the signature":     WithSignedParameter("X-Amz-Expires", "604800"),
		"one in other letters":             WithSignedParameter("x-amz-expires", "604800"),
		"the version":                      WithSignedParameter("versionId", "1"),
		"a part":                           WithSignedParameter("uploadId", "1"),
		"a removal of tags":                WithSignedParameter("tagging", ""),
		"an access control list":           WithSignedParameter("acl", "1"),
		"the end of a lock":                WithSignedParameter("legal-hold", "1"),
		"a copy":                           WithSignedHeader("x-amz-copy-source", "photos/secret"),
		"a copy of a range":                WithSignedHeader("x-amz-copy-source-range", "bytes=0-9"),
		"a header that browsers set":       WithSignedHeader("referer", "https://example.com/"),
		"one of their beginnings":          WithSignedHeader("sec-fetch-mode", "cors"),
		"a header that clients consume":    WithSignedHeader("trailer", "x-a"),
		"a separator in a name":            WithSignedParameter("a&b", "1"),
		"a parameter without a name":       WithSignedParameter("", "1"),
		"a name with a capital":            WithSignedParameter("Name", "1"),
		"the host":                         WithSignedHeader("Host", "example.com"),
		"a date":                           WithSignedHeader("x-amz-date", "20260101T000000Z"),
		"a length":                         WithSignedHeader("content-length", "1"),
		"a session":                        WithSignedHeader("x-amz-security-token", "t"),
		"a header without a name":          WithSignedHeader("", "1"),
		"a separator in a header":          WithSignedHeader("a: b", "1"),
		"a value of two lines":             WithSignedHeader("x-a", "1\r\nx-b: 2"),
		"a value that is not ASCII":        WithSignedHeader("x-a", "\u00e9"),
		"no value":                         WithSignedHeader("x-a", ""),
		"a space that signers leave out":   WithSignedHeader("x-a", "a  b"),
		"a space at the end of the header": WithSignedHeader("x-a", "a "),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := b.SignedDownloadURL(t.Context(), "a", o)
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}

	for name, opts := range map[string][]storage.SignedUploadOption{
		"a parameter twice": {WithSignedParameter("a", "1"), WithSignedParameter("a", "2")},
		"a header twice":    {WithSignedHeader("x-a", "1"), WithSignedHeader("X-A", "2")},
		"a header that another option has": {
			storage.WithContentType("text/plain"), WithSignedHeader("content-type", "text/html"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := b.SignedUploadURL(t.Context(), "a", opts...)
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}

	t.Run("a parameter that WithStableFor sets", func(t *testing.T) {
		_, err := b.SignedDownloadURL(t.Context(), "a", storage.WithStableFor(time.Hour),
			WithSignedParameter("response-cache-control", "no-store"))
		require.ErrorIs(t, err, storage.InvalidArgument)
	})
	t.Run("a header of a form", func(t *testing.T) {
		_, err := storage.SignedUploadForm(t.Context(), b, "a", 0, 1, WithSignedHeader("x-a", "1"))
		require.ErrorIs(t, err, storage.Unsupported)
	})
	t.Run("a native option of a removal", func(t *testing.T) {
		_, err := storage.SignedRemoveURL(t.Context(), b, "a", storage.WithNative(provider, 1))
		require.ErrorIs(t, err, storage.Unsupported)
	})
}

// The value of a signed header or parameter does not appear when the option is printed.
func TestWithSignedHeaderIsNotPrinted(t *testing.T) {
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		require.NotContains(t, fmt.Sprintf(format, WithSignedHeader("x-user", "SECRET")), "SECRET")
		require.NotContains(t, fmt.Sprintf(format, []any{WithSignedParameter("user", "SECRET")}), "SECRET")
	}
}

// Some headers make MinIO remove more, even if they are not signed. So a signed removal signs each
// of them with the value false. Servers that are known not to have such headers get none.
func TestSignedRemoveURLCoversHeaders(t *testing.T) {
	const force, bypass = "X-Minio-Force-Delete", "X-Amz-Bypass-Governance-Retention"
	tests := []struct {
		profile       string   // names the server, if it is known
		wantOfObject  []string // the headers that the removal of an object signs
		wantOfVersion []string // the headers that the removal of a version signs
	}{
		{profile: "aws"},
		{profile: "versitygw"},
		{profile: "minio", wantOfObject: []string{force}, wantOfVersion: []string{bypass, force}},
		{profile: "unknown", wantOfObject: []string{force}, wantOfVersion: []string{force}},
		{profile: "", wantOfObject: []string{force}, wantOfVersion: []string{force}},
		{profile: "mine" + ProbedSuffix, wantOfObject: []string{force}, wantOfVersion: []string{force}},
	}

	for _, tt := range tests {
		t.Run(tt.profile, func(t *testing.T) {
			// A removal of an object has no version.
			profile := Profile{Name: tt.profile}
			header := http.Header{}
			profile.narrowRemoval(header, "")
			require.Equal(t, tt.wantOfObject, slices.Sorted(maps.Keys(header)))

			// A removal of a version has the id of the version.
			header = http.Header{}
			profile.narrowRemoval(header, "v")
			require.Equal(t, tt.wantOfVersion, slices.Sorted(maps.Keys(header)))
			for name := range header {
				require.Equal(t, "false", header.Get(name))
			}
		})
	}
}

// A header that the program has set keeps its value in a signed removal.
func TestSignedRemoveURLKeepsHeaders(t *testing.T) {
	const bypass, version = "X-Amz-Bypass-Governance-Retention", "v"
	profile := Profile{Name: "minio"}
	header := http.Header{bypass: {"true"}}

	profile.narrowRemoval(header, version)
	require.Equal(t, "true", header.Get(bypass))
}

// A signed removal has the key in its path, with each byte escaped, and needs no header.
func TestSignedRemoveURLEscapesPath(t *testing.T) {
	d := mustOpen(t, Config{})
	for _, key := range keys {
		req := signedDownload(func(r *driver.SignRequest) {
			r.Method = http.MethodDelete
			r.Key = key
		})
		signedURL, err := d.urls.sign(t.Context(), req, now)
		require.NoError(t, err)
		wiretest.RequireEscapedPath(t, signedURL.URL, "/"+key)
		require.Empty(t, signedURL.Header)
	}
}

// With StableFor, all processes sign the same URL within one period, and another URL in the next
// period.
func TestStableURLsOfS3(t *testing.T) {
	hour := time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)
	stable := signedDownload(func(r *driver.SignRequest) {
		r.StableFor = time.Hour
		r.ResponseCacheControl = "private, max-age=3600"
	})

	signAt := func(now time.Time) *storage.SignedURL {
		signedURL, err := mustOpen(t, Config{}).urls.sign(t.Context(), stable, now)
		require.NoError(t, err)
		return signedURL
	}

	// A URL from the last moment of the period is valid for a minute, too.
	signedURL := signAt(hour)
	require.Equal(t, hour.Add(time.Hour+time.Minute), signedURL.ExpiresAt)
	u, err := url.Parse(signedURL.URL)
	require.NoError(t, err)
	require.Equal(t, "private, max-age=3600", u.Query().Get("response-cache-control"))

	require.Equal(t, signedURL, signAt(hour.Add(time.Hour-1)))
	require.NotEqual(t, signedURL.URL, signAt(hour.Add(time.Hour)).URL)
}

// The credentials of a session cannot sign stable URLs, because the URLs change with the next
// session.
func TestStableURLsOfSession(t *testing.T) {
	stable := signedDownload(func(r *driver.SignRequest) {
		r.StableFor = time.Hour
	})
	for name, c := range map[string]Config{
		"a session": {
			AWS: &aws.Config{Credentials: expiring{now.Add(24 * time.Hour)}, Region: "eu-west-1"},
		},
		"a session with unknown expiry": {AWS: &aws.Config{Credentials: expiring{}, Region: "eu-west-1"}},
		"a session that the program has": {
			AccessKeyID:  "AKID",
			SecretKey:    "secret",
			SessionToken: "tok/en+==",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := mustOpen(t, c).urls.sign(t.Context(), stable, now)
			require.ErrorIs(t, err, storage.Unsupported)
			require.NotContains(t, err.Error(), "secret")
			require.NotContains(t, err.Error(), "tok/en")
		})
	}
}

// A bucket that is opened with a session declares no stable URLs.
func TestSupportsStableURLsOfSession(t *testing.T) {
	b := engine.New(mustOpen(t, Config{AccessKeyID: "AKID", SecretKey: "secret", SessionToken: "token"}))
	require.False(t, storage.Supports(b, storage.StableURLs))
	require.True(t, storage.Supports(b, storage.SignedRemovals))
}
