package signedurl_test

import (
	"net/http"
	"strings"
	"testing"

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
	f.Fuzz(func(t *testing.T, key, kind, value, version string, size int64, altered string) {
		k := newKeys(t, secret(1))
		r := &driver.SignRequest{
			Method:  http.MethodPut,
			Key:     key,
			TTL:     1e9,
			BaseURL: base,
			MinSize: size,
			MaxSize: size,
		}
		if version != "" {
			r.Method = http.MethodGet
			r.Version = version
		} else {
			r.ContentType = kind
			r.Metadata = map[string]string{"k": value}
		}
		u, err := signedurl.SignURL(k, "bucket", r, noon)
		require.NoError(t, err)
		_, query, _ := strings.Cut(u.URL, "?")

		g, status := signedurl.VerifyURL(k, "bucket", u.Method, key, query, u.Header, noon)
		require.Equal(t, signedurl.Valid, status)
		require.Equal(t, version, g.Version)

		_, err = g.UploadOptions()
		require.NoError(t, err)

		if altered != query {
			_, status = signedurl.VerifyURL(k, "bucket", u.Method, key, altered, u.Header, noon)
			require.Equal(t, signedurl.Invalid, status, altered)
		}
		if altered != "" {
			_, status = signedurl.VerifyURL(k, "bucket", u.Method, key, query+altered, u.Header, noon)
			require.Equal(t, signedurl.Invalid, status)
			_, status = signedurl.VerifyURL(k, "bucket", u.Method, key, altered+query, u.Header, noon)
			require.Equal(t, signedurl.Invalid, status)
			_, status = signedurl.VerifyURL(k, "bucket", u.Method, key+altered, query, u.Header, noon)
			require.Equal(t, signedurl.Invalid, status)
		}
	})
}

// FuzzTwoGrants requires that a signature for one request is not valid for another.
func FuzzTwoGrants(f *testing.F) {
	f.Add("a", "text/plain", "x", "b", "text/plain", "x")
	f.Add("a", "t/p", "", "a", "t", "/p")
	f.Fuzz(func(t *testing.T, key1, kind1, value1, key2, kind2, value2 string) {
		if key1 == key2 && kind1 == kind2 && value1 == value2 {
			return
		}
		k := newKeys(t, secret(1))
		sign := func(key, kind, value string) *request {
			r := &driver.SignRequest{
				Method:  http.MethodPut,
				Key:     key,
				TTL:     1e9,
				BaseURL: base,
				MinSize: -1,
				MaxSize: -1,
			}
			r.ContentType = kind
			r.CacheControl = value
			return signedRequest(t, k, r)
		}
		one := sign(key1, kind1, value1)

		two := sign(key2, kind2, value2)
		require.NotEqual(t, one.query, two.query)
		two.query = one.query
		_, status := two.verify(k, noon)
		require.Equal(t, signedurl.Invalid, status)
	})
}
