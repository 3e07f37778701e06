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

const testAccount = "signer@project.iam.gserviceaccount.com"

// testKey is a key that belongs to no account.
var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

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

func signedDownload(change func(r *driver.SignRequest)) *driver.SignRequest {
	r := &driver.SignRequest{Method: http.MethodGet, Key: "a", TTL: time.Hour, MinSize: -1, MaxSize: -1}
	if change != nil {
		change(r)
	}
	return r
}

// signedKeys has one key of each class of rule K3.
var signedKeys = append(slices.Clone(wiretest.Keys), "a=b&X-Goog-Expires=9", strings.Repeat("k/", 511)+"kk")

// A URL that the driver signs equals the SDK's for the same time. The SDK always signs at the current time.
func TestSignatureMatchesSDK(t *testing.T) {
	const resume = "R\u00e9sum\u00e9 \"1\" + 2.pdf"
	type row struct {
		name    string
		request *driver.SignRequest
		sdk     gcs.SignedURLOptions
	}
	rows := []row{
		{"an upload", wiretest.SignedUpload(nil), gcs.SignedURLOptions{ContentType: "text/plain"}},
		{"an upload with all properties", wiretest.SignedUpload(func(r *driver.SignRequest) {
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
		}), gcs.SignedURLOptions{ContentType: "text/plain", Headers: []string{
			"Cache-Control:no-store", `Content-Disposition:attachment;  filename="a"`, "Content-Language:de", "Content-Encoding:gzip",
			"x-goog-storage-class:NEARLINE", "x-goog-acl:public-read", "x-goog-if-generation-match:0", "x-goog-content-length-range:5,5",
			"x-goog-meta-a:1", "x-goog-meta-b-c_d:x  y",
		}}},
		{"a download as another type and name", signedDownload(func(r *driver.SignRequest) {
			r.Version = "17"
			r.ResponseType = "application/pdf"
			r.ResponseName = resume
		}), gcs.SignedURLOptions{QueryParameters: url.Values{
			"generation":                   {"17"},
			"response-content-type":        {"application/pdf"},
			"response-content-disposition": {(&driver.SignRequest{ResponseName: resume}).ResponseDisposition()},
		}}},
	}
	for _, key := range signedKeys {
		rows = append(rows, row{fmt.Sprintf("key %.20q", key), signedDownload(func(r *driver.SignRequest) {
			r.Key = key
		}), gcs.SignedURLOptions{}})
	}

	d := newSigningDriver(t, Config{})
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			row.sdk.GoogleAccessID, row.sdk.PrivateKey = testAccount, []byte(testKeyPEM())
			row.sdk.Scheme, row.sdk.Method, row.sdk.Expires = gcs.SigningSchemeV4, row.request.Method, time.Now().Add(time.Hour)
			want, err := gcs.SignedURL("photos", row.request.Key, &row.sdk)
			require.NoError(t, err)
			address, err := url.Parse(want)
			require.NoError(t, err)
			query := address.Query()
			date, err := time.Parse(v4Time, query.Get("X-Goog-Date"))
			require.NoError(t, err)
			seconds, err := strconv.Atoi(query.Get("X-Goog-Expires"))
			require.NoError(t, err)
			row.request.TTL = time.Duration(seconds) * time.Second
			signedURL, err := d.urls.sign(t.Context(), row.request, date)
			require.NoError(t, err)

			u, err := url.Parse(signedURL.URL)
			require.NoError(t, err)
			require.Equal(t, query, u.Query())
			require.Equal(t, address.EscapedPath(), u.EscapedPath())
			require.Equal(t, address.Host, u.Host)
		})
	}
}

func TestSignedUploadHeaders(t *testing.T) {
	sum := uint32(0xdeadbeef)
	d := newSigningDriver(t, Config{})
	tests := map[string]struct {
		ask  func(r *driver.SignRequest)
		want http.Header
	}{
		"a content type": {nil, http.Header{"Content-Type": {"text/plain"}}},
		"no content type": {func(r *driver.SignRequest) {
			r.ContentType = ""
		}, http.Header{}},
		"a size": {func(r *driver.SignRequest) {
			r.MinSize = 5
			r.MaxSize = 5
		}, http.Header{"Content-Type": {"text/plain"}, "X-Goog-Content-Length-Range": {"5,5"}}},
		"no byte": {func(r *driver.SignRequest) {
			r.MinSize = 0
			r.MaxSize = 0
		}, http.Header{"Content-Type": {"text/plain"}, "X-Goog-Content-Length-Range": {"0,0"}}},
		"create only": {func(r *driver.SignRequest) {
			r.Condition.Absent = true
		}, http.Header{"Content-Type": {"text/plain"}, "X-Goog-If-Generation-Match": {"0"}}},
		"a checksum": {func(r *driver.SignRequest) {
			r.CRC32C = storage.CRC32C{Sum: sum, Known: true}
		}, http.Header{"Content-Type": {"text/plain"}, "X-Goog-Hash": {"crc32c=3q2+7w=="}}},
		"readable by all": {func(r *driver.SignRequest) {
			r.PublicRead = true
		}, http.Header{"Content-Type": {"text/plain"}, "X-Goog-Acl": {"public-read"}}},
		"metadata": {func(r *driver.SignRequest) {
			r.Metadata = map[string]string{"a_b": "x  y"}
		}, http.Header{"Content-Type": {"text/plain"}, "X-Goog-Meta-A_b": {"x  y"}}},
		"metadata of none": {func(r *driver.SignRequest) {
			r.Metadata = map[string]string{"a": ""}
		}, http.Header{"Content-Type": {"text/plain"}, "X-Goog-Meta-A": {""}}},
		"other properties": {func(r *driver.SignRequest) {
			r.CacheControl = "no-store"
			r.ContentDisposition = "inline"
			r.ContentLanguage = "de"
			r.ContentEncoding = "gzip"
			r.StorageClass = "NEARLINE"
		}, http.Header{
			"Content-Type":         {"text/plain"},
			"Cache-Control":        {"no-store"},
			"Content-Disposition":  {"inline"},
			"Content-Language":     {"de"},
			"Content-Encoding":     {"gzip"},
			"X-Goog-Storage-Class": {"NEARLINE"},
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			signedURL, err := d.urls.sign(t.Context(), wiretest.SignedUpload(tt.ask), signedAt)
			require.NoError(t, err)
			require.Equal(t, http.MethodPut, signedURL.Method)
			require.Equal(t, tt.want, signedURL.Header)

			names := []string{"host"}
			for name := range tt.want {
				names = append(names, strings.ToLower(name))
			}

			address, err := url.Parse(signedURL.URL)
			require.NoError(t, err)
			require.ElementsMatch(t, names, strings.Split(address.Query().Get("X-Goog-SignedHeaders"), ";"), "each is signed")
		})
	}
}

// A signed URL uses the signing base URL.
func TestSignedURLBaseURL(t *testing.T) {
	tests := map[string]struct {
		config     Config
		base, want string
	}{
		"Google":                            {Config{}, "", "https://storage.googleapis.com/photos/a/b%20c"},
		"an endpoint":                       {Config{Endpoint: "http://127.0.0.1:4443"}, "", "http://127.0.0.1:4443/photos/a/b%20c"},
		"an endpoint seen from elsewhere":   {Config{Endpoint: "http://gcs:4443"}, "https://files.example.com", "https://files.example.com/photos/a/b%20c"},
		"a bucket that is called as Google": {Config{Bucket: "storage"}, "", "https://storage.googleapis.com/storage/a/b%20c"},
		"a bucket that is called as a host": {Config{Bucket: "gcs", Endpoint: "http://gcs.local:4443"}, "", "http://gcs.local:4443/gcs/a/b%20c"},
		"a path in front":                   {Config{}, "https://example.com/gcs%2Fx/", "https://example.com/gcs%2Fx/photos/a/b%20c"},
		"a virtual host":                    {Config{}, "https://photos.storage.googleapis.com/", "https://photos.storage.googleapis.com/a/b%20c"},
		"a domain of the bucket's name":     {Config{Bucket: "cdn.example.com"}, "https://cdn.example.com", "https://cdn.example.com/a/b%20c"},
		"a bucket that is called as a net":  {Config{Bucket: "127"}, "http://127.0.0.1:4443", "http://127.0.0.1:4443/127/a/b%20c"},
		"a bucket that is called as a box":  {Config{Bucket: "localhost"}, "http://localhost:4443", "http://localhost:4443/localhost/a/b%20c"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
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

func TestSignedURLExpiresAsReported(t *testing.T) {
	start := signedAt.Truncate(time.Second)
	tests := map[string]struct {
		ttl     time.Duration
		maxTerm time.Duration
		want    time.Duration // from the second in the URL
	}{
		"a second":                     {time.Second, sigv4.MaxTerm, 2 * time.Second}, // never less than requested
		"an hour":                      {time.Hour, sigv4.MaxTerm, time.Hour + time.Second},
		"seven days, and no more":      {sigv4.MaxTerm, sigv4.MaxTerm, sigv4.MaxTerm},
		"no longer than Google's keys": {sigv4.MaxTerm, maxSignedByIAM, maxSignedByIAM},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := newSigningDriver(t, Config{})
			var s signer = shortLived{*d.account.signerFinder.cached.Load(), tt.maxTerm}
			d.account.signerFinder.cached.Store(&s)

			signedURL, err := d.urls.sign(t.Context(), signedDownload(func(r *driver.SignRequest) {
				r.TTL = tt.ttl
			}), signedAt)
			require.NoError(t, err)
			require.Equal(t, start.Add(tt.want), signedURL.ExpiresAt)

			address, err := url.Parse(signedURL.URL)
			require.NoError(t, err)
			require.Equal(t, "20260304T050607Z", address.Query().Get("X-Goog-Date"))
			require.Equal(t, fmt.Sprint(int(tt.want.Seconds())), address.Query().Get("X-Goog-Expires"))
		})
	}
}

func TestStableURLsOfGoogle(t *testing.T) {
	when := time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)
	stable := signedDownload(func(r *driver.SignRequest) {
		r.StableFor = 24 * time.Hour
	})
	first, err := newSigningDriver(t, Config{}).urls.sign(t.Context(), stable, when)
	require.NoError(t, err)

	last, err := newSigningDriver(t, Config{}).urls.sign(t.Context(), stable, when.Add(19*time.Hour-1))
	require.NoError(t, err)
	require.Equal(t, first, last, "two processes on one day")
	require.Equal(t, time.Date(2026, 3, 5, 1, 0, 0, 0, time.UTC), first.ExpiresAt)

	d := newSigningDriver(t, Config{})
	var byIAM signer = newIAMSigner("signer@example.com", d.account)
	d.account.signerFinder.cached.Store(&byIAM)
	_, err = d.urls.sign(t.Context(), stable, when)
	require.ErrorIs(t, err, storage.Unsupported)
	require.False(t, d.Describe().Features&storage.StableURLs != 0)
}

type shortLived struct {
	signer
	most time.Duration
}

func (s shortLived) maxTerm() time.Duration { return s.most }

// Signing is Unsupported for metadata or a disposition that no header can hold, and for another method.
func TestSignedURLUnsupported(t *testing.T) {
	tests := map[string]struct {
		request *driver.SignRequest
		hint    string
	}{
		"metadata that no header holds": {wiretest.SignedUpload(func(r *driver.SignRequest) {
			r.Metadata = map[string]string{"k": "\u00e9"}
		}), "X-Goog-Meta-K"},
		"a disposition that no header has": {wiretest.SignedUpload(func(r *driver.SignRequest) {
			r.ContentDisposition = "inline; filename=\"\u65e5\""
		}), "Content-Disposition"},
		"another method": {signedDownload(func(r *driver.SignRequest) {
			r.Method = http.MethodPatch
		}), ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			signedURL, err := newSigningDriver(t, Config{}).urls.sign(t.Context(), tt.request, signedAt)
			require.Nil(t, signedURL)
			require.ErrorIs(t, err, storage.Unsupported)
			if tt.hint != "" {
				require.ErrorContains(t, err, tt.hint)
			}
		})
	}
}
