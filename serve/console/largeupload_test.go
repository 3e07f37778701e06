package console_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
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

// newLargePage returns a console that may write, and the address of its uploads.
func newLargePage(t *testing.T, name string, b storage.Bucket, c console.Config) *largePage {
	t.Helper()
	c.Write = true
	c.Token = "token"
	page, err := console.New(console.One(storage.BucketInfo{Name: name}, b), c)
	require.NoError(t, err)
	key := base64.RawURLEncoding.EncodeToString([]byte("sub/large.bin"))
	return &largePage{t: t, bucket: b, page: page, base: "/token/uploads/" + url.PathEscape(name) + "/" + key}
}

// send sends a request and returns the status and the parsed response. If fromScript is true, the request has the
// header that the page's script sends.
func (p *largePage) send(method, target, body string, fromScript bool) (int, map[string]any) {
	r := httptest.NewRequest(method, origin+target, bytes.NewReader([]byte(body)))
	r.RequestURI = r.URL.RequestURI() // as a server gets it
	if fromScript {
		r.Header.Set("X-Console", "1")
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	p.page.ServeHTTP(w, r)
	p.last = w.Body.String()
	var answer map[string]any
	_ = json.Unmarshal(w.Body.Bytes(), &answer)
	return w.Code, answer
}

// begin begins an upload and sends its only part.
func (p *largePage) begin(metadata string) (status int, id string) {
	document := `{"filename":"large.bin","type":"text/plain","size":5,"metadata":{` + metadata + `}}`
	status, response := p.send("POST", p.base+"/s3/multipart", document, true)
	if status != http.StatusOK {
		return status, ""
	}

	id = response["uploadId"].(string)
	_, part := p.send("GET", p.base+"/s3/multipart/"+id+"/1?size=5", "", true)
	u, err := url.Parse(part["url"].(string))
	require.NoError(p.t, err)
	putStatus, _ := p.send("PUT", u.RequestURI(), "hello", false)
	require.Equal(p.t, http.StatusOK, putStatus)
	return status, id
}

// complete completes an upload with one part, and returns the status.
func (p *largePage) complete(id string) int {
	status, _ := p.send("POST", p.base+"/s3/multipart/"+id+"/complete",
		`{"parts":[{"PartNumber":1,"ETag":""}]}`, true)
	return status
}

// open returns the number of open uploads.
func (p *largePage) open() (n int) {
	for _, err := range storage.ListUploads(p.t.Context(), p.bucket) {
		require.NoError(p.t, err)
		n++
	}
	return n
}

// A large file can be uploaded to a bucket of any name.
func TestLargeUploadToBucketOfAnyName(t *testing.T) {
	for _, name := range []string{"photos", "photos:", "file:///srv/files#2026/", "s3://photos/a%2Fb", "Größe ?"} {
		t.Run(name, func(t *testing.T) {
			p := newLargePage(t, name, memstore.New(), console.Config{})
			status, id := p.begin("")
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, http.StatusOK, p.complete(id))

			text, attrs, err := storage.ReadAll(t.Context(), p.bucket, "sub/large.bin")
			require.NoError(t, err)
			require.Equal(t, "hello", string(text))
			require.Equal(t, "text/plain", attrs.ContentType)

			status, _ = p.begin("")
			require.Equal(t, http.StatusPreconditionFailed, status, "it does not replace an object")
			status, id = p.begin(`"replace":"1"`)
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, http.StatusOK, p.complete(id))
			require.Zero(t, p.open())
		})
	}
}

// withoutConditions hides that a store can refuse to overwrite.
type withoutConditions struct{ driver.Driver }

func (d withoutConditions) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Features &^= storage.ConditionalCreate | storage.ConditionalUpdate | storage.ConditionalRemove
	return desc
}

// A large file can be uploaded to a store without conditional writes.
func TestLargeUploadWithoutConditions(t *testing.T) {
	b := engine.New(withoutConditions{memstore.NewDriver(memstore.Config{})})
	p := newLargePage(t, "photos", b, console.Config{})
	status, id := p.begin("")
	require.Equal(t, http.StatusOK, status, p.last)
	require.Equal(t, http.StatusOK, p.complete(id), p.last)
	status, _ = p.begin("")
	require.Equal(t, http.StatusPreconditionFailed, status)
}

// When an upload begins, the page aborts earlier uploads that are idle. Close aborts all incomplete uploads.
func TestLargeUploadSweep(t *testing.T) {
	now := at(8)()
	p := newLargePage(t, "photos", memstore.New(), console.Config{Now: func() time.Time { return now }})
	_, _ = p.begin("")
	now = now.Add(23*time.Hour + time.Minute)

	_, _ = p.begin("")
	require.Equal(t, 1, p.open(), "the idle one was aborted when another began")
	require.NoError(t, p.page.Close(t.Context()))
	require.Zero(t, p.open())
	require.NoError(t, p.page.Close(t.Context()))
}

// Close also aborts an incomplete upload that has taken days.
func TestLargeUploadSweepAfterDays(t *testing.T) {
	now := at(8)()
	p := newLargePage(t, "photos", memstore.New(), console.Config{Now: func() time.Time { return now }})
	_, id := p.begin("")
	for range 3 {
		now = now.Add(20 * time.Hour)
		status, _ := p.send("GET", p.base+"/s3/multipart/"+id+"/1?size=5", "", true)
		require.Equal(t, http.StatusOK, status)
	}
	require.NoError(t, p.page.Close(t.Context()))
	require.Zero(t, p.open())
}

// The page offers only multipart uploads for large files. The other routes of package uploads are not found.
func TestLargeUploadHasOneWay(t *testing.T) {
	p := newLargePage(t, "photos", memstore.New(), console.Config{})
	for _, way := range []string{"/tickets", "/tus/", "/", "/s3/params?filename=a", "/sub%2Flarge.bin"} {
		for _, method := range []string{"POST", "GET", "DELETE"} {
			status, _ := p.send(method, p.base+way, "{}", true)
			require.Equal(t, http.StatusNotFound, status, "%s %s", method, way)
		}
	}
}
