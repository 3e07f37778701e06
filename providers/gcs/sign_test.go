package gcs

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	gcs "cloud.google.com/go/storage"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/internal/sigv4"
)

// signedAt is the time of all signatures in these tests.
var signedAt = time.Date(2026, 3, 4, 5, 6, 7, 890_000_000, time.UTC)

// testAccount is the account that signs in these tests.
const testAccount = "signer@project.iam.gserviceaccount.com"

// testKey is a key that belongs to no account.
var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// testKeyPEM returns testKey as PKCS #8.
func testKeyPEM() string {
	encoded, err := x509.MarshalPKCS8PrivateKey(testKey())
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}))
}

// testKeyFile returns a key file in Google's format.
func testKeyFile() []byte {
	file, err := json.Marshal(map[string]string{
		"type":           "service_account",
		"project_id":     "project",
		"private_key_id": "k1",
		"private_key":    testKeyPEM(),
		"client_email":   testAccount,
		"token_uri":      "https://oauth2.googleapis.com/token",
	})
	if err != nil {
		panic(err)
	}
	return file
}

// newSigningDriver opens a bucket that signs.
func newSigningDriver(t testing.TB, c Config) *objectDriver {
	t.Helper()
	if c.Bucket == "" {
		c.Bucket = "photos"
	}
	if c.SigningKey == nil {
		c.SigningKey = testKeyFile()
	}
	c.Anonymous = true
	d, err := NewDriver(context.Background(), c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d.(*objectDriver)
}

// signedDownload returns a request to sign a download of "a" for an hour. change may be nil.
func signedDownload(change func(r *driver.SignRequest)) *driver.SignRequest {
	r := &driver.SignRequest{Method: http.MethodGet, Key: "a", TTL: time.Hour, MinSize: -1, MaxSize: -1}
	if change != nil {
		change(r)
	}
	return r
}

// signedKeys has one key of each class of the conformance suite's rule K3.
var signedKeys = append(slices.Clone(wiretest.Keys), "a=b&X-Goog-Expires=9", strings.Repeat("k/", 511)+"kk")

// A URL that the driver signs equals the one that the SDK signs at the same time. The SDK always
// signs at the current time.
func TestSignatureMatchesSDK(t *testing.T) {
	const resume = "R\u00e9sum\u00e9 \"1\" + 2.pdf"
	tests := []struct {
		name    string
		request *driver.SignRequest
		sdk     gcs.SignedURLOptions // the same request
	}{
		{
			name:    "upload",
			request: wiretest.SignedUpload(nil),
			sdk:     gcs.SignedURLOptions{ContentType: "text/plain"},
		},
		{
			name: "upload with all properties",
			request: wiretest.SignedUpload(func(r *driver.SignRequest) {
				r.CacheControl = "no-store"
				r.ContentDisposition = `attachment;  filename="a"`
				r.ContentLanguage = "de"
				r.ContentEncoding = "gzip"
				r.StorageClass = "NEARLINE"
				r.PublicRead = true
				r.Condition.Absent = true
				r.MinSize = 5
				r.MaxSize = 5
				r.Metadata = map[string]string{"a": "1", "b-c_d": "x  y"}
			}),
			sdk: gcs.SignedURLOptions{ContentType: "text/plain", Headers: []string{
				"Cache-Control:no-store",
				`Content-Disposition:attachment;  filename="a"`,
				"Content-Language:de",
				"Content-Encoding:gzip",
				"x-goog-storage-class:NEARLINE",
				"x-goog-acl:public-read",
				"x-goog-if-generation-match:0",
				"x-goog-content-length-range:5,5",
				"x-goog-meta-a:1",
				"x-goog-meta-b-c_d:x  y",
			}},
		},
		{
			name: "download of a version, with another type and name",
			request: signedDownload(func(r *driver.SignRequest) {
				r.Version = "17"
				r.ResponseType = "application/pdf"
				r.ResponseName = resume
			}),
			sdk: gcs.SignedURLOptions{QueryParameters: url.Values{
				"generation":                   {"17"},
				"response-content-type":        {"application/pdf"},
				"response-content-disposition": {(&driver.SignRequest{ResponseName: resume}).ResponseDisposition()},
			}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			requireSignedAsBySDK(t, tt.request, tt.sdk)
		})
	}
}

// The driver signs each kind of key as the SDK does.
func TestSignatureOfKeysMatchesSDK(t *testing.T) {
	for _, key := range signedKeys {
		t.Run(fmt.Sprintf("%.20q", key), func(t *testing.T) {
			request := signedDownload(func(r *driver.SignRequest) { r.Key = key })
			requireSignedAsBySDK(t, request, gcs.SignedURLOptions{})
		})
	}
}

// requireSignedAsBySDK signs a URL by the SDK with these options, and requires that the driver signs the same URL for
// the request. Because the SDK signs at the current time, the driver takes the times from the URL of the SDK.
func requireSignedAsBySDK(t *testing.T, request *driver.SignRequest, options gcs.SignedURLOptions) {
	t.Helper()
	options.GoogleAccessID = testAccount
	options.PrivateKey = []byte(testKeyPEM())
	options.Scheme = gcs.SigningSchemeV4
	options.Method = request.Method
	options.Expires = time.Now().Add(time.Hour)
	address, err := gcs.SignedURL("photos", request.Key, &options)
	require.NoError(t, err)
	want, err := url.Parse(address)
	require.NoError(t, err)

	date, err := time.Parse(v4Time, want.Query().Get("X-Goog-Date"))
	require.NoError(t, err)
	seconds, err := strconv.Atoi(want.Query().Get("X-Goog-Expires"))
	require.NoError(t, err)
	request.TTL = time.Duration(seconds) * time.Second
	signedURL, err := newSigningDriver(t, Config{}).urls.sign(t.Context(), request, date)
	require.NoError(t, err)

	got, err := url.Parse(signedURL.URL)
	require.NoError(t, err)
	require.Equal(t, want.Query(), got.Query())
	require.Equal(t, want.EscapedPath(), got.EscapedPath())
	require.Equal(t, want.Host, got.Host)
}

// A signed upload lists the headers that its client must send, and signs each of them.
func TestSignedUploadHeaders(t *testing.T) {
	tests := []struct {
		name   string
		change func(r *driver.SignRequest)
		want   http.Header
	}{
		{name: "a content type", want: http.Header{"Content-Type": {"text/plain"}}},
		{
			name:   "no content type",
			change: func(r *driver.SignRequest) { r.ContentType = "" },
			want:   http.Header{},
		},
		{
			name: "a size",
			change: func(r *driver.SignRequest) {
				r.MinSize = 5
				r.MaxSize = 5
			},
			want: http.Header{"Content-Type": {"text/plain"}, "X-Goog-Content-Length-Range": {"5,5"}},
		},
		{
			name: "size of zero",
			change: func(r *driver.SignRequest) {
				r.MinSize = 0
				r.MaxSize = 0
			},
			want: http.Header{"Content-Type": {"text/plain"}, "X-Goog-Content-Length-Range": {"0,0"}},
		},
		{
			name:   "IfAbsent",
			change: func(r *driver.SignRequest) { r.Condition.Absent = true },
			want:   http.Header{"Content-Type": {"text/plain"}, "X-Goog-If-Generation-Match": {"0"}},
		},
		{
			name:   "a checksum",
			change: func(r *driver.SignRequest) { r.CRC32C = storage.CRC32C{Sum: 0xdeadbeef, Known: true} },
			want:   http.Header{"Content-Type": {"text/plain"}, "X-Goog-Hash": {"crc32c=3q2+7w=="}},
		},
		{
			name:   "public read",
			change: func(r *driver.SignRequest) { r.PublicRead = true },
			want:   http.Header{"Content-Type": {"text/plain"}, "X-Goog-Acl": {"public-read"}},
		},
		{
			name:   "metadata",
			change: func(r *driver.SignRequest) { r.Metadata = map[string]string{"a_b": "x  y"} },
			want:   http.Header{"Content-Type": {"text/plain"}, "X-Goog-Meta-A_b": {"x  y"}},
		},
		{
			name:   "empty metadata",
			change: func(r *driver.SignRequest) { r.Metadata = map[string]string{"a": ""} },
			want:   http.Header{"Content-Type": {"text/plain"}, "X-Goog-Meta-A": {""}},
		},
		{
			name: "other properties",
			change: func(r *driver.SignRequest) {
				r.CacheControl = "no-store"
				r.ContentDisposition = "inline"
				r.ContentLanguage = "de"
				r.ContentEncoding = "gzip"
				r.StorageClass = "NEARLINE"
			},
			want: http.Header{
				"Content-Type":         {"text/plain"},
				"Cache-Control":        {"no-store"},
				"Content-Disposition":  {"inline"},
				"Content-Language":     {"de"},
				"Content-Encoding":     {"gzip"},
				"X-Goog-Storage-Class": {"NEARLINE"},
			},
		},
	}
	d := newSigningDriver(t, Config{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			signedURL, err := d.urls.sign(t.Context(), wiretest.SignedUpload(tt.change), signedAt)
			require.NoError(t, err)
			require.Equal(t, http.MethodPut, signedURL.Method)
			require.Equal(t, tt.want, signedURL.Header)

			signed := []string{"host"}
			for name := range tt.want {
				signed = append(signed, strings.ToLower(name))
			}
			address, err := url.Parse(signedURL.URL)
			require.NoError(t, err)
			require.ElementsMatch(t, signed, strings.Split(address.Query().Get("X-Goog-SignedHeaders"), ";"))
		})
	}
}

// A signed URL uses the signing base URL.
func TestSignedURLBaseURL(t *testing.T) {
	tests := []struct {
		name       string
		config     Config
		base, want string
	}{
		{name: "default", config: Config{}, want: "https://storage.googleapis.com/photos/a/b%20c"},
		{
			name:   "endpoint",
			config: Config{Endpoint: "http://127.0.0.1:4443"},
			want:   "http://127.0.0.1:4443/photos/a/b%20c",
		},
		{
			name:   "endpoint, another base URL",
			config: Config{Endpoint: "http://gcs:4443"},
			base:   "https://files.example.com",
			want:   "https://files.example.com/photos/a/b%20c",
		},
		{
			name:   "bucket named like Google's host",
			config: Config{Bucket: "storage"},
			want:   "https://storage.googleapis.com/storage/a/b%20c",
		},
		{
			name:   "bucket named like the host of the endpoint",
			config: Config{Bucket: "gcs", Endpoint: "http://gcs.local:4443"},
			want:   "http://gcs.local:4443/gcs/a/b%20c",
		},
		{
			name:   "base URL with a path",
			config: Config{},
			base:   "https://example.com/gcs%2Fx/",
			want:   "https://example.com/gcs%2Fx/photos/a/b%20c",
		},
		{
			name:   "base URL of a virtual host of the bucket",
			config: Config{},
			base:   "https://photos.storage.googleapis.com/",
			want:   "https://photos.storage.googleapis.com/a/b%20c",
		},
		{
			name:   "base URL of a domain with the bucket's name",
			config: Config{Bucket: "cdn.example.com"},
			base:   "https://cdn.example.com",
			want:   "https://cdn.example.com/a/b%20c",
		},
		{
			name:   "bucket named like the start of an IP address",
			config: Config{Bucket: "127"},
			base:   "http://127.0.0.1:4443",
			want:   "http://127.0.0.1:4443/127/a/b%20c",
		},
		{
			name:   "bucket named like the host of the base URL",
			config: Config{Bucket: "localhost"},
			base:   "http://localhost:4443",
			want:   "http://localhost:4443/localhost/a/b%20c",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newSigningDriver(t, tt.config)
			signedURL, err := d.urls.sign(t.Context(), signedDownload(func(r *driver.SignRequest) {
				r.Key = "a/b c"
				r.BaseURL = tt.base
			}), signedAt)
			require.NoError(t, err)
			address, _, _ := strings.Cut(signedURL.URL, "?")
			require.Equal(t, tt.want, address)
		})
	}
}

// A signed URL is valid until ExpiresAt. This is no earlier than requested, unless the signer's
// limit is earlier.
func TestSignedURLExpiresAsReported(t *testing.T) {
	start := signedAt.Truncate(time.Second)
	tests := []struct {
		name    string
		ttl     time.Duration
		maxTerm time.Duration
		want    time.Duration // counted from the second in the URL
	}{
		// The URL has whole seconds, and the current second has begun already. So most of these times are one second
		// longer than the TTL.
		{name: "a second", ttl: time.Second, maxTerm: sigv4.MaxTerm, want: 2 * time.Second},
		{name: "an hour", ttl: time.Hour, maxTerm: sigv4.MaxTerm, want: time.Hour + time.Second},
		{name: "seven days, and no more", ttl: sigv4.MaxTerm, maxTerm: sigv4.MaxTerm, want: sigv4.MaxTerm},
		{
			name:    "no longer than Google's keys",
			ttl:     sigv4.MaxTerm,
			maxTerm: maxSignedByIAM,
			want:    maxSignedByIAM,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Replace the signer of the driver by one that signs for at most maxTerm.
			d := newSigningDriver(t, Config{})
			var limited signer = shortLived{*d.account.signerFinder.cached.Load(), tt.maxTerm}
			d.account.signerFinder.cached.Store(&limited)

			r := signedDownload(func(r *driver.SignRequest) {
				r.TTL = tt.ttl
			})
			signedURL, err := d.urls.sign(t.Context(), r, signedAt)
			require.NoError(t, err)
			require.Equal(t, start.Add(tt.want), signedURL.ExpiresAt)

			address, err := url.Parse(signedURL.URL)
			require.NoError(t, err)
			require.Equal(t, "20260304T050607Z", address.Query().Get("X-Goog-Date"))
			require.Equal(t, fmt.Sprint(int(tt.want.Seconds())), address.Query().Get("X-Goog-Expires"))
		})
	}
}

// stableForADay returns a request for a URL that stays the same for a day.
func stableForADay() *driver.SignRequest {
	return signedDownload(func(r *driver.SignRequest) {
		r.StableFor = 24 * time.Hour
	})
}

// With StableFor, the URLs that two processes sign on one day are equal.
func TestStableURLsOfGoogle(t *testing.T) {
	morning := time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)
	endOfDay := time.Date(2026, 3, 4, 23, 59, 59, 999_999_999, time.UTC)

	first, err := newSigningDriver(t, Config{}).urls.sign(t.Context(), stableForADay(), morning)
	require.NoError(t, err)
	last, err := newSigningDriver(t, Config{}).urls.sign(t.Context(), stableForADay(), endOfDay)
	require.NoError(t, err)
	require.Equal(t, first, last)
	require.Equal(t, time.Date(2026, 3, 5, 1, 0, 0, 0, time.UTC), first.ExpiresAt)
}

// Signing with StableFor fails with Unsupported if Google's IAM signs, because its URLs end too early.
func TestStableURLsNotByIAM(t *testing.T) {
	d := newSigningDriver(t, Config{})
	var byIAM signer = newIAMSigner("signer@example.com", d.account)
	d.account.signerFinder.cached.Store(&byIAM)

	_, err := d.urls.sign(t.Context(), stableForADay(), signedAt)
	require.ErrorIs(t, err, storage.Unsupported)
	require.Zero(t, d.Describe().Features&storage.StableURLs)
}

// A shortLived is a signer whose signatures are valid for a limited time.
type shortLived struct {
	signer
	most time.Duration
}

// maxTerm returns the limit of the test.
func (s shortLived) maxTerm() time.Duration { return s.most }

// Signing fails with Unsupported for metadata or a disposition that no header can hold, and for a
// method that cannot be signed.
func TestSignedURLUnsupported(t *testing.T) {
	tests := []struct {
		name    string
		request *driver.SignRequest
		wantErr string // part of the text, or ""
	}{
		{
			name: "metadata that no header holds",
			request: wiretest.SignedUpload(func(r *driver.SignRequest) {
				r.Metadata = map[string]string{"k": "é"}
			}),
			wantErr: "X-Goog-Meta-K",
		},
		{
			name: "a disposition that no header holds",
			request: wiretest.SignedUpload(func(r *driver.SignRequest) {
				r.ContentDisposition = `inline; filename="日"`
			}),
			wantErr: "Content-Disposition",
		},
		{
			name: "another method",
			request: signedDownload(func(r *driver.SignRequest) {
				r.Method = http.MethodPatch
			}),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			signedURL, err := newSigningDriver(t, Config{}).urls.sign(t.Context(), tt.request, signedAt)
			require.Nil(t, signedURL)
			require.ErrorIs(t, err, storage.Unsupported)
			if tt.wantErr != "" {
				require.ErrorContains(t, err, tt.wantErr)
			}
		})
	}
}
