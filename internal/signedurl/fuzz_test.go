package signedurl_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/signedurl"
)

// FuzzVerifyURL signs a request. The signature is valid for the original query and key, and invalid after any
// change to one of them.
func FuzzVerifyURL(f *testing.F) {
	f.Add("a/b c", "image/png", "caf\u00e9", "v1", int64(9), "")
	f.Add("100%", "text/html; charset=\"x\"", "a&b=c;d", "", int64(-1), "&ob-signature=")
	f.Add("\xff\x00", "", "", "%zz", int64(0), "=")
	f.Fuzz(func(t *testing.T, key, contentType, metadata, version string, size int64, altered string) {
		// With a version, the request is a download.
		req := &driver.SignRequest{
			Method:  http.MethodPut,
			Key:     key,
			TTL:     time.Second,
			BaseURL: base,
			MinSize: size,
			MaxSize: size,
		}
		if version != "" {
			req.Method = http.MethodGet
			req.Version = version
		} else {
			req.ContentType = contentType
			req.Metadata = map[string]string{"k": metadata}
		}

		k := newKeys(t, newSecret(1))
		u, err := signedurl.SignURL(k, "bucket", req, noon)
		require.NoError(t, err)
		_, query, _ := strings.Cut(u.URL, "?")
		verify := func(key, query string) (*signedurl.Grant, signedurl.Status) {
			return signedurl.VerifyURL(k, "bucket", u.Method, key, query, u.Header, noon)
		}

		g, status := verify(key, query)
		require.Equal(t, signedurl.Valid, status)
		require.Equal(t, version, g.Version)
		_, err = g.UploadOptions()
		require.NoError(t, err)

		if altered != query {
			_, status = verify(key, altered)
			require.Equal(t, signedurl.Invalid, status, altered)
		}
		if altered != "" {
			_, status = verify(key, query+altered)
			require.Equal(t, signedurl.Invalid, status)
			_, status = verify(key, altered+query)
			require.Equal(t, signedurl.Invalid, status)
			_, status = verify(key+altered, query)
			require.Equal(t, signedurl.Invalid, status)
		}
	})
}

// FuzzTwoGrants requires that a signature for one request is not valid for another.
func FuzzTwoGrants(f *testing.F) {
	f.Add("a", "text/plain", "x", "b", "text/plain", "x")
	f.Add("a", "t/p", "", "a", "t", "/p")
	f.Fuzz(func(t *testing.T, key, contentType, cacheControl, otherKey, otherType, otherControl string) {
		if key == otherKey && contentType == otherType && cacheControl == otherControl {
			return
		}
		k := newKeys(t, newSecret(1))
		sign := func(key, contentType, cacheControl string) *request {
			r := &driver.SignRequest{
				Method:  http.MethodPut,
				Key:     key,
				TTL:     time.Second,
				BaseURL: base,
				MinSize: -1,
				MaxSize: -1,
			}
			r.ContentType = contentType
			r.CacheControl = cacheControl
			return signedRequest(t, k, r)
		}
		signed := sign(key, contentType, cacheControl)
		other := sign(otherKey, otherType, otherControl)
		require.NotEqual(t, signed.query, other.query)

		other.query = signed.query
		_, status := other.verify(k, noon)
		require.Equal(t, signedurl.Invalid, status)
	})
}
