package console_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/serve/console"
)

// A largePage is a page to which a test uploads as upload.js does.
type largePage struct {
	t      *testing.T
	bucket storage.Bucket
	page   *console.Handler
	base   string // address of the uploads of one object
	last   string // body of the last response
}

// newLargePage returns a largePage with a console that may write. Its base is the address for
// uploads of one object.
func newLargePage(t *testing.T, name string, b storage.Bucket, c console.Config) *largePage {
	t.Helper()
	c.Write = true
	c.Token = "token"
	page, err := console.New(console.One(storage.BucketInfo{Name: name}, b), c)
	require.NoError(t, err)
	key := base64.RawURLEncoding.EncodeToString([]byte("sub/large.bin"))
	return &largePage{t: t, bucket: b, page: page, base: "/token/uploads/" + url.PathEscape(name) + "/" + key}
}

// send sends a request with the headers of the page's script, and returns the status and the decoded response.
func (p *largePage) send(method, target, body string) (status int, answer map[string]any) {
	r := httptest.NewRequest(method, origin+target, strings.NewReader(body))
	r.Header.Set("X-Console", "1")
	r.Header.Set("Content-Type", "application/json")
	w := p.serve(r)
	_ = json.Unmarshal(w.Body.Bytes(), &answer)
	return w.Code, answer
}

// serve sends a request to the page in the form that it has in an HTTP server.
func (p *largePage) serve(r *http.Request) *httptest.ResponseRecorder {
	r.RequestURI = r.URL.RequestURI()
	w := httptest.NewRecorder()
	p.page.ServeHTTP(w, r)
	p.last = w.Body.String()
	return w
}

// begin begins an upload that replaces no object, and sends its only part.
func (p *largePage) begin() (status int, id string) {
	return p.beginWith("")
}

// beginReplacing begins an upload that may replace an object, and sends its only part.
func (p *largePage) beginReplacing() (status int, id string) {
	return p.beginWith(`"replace":"1"`)
}

// beginWith begins an upload with this metadata, and sends its only part.
func (p *largePage) beginWith(metadata string) (status int, id string) {
	document := `{"filename":"large.bin","type":"text/plain","size":5,"metadata":{` + metadata + `}}`
	status, response := p.send("POST", p.base+"/s3/multipart", document)
	if status != http.StatusOK {
		return status, ""
	}

	id = response["uploadId"].(string)
	_, part := p.send("GET", p.base+"/s3/multipart/"+id+"/1?size=5", "")
	u, err := url.Parse(part["url"].(string))
	require.NoError(p.t, err)
	w := p.serve(httptest.NewRequest("PUT", origin+u.RequestURI(), strings.NewReader("hello")))
	require.Equal(p.t, http.StatusOK, w.Code)
	return status, id
}

// complete completes an upload with one part, and returns the status.
func (p *largePage) complete(id string) int {
	status, _ := p.send("POST", p.base+"/s3/multipart/"+id+"/complete",
		`{"parts":[{"PartNumber":1,"ETag":""}]}`)
	return status
}

// openUploads returns the number of incomplete uploads in the bucket.
func (p *largePage) openUploads() int {
	count := 0
	for _, err := range storage.ListUploads(p.t.Context(), p.bucket) {
		require.NoError(p.t, err)
		count++
	}
	return count
}

// A large file can be uploaded to a bucket of any name, and replaces an object only if the request says so.
func TestLargeUploadToBucketOfAnyName(t *testing.T) {
	for _, name := range []string{"photos", "photos:", "file:///srv/files#2026/", "s3://photos/a%2Fb", "Größe ?"} {
		t.Run(name, func(t *testing.T) {
			// The first upload creates the object.
			p := newLargePage(t, name, memstore.New(), console.Config{})
			status, id := p.begin()
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, http.StatusOK, p.complete(id))

			text, attrs, err := storage.ReadAll(t.Context(), p.bucket, "sub/large.bin")
			require.NoError(t, err)
			require.Equal(t, "hello", string(text))
			require.Equal(t, "text/plain", attrs.ContentType)

			// The second upload is refused, because the object exists.
			status, _ = p.begin()
			require.Equal(t, http.StatusPreconditionFailed, status)

			// An upload that may replace objects replaces this object.
			status, id = p.beginReplacing()
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, http.StatusOK, p.complete(id))
			require.Zero(t, p.openUploads())
		})
	}
}

// withoutConditions is a driver that hides the conditional writes of its store.
type withoutConditions struct{ driver.Driver }

func (d withoutConditions) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Features &^= storage.ConditionalCreate | storage.ConditionalUpdate | storage.ConditionalRemove
	return desc
}

// A large file can be uploaded to a store without conditional writes. Even there, it replaces no
// object.
func TestLargeUploadWithoutConditions(t *testing.T) {
	b := engine.New(withoutConditions{memstore.NewDriver(memstore.Config{})})
	p := newLargePage(t, "photos", b, console.Config{})
	status, id := p.begin()
	require.Equal(t, http.StatusOK, status, p.last)
	require.Equal(t, http.StatusOK, p.complete(id), p.last)

	status, _ = p.begin()
	require.Equal(t, http.StatusPreconditionFailed, status, "it replaces no object")
}

// When an upload begins, the page aborts earlier uploads that are idle. Close aborts all incomplete uploads.
func TestLargeUploadSweep(t *testing.T) {
	now := time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	p := newLargePage(t, "photos", memstore.New(), console.Config{Now: clock})

	// When the second upload begins, the page aborts the first one.
	const idleTime = 23 * time.Hour // after which an upload may be aborted
	p.begin()
	now = now.Add(idleTime + time.Minute)
	p.begin()
	require.Equal(t, 1, p.openUploads())

	// Close aborts the second upload, too, and can be called again.
	require.NoError(t, p.page.Close(t.Context()))
	require.Zero(t, p.openUploads())
	require.NoError(t, p.page.Close(t.Context()))
}

// Close also aborts an upload that has been sending parts for days.
func TestLargeUploadSweepAfterDays(t *testing.T) {
	now := time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	p := newLargePage(t, "photos", memstore.New(), console.Config{Now: clock})

	// Three times, 20 hours pass, and then the upload asks for the URL of its part. So it is never
	// idle for a day.
	_, id := p.begin()
	for range 3 {
		now = now.Add(20 * time.Hour)
		status, _ := p.send("GET", p.base+"/s3/multipart/"+id+"/1?size=5", "")
		require.Equal(t, http.StatusOK, status)
	}

	require.NoError(t, p.page.Close(t.Context()))
	require.Zero(t, p.openUploads())
}

// For large files, the page offers multipart uploads, but none of the other routes of package
// uploads.
func TestLargeUploadHasOneWay(t *testing.T) {
	p := newLargePage(t, "photos", memstore.New(), console.Config{})
	for _, route := range []string{"/tickets", "/tus/", "/", "/s3/params?filename=a", "/sub%2Flarge.bin"} {
		for _, method := range []string{"POST", "GET", "DELETE"} {
			status, _ := p.send(method, p.base+route, "{}")
			require.Equal(t, http.StatusNotFound, status, "%s %s", method, route)
		}
	}
}
