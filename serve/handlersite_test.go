package serve_test

import (
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/serve"
)

const siteBase = "http://files.example.com/files"

// A site is a memory bucket with a handler, and a clock that the test controls.
type site struct {
	*testing.T
	now     time.Time
	service storage.Service
	bucket  storage.Bucket
	handler http.Handler
}

// newSite returns a site with a bucket in memory that keeps versions. The clock of the site stands
// at s.now.
func newSite(t *testing.T, opts ...serve.Option) *site {
	t.Helper()
	s := &site{T: t, now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	s.service = memstore.NewService(memstore.ServiceConfig{Now: func() time.Time { return s.now }},
		storage.WithSigningBaseURL(siteBase), storage.WithPublicAccess(true), storage.WithVersioning(true))
	s.update(s.service.CreateBucket(t.Context(), "bucket"))
	b, err := s.service.Bucket("bucket")
	require.NoError(t, err)
	s.bucket = b
	s.handler = serve.NewHandler(b, opts...)
	return s
}

// update requires that a change of the bucket succeeded.
func (s *site) update(_ *storage.BucketInfo, err error) {
	s.Helper()
	require.NoError(s, err)
}

// setCORS sets the CORS rules of the bucket.
func (s *site) setCORS(rules ...storage.CORSRule) {
	s.Helper()
	s.update(s.service.UpdateBucket(s.Context(), "bucket", storage.WithCORS(rules...)))
}

// makePublic lets everybody read the bucket.
func (s *site) makePublic() {
	s.Helper()
	s.update(s.service.UpdateBucket(s.Context(), "bucket", storage.WithPublicAccess(true)))
}

// put stores an object.
func (s *site) put(key, text string, opts ...storage.UploadOption) *storage.Attrs {
	s.Helper()
	a, err := s.bucket.Upload(s.Context(), key, strings.NewReader(text), opts...)
	require.NoError(s, err)
	return a
}

// signUpload returns a signed URL for an upload.
func (s *site) signUpload(key string, opts ...storage.SignedUploadOption) *storage.SignedURL {
	s.Helper()
	u, err := s.bucket.SignedUploadURL(s.Context(), key, opts...)
	require.NoError(s, err)
	return u
}

// signDownload returns a signed URL for a download.
func (s *site) signDownload(key string, opts ...storage.SignedDownloadOption) *storage.SignedURL {
	s.Helper()
	u, err := s.bucket.SignedDownloadURL(s.Context(), key, opts...)
	require.NoError(s, err)
	return u
}

// publicURL returns the public URL of an object.
func (s *site) publicURL(key string) string {
	s.Helper()
	address, err := s.bucket.PublicURL(key)
	require.NoError(s, err)
	return address
}

// request sends a request to the handler. header alternates between names and values.
func (s *site) request(method, address string, body io.Reader, header ...string) *httptest.ResponseRecorder {
	s.Helper()
	r := httptest.NewRequestWithContext(s.Context(), method, address, body)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return s.send(r)
}

// send sends a request to the handler.
func (s *site) send(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

// requestSigned sends the request for which u was signed. header has further headers.
func (s *site) requestSigned(u *storage.SignedURL, body string, header ...string) *httptest.ResponseRecorder {
	s.Helper()
	for name, values := range u.Header {
		header = append(header, name, values[0])
	}
	return s.request(u.Method, u.URL, strings.NewReader(body), header...)
}

// requireRefusal requires an error response that reveals nothing but its status and code.
func (s *site) requireRefusal(w *httptest.ResponseRecorder, status int, code string) {
	s.Helper()
	require.Equal(s, status, w.Code, w.Body.String())
	require.Equal(s, "application/xml", w.Header().Get("Content-Type"))
	require.Equal(s, "nosniff", w.Header().Get("X-Content-Type-Options"))

	var body struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
		Message string
	}
	require.NoError(s, xml.Unmarshal(w.Body.Bytes(), &body))
	require.Equal(s, code, body.Code)
	require.NotEmpty(s, body.Message)

	for _, secret := range []string{"bucket\"", "secret-key", "ob-", "memory"} {
		require.NotContains(s, w.Body.String(), secret)
	}
}

// requireContent requires that the bucket has an object with this content.
func (s *site) requireContent(key, text string) {
	s.Helper()
	data, _, err := storage.ReadAll(s.Context(), s.bucket, key)
	require.NoError(s, err)
	require.Equal(s, text, string(data))
}

// requireNothingStored requires that nothing was stored, not even a version.
func (s *site) requireNothingStored() {
	s.Helper()
	for entry, err := range storage.Versions(s.Context(), s.bucket) {
		require.NoError(s, err)
		require.Fail(s, "stored", entry.Key)
	}
}
