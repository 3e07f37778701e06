package signedurl_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/escape"
	"github.com/omnibucket/storage/internal/signedurl"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// base is the address below which the signed URLs lie.
const base = "https://files.example.com/b/"

// newSecret returns a secret that consists of one byte.
func newSecret(fill byte) []byte { return bytes.Repeat([]byte{fill}, signedurl.MinSecret) }

// newKeys returns signing keys with these secrets. The first one signs.
func newKeys(t testing.TB, secrets ...[]byte) signedurl.Keys {
	t.Helper()
	k, err := signedurl.NewKeys(secrets)
	require.NoError(t, err)
	return k
}

// uploadRequest returns a request to sign an upload with all options.
func uploadRequest() *driver.SignRequest {
	const crc = 0xE3069283 // of "123456789"
	r := &driver.SignRequest{
		Method:    http.MethodPut,
		Key:       "a/b c",
		TTL:       time.Hour,
		BaseURL:   base,
		MinSize:   1,
		MaxSize:   9,
		CRC32C:    storage.CRC32C{Sum: crc, Known: true},
		Controls:  storage.Controls{PublicRead: true},
		Condition: storage.Condition{Absent: true},
	}
	r.ContentType = "image/png"
	r.CacheControl = "no-store"
	r.StorageClass = "COLD"
	r.Metadata = map[string]string{"name": "caf\u00e9 & co"}
	return r
}

// downloadRequest returns a request to sign a download with all options.
func downloadRequest() *driver.SignRequest {
	return &driver.SignRequest{
		Method:       http.MethodGet,
		Key:          "a/b c",
		TTL:          time.Hour,
		BaseURL:      base,
		MinSize:      -1,
		MaxSize:      -1,
		Version:      "memory:7",
		ResponseType: "text/plain; charset=utf-8",
		ResponseName: "r\u00e9sum\u00e9.txt",
	}
}

// A request is what a client sends to a signed URL.
type request struct {
	bucket, method, key, query string
	header                     http.Header
}

// signedRequest signs req, and returns what a client sends with it.
func signedRequest(t testing.TB, k signedurl.Keys, r *driver.SignRequest) *request {
	t.Helper()
	u, err := signedurl.SignURL(k, "bucket", r, noon)
	require.NoError(t, err)
	address, query, ok := strings.Cut(u.URL, "?")
	require.True(t, ok)
	require.Equal(t, base+escape.Path(r.Key), address)
	return &request{"bucket", u.Method, r.Key, query, u.Header}
}

// verify verifies the request as a server does.
func (r *request) verify(k signedurl.Keys, now time.Time) (*signedurl.Grant, signedurl.Status) {
	return signedurl.VerifyURL(k, r.bucket, r.method, r.key, r.query, r.header, now)
}

// signature returns the last parameter of the query.
func (r *request) signature() string {
	_, signature, _ := strings.Cut(r.query, "&ob-signature=")
	return signature
}

// replace replaces a text in the query.
func (r *request) replace(old, new string) { r.query = strings.Replace(r.query, old, new, 1) }

// signForm returns the fields of a signed form.
func signForm(t testing.TB, k signedurl.Keys, r *driver.SignRequest) map[string]string {
	t.Helper()
	f, err := signedurl.SignForm(k, "bucket", r, noon)
	require.NoError(t, err)
	require.Equal(t, base, f.URL)
	return f.Fields
}

// formRequest returns a request to sign a form.
func formRequest() *driver.SignRequest {
	r := uploadRequest()
	r.Method = http.MethodPost
	r.Condition = storage.Condition{}
	return r
}
