package console_test

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/s3server"
	"github.com/omnibucket/storage/s3server/console"
	"github.com/omnibucket/storage/storagetest/faults"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "the-secret-of-the-server"

// A fixture is a server with a console.
type fixture struct {
	server   *s3server.Handler
	requests *console.Record
	console  http.Handler
}

// newFixture starts a server with its console. The first of its credentials is that of the console.
func newFixture(t *testing.T, c s3server.Config) *fixture {
	t.Helper()
	f := &fixture{requests: &console.Record{}}
	if c.Credentials == nil {
		c.Credentials = []s3server.Credential{
			{AccessKeyID: "root", SecretKey: secret},
			{AccessKeyID: "other", SecretKey: "other-secret"},
		}
	}
	c.Log = f.requests.Add
	c.Buckets = []string{"photos"}
	f.server = s3server.New(c)
	t.Cleanup(f.server.Close)
	f.console = console.Handler(f.server, f.requests, "devbox")
	return f
}

// send makes a request with the credential and with the header that scripts of the page send. The
// caller can change the request before it is sent.
func (f *fixture) send(method, target, body string, changes ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://127.0.0.1:9001"+target, strings.NewReader(body))
	r.SetBasicAuth("root", secret)
	r.Header.Set("X-Console", "1")
	for _, change := range changes {
		if change != nil {
			change(r)
		}
	}
	w := httptest.NewRecorder()
	f.console.ServeHTTP(w, r)
	return w
}

// visit sends a GET.
func (f *fixture) visit(target string) *httptest.ResponseRecorder {
	return f.send("GET", target, "")
}

// get sends a GET, and decodes the JSON of the response into dst.
func (f *fixture) get(t *testing.T, target string, dst any) {
	t.Helper()
	w := f.visit(target)
	require.Equal(t, 200, w.Code, w.Body)
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), dst))
}

// The console serves only its own page, and only to a caller with the credential.
func TestConsoleNeedsCredential(t *testing.T) {
	const fault = `{"error":"SlowDown"}`
	readOnly := []s3server.Credential{{AccessKeyID: "root", SecretKey: secret, ReadOnly: true}}
	host := func(name string) func(*http.Request) {
		return func(r *http.Request) {
			r.Host = name
		}
	}
	dropHeader := func(r *http.Request) {
		r.Header.Del("X-Console")
	}

	tests := []struct {
		name           string
		credentials    []s3server.Credential
		method, target string
		change         func(*http.Request)
		wantStatus     int
	}{
		{name: "page", method: "GET", target: "/", wantStatus: 200},
		{
			name:       "page without the header of scripts",
			method:     "GET",
			target:     "/",
			change:     dropHeader,
			wantStatus: 200,
		},
		{
			name:   "credentials missing",
			method: "GET",
			target: "/",
			change: func(r *http.Request) {
				r.Header.Del("Authorization")
			},
			wantStatus: 401,
		},
		{
			name:   "script without credentials",
			method: "GET",
			target: "/console.js",
			change: func(r *http.Request) {
				r.Header.Del("Authorization")
			},
			wantStatus: 401,
		},
		{
			name:   "wrong secret",
			method: "GET",
			target: "/",
			change: func(r *http.Request) {
				r.SetBasicAuth("root", "x")
			},
			wantStatus: 401,
		},
		{
			name:   "unknown key",
			method: "GET",
			target: "/",
			change: func(r *http.Request) {
				r.SetBasicAuth("x", secret)
			},
			wantStatus: 401,
		},
		{
			name:   "second key of the server",
			method: "GET",
			target: "/",
			change: func(r *http.Request) {
				r.SetBasicAuth("other", "other-secret")
			},
			wantStatus: 401,
		},
		{
			name:        "secret empty, as that of the server",
			credentials: []s3server.Credential{{AccessKeyID: "root"}},
			method:      "GET",
			target:      "/",
			change: func(r *http.Request) {
				r.SetBasicAuth("root", "")
			},
			wantStatus: 401,
		},
		{name: "list of requests", method: "GET", target: "/api/x/requests", wantStatus: 200},
		{
			name:       "list of requests without the header of scripts",
			method:     "GET",
			target:     "/api/x/requests",
			change:     dropHeader,
			wantStatus: 403,
		},
		{name: "new fault", method: "POST", target: "/api/x/faults", wantStatus: 201},
		{
			name:       "new fault by a form on another site",
			method:     "POST",
			target:     "/api/x/faults",
			change:     dropHeader,
			wantStatus: 403,
		},
		{
			name:       "removal without the header of scripts",
			method:     "DELETE",
			target:     "/api/x/requests",
			change:     dropHeader,
			wantStatus: 403,
		},
		{
			name:        "new fault with a read-only credential",
			credentials: readOnly,
			method:      "POST",
			target:      "/api/x/faults",
			wantStatus:  403,
		},
		{
			name:        "listing with a read-only credential",
			credentials: readOnly,
			method:      "GET",
			target:      "/api/buckets",
			wantStatus:  200,
		},
		{name: "unknown method", method: "PUT", target: "/api/x/faults", wantStatus: 404},
		{name: "host is an IPv6 address", method: "GET", target: "/", change: host("[::1]:9001"), wantStatus: 200},
		{name: "host is localhost", method: "GET", target: "/", change: host("localhost:9001"), wantStatus: 200},
		{
			name:       "host is a subdomain of localhost",
			method:     "GET",
			target:     "/",
			change:     host("s3.localhost"),
			wantStatus: 200,
		},
		{
			name:       "host is the name of the console",
			method:     "GET",
			target:     "/",
			change:     host("DevBox:9001"),
			wantStatus: 200,
		},
		{
			name:       "host is the name of another site",
			method:     "GET",
			target:     "/",
			change:     host("evil.example:9001"),
			wantStatus: 421,
		},
		{name: "host missing", method: "GET", target: "/", change: host(""), wantStatus: 421},
		{name: "path of an object", method: "GET", target: "/photos/a", wantStatus: 404},
		{name: "path of the admin API", method: "GET", target: "/_admin/faults", wantStatus: 404},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, s3server.Config{Credentials: tt.credentials})

			w := f.send(tt.method, tt.target, fault, tt.change)

			require.Equal(t, tt.wantStatus, w.Code, w.Body)
			require.Contains(t, w.Header().Get("Content-Security-Policy"), "default-src 'none'")
			require.Equal(t, tt.wantStatus == 401, w.Header().Get("WWW-Authenticate") != "")
		})
	}
}

// The console lists buckets, objects and versions. The server does not count these reads as requests.
func TestConsoleViews(t *testing.T) {
	const htmlKey = "<img src=x onerror=alert(1)>" // the API returns it as it is; the page escapes it
	f := newFixture(t, s3server.Config{})
	b := f.server.Bucket("photos", storage.WithVersioning(true))
	for _, key := range []string{"a/1", "a/2", "b", htmlKey} {
		_, err := b.Upload(t.Context(), key, strings.NewReader("hello"))
		require.NoError(t, err)
	}

	// The bucket is listed.
	var buckets struct{ Buckets []struct{ Name string } }
	f.get(t, "/api/buckets", &buckets)
	require.Equal(t, "photos", buckets.Buckets[0].Name)

	// The listing has three entries. The folder comes after the object with the HTML.
	var list struct {
		Entries []struct {
			Key, Version    string
			Folder, Current bool
			Size            int
		}
		Next string
	}
	f.get(t, "/api/list?bucket=photos", &list)
	require.Len(t, list.Entries, 3)
	require.Equal(t, htmlKey, list.Entries[0].Key)
	require.True(t, list.Entries[1].Folder, "a/1 and a/2 are in one folder")

	// The object has one version, which is the current one.
	var versions struct{ Versions []struct{ Current bool } }
	f.get(t, "/api/versions?bucket=photos&key=a/1", &versions)
	require.Len(t, versions.Versions, 1)
	require.True(t, versions.Versions[0].Current)

	// A listing of a missing bucket fails. The server has counted none of the requests of this
	// test.
	require.NotEqual(t, 200, f.visit("/api/list?bucket=none").Code)
	require.Zero(t, f.server.Count(""))
}

// The console lists a bucket page by page.
func TestConsoleListingPages(t *testing.T) {
	const objects, pageSize, wantPages = 250, 100, 3
	f := newFixture(t, s3server.Config{})
	b := f.server.Bucket("photos")
	for i := range objects {
		_, err := b.Upload(t.Context(), "key "+strconv.Itoa(i), strings.NewReader(""))
		require.NoError(t, err)
	}

	// Read all pages.
	keys := map[string]bool{}
	startAfter := ""
	pages := 0
	for {
		var page struct {
			Entries []struct{ Key string }
			Next    string
		}
		query := url.Values{
			"bucket": {"photos"},
			"limit":  {strconv.Itoa(pageSize)},
			"after":  {startAfter},
		}
		f.get(t, "/api/list?"+query.Encode(), &page)
		pages++
		for _, e := range page.Entries {
			keys[e.Key] = true
		}
		if page.Next == "" {
			break
		}
		startAfter = page.Next
	}

	require.Len(t, keys, objects)
	require.Equal(t, wantPages, pages)
}

// fileOf returns the address at which the page can get an object's bytes.
func (f *fixture) fileOf(t *testing.T, key string) string {
	t.Helper()
	var object struct{ Download string }
	f.get(t, "/api/object?"+url.Values{"bucket": {"photos"}, "key": {key}}.Encode(), &object)
	return "/" + object.Download
}

// If an object cannot be read to its end, the console aborts the download. A browser then does not
// keep an incomplete file.
func TestConsoleFileOfUnreadableObject(t *testing.T) {
	// Each read has a wrong first byte, so it fails at its end, where the checksum is compared.
	memory := memstore.NewServiceDriver(memstore.ServiceConfig{})
	corruptReads := faults.New(faults.Corrupt(faults.Get, 0))
	f := newFixture(t, s3server.Config{
		Service: driver.ServiceWithLayers(memory, corruptReads.Layer()),
	})
	_, err := f.server.Bucket("photos").Upload(t.Context(), "a", strings.NewReader("a text"))
	require.NoError(t, err)
	site := httptest.NewServer(f.console)
	defer site.Close()

	req, err := http.NewRequestWithContext(t.Context(), "GET", site.URL+f.fileOf(t, "a"), nil)
	require.NoError(t, err)
	req.SetBasicAuth("root", secret)
	resp, err := site.Client().Do(req)
	require.NoError(t, err)

	_, err = io.ReadAll(resp.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.NoError(t, resp.Body.Close())
}

// The console serves an object's content as an attachment without its content type. A browser then
// does not run the content.
func TestConsoleFileRunsNowhere(t *testing.T) {
	const (
		key     = `a/page ".html`
		content = "<script>alert(1)</script>"
	)
	f := newFixture(t, s3server.Config{})
	_, err := f.server.Bucket("photos").Upload(t.Context(), key, strings.NewReader(content),
		storage.WithContentType("text/html"), storage.WithContentEncoding("gzip"))
	require.NoError(t, err)

	t.Run("file", func(t *testing.T) {
		w := f.visit(f.fileOf(t, key))
		require.Equal(t, 200, w.Code)
		require.Equal(t, content, w.Body.String())
		require.Equal(t, "application/octet-stream", w.Header().Get("Content-Type"))
		require.Empty(t, w.Header().Get("Content-Encoding"), "a file has the bytes that are stored")
		require.Equal(t, `attachment; filename="page _.html"; filename*=UTF-8''page%20%22.html`,
			w.Header().Get("Content-Disposition"))
		require.Contains(t, w.Header().Get("Content-Security-Policy"), "sandbox")
	})

	t.Run("missing object", func(t *testing.T) {
		require.Equal(t, 404, f.visit("/api/object?bucket=photos&key=none").Code)
		require.Equal(t, 404, f.visit("/api/object?bucket=none&key=none").Code)
	})

	t.Run("address that the console has not made", func(t *testing.T) {
		require.Equal(t, 403, f.visit("/content?bucket=photos&key=a").Code)
	})
}

// shownRequests returns the requests that the page shows, the latest first. It also returns the
// JSON text of these requests.
func (f *fixture) shownRequests(t *testing.T) (requests []map[string]any, text string) {
	t.Helper()
	w := f.visit("/api/x/requests")
	var list struct{ Requests []map[string]any }
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &list))
	return list.Requests, w.Body.String()
}

// The console explains a failed request without showing secrets.
func TestConsoleExplainsFailure(t *testing.T) {
	f := newFixture(t, s3server.Config{})

	// Each secret of the request begins with "hidden-".
	req := httptest.NewRequest("GET", "/photos/a?versionId=v&X-Amz-Security-Token=hidden-1", nil)
	date := time.Now().UTC().Format("20060102T150405Z")
	req.Header.Set("X-Amz-Date", date)
	req.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	req.Header.Set("X-Amz-Server-Side-Encryption-Customer-Key", "hidden-2")
	req.Header.Set("X-Amz-Meta-Note", "hidden-3")
	day, _, _ := strings.Cut(date, "T")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=root/"+day+"/us-east-1/s3/aws4_request, "+
		"SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-meta-note;"+
		"x-amz-server-side-encryption-customer-key, Signature=hidden-4")

	// The signature is wrong. The page shows the text that should have been signed.
	f.server.ServeHTTP(httptest.NewRecorder(), req)
	requests, text := f.shownRequests(t)
	require.Len(t, requests, 1)
	latest := requests[0]
	require.Equal(t, "SignatureDoesNotMatch", latest["error"])
	require.Equal(t, "/photos/a", latest["path"])
	require.Equal(t, "versionId=v", latest["query"])
	require.Contains(t, latest["message"], "does not match")
	require.Contains(t, latest["canonical"], "host:example.com\n")
	require.Contains(t, latest["canonical"], "x-amz-server-side-encryption-customer-key:(hidden)\n")
	require.Contains(t, latest["canonical"], "X-Amz-Security-Token=(hidden)")
	require.NotContains(t, text, "hidden-")

	// If a header is not signed, the message names it.
	req.Header.Set("X-Amz-Unsigned", "x")
	f.server.ServeHTTP(httptest.NewRecorder(), req)
	requests, text = f.shownRequests(t)
	require.Contains(t, requests[0]["message"], "x-amz-unsigned")
	require.NotContains(t, text, "hidden-")

	// The page can clear the list.
	require.Equal(t, 204, f.send("DELETE", "/api/x/requests", "").Code)
	requests, _ = f.shownRequests(t)
	require.Empty(t, requests)
}

// The message that the console shows for a request ends with a note if an injected fault applied to the request.
func TestConsoleRequestNamesFault(t *testing.T) {
	const note = "(a fault of this server selects the request)"
	f := newFixture(t, s3server.Config{})
	tests := []struct {
		name  string
		fault s3server.Fault
		want  string // the message
	}{
		{
			name:  "an error",
			fault: s3server.Fault{Redirect: "eu-west-1"},
			want: "The bucket you are attempting to access must be addressed using the specified endpoint. " +
				"Please send all future requests to this endpoint. " + note,
		},
		{name: "a closed connection", fault: s3server.Drop("*"), want: note},
		{name: "no error", fault: s3server.Delay("*", time.Nanosecond), want: "Access Denied " + note},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Without the fault, the anonymous request would fail with Access Denied.
			removeFault := f.server.Inject(tt.fault)
			defer removeFault()

			serveWithRecover(f.server, httptest.NewRequest("GET", "/photos", nil))

			requests, _ := f.shownRequests(t)
			require.Equal(t, tt.want, requests[0]["message"])
		})
	}
}

// serveWithRecover serves a request as net/http does, which recovers the panic of a handler that closes the connection.
func serveWithRecover(h http.Handler, r *http.Request) {
	defer func() {
		_ = recover()
	}()
	h.ServeHTTP(httptest.NewRecorder(), r)
}

// The console names the failed condition of a form but hides its value, which may be a secret such as a session token.
func TestConsoleExplainsFormCondition(t *testing.T) {
	f := newFixture(t, s3server.Config{})
	client := s3.NewPresignClient(s3.New(s3.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String("http://example.com"),
		UsePathStyle: true,
		Credentials:  credentials.NewStaticCredentialsProvider("root", secret, ""),
	}))
	conditions := []string{
		`{"x-amz-security-token":"hidden-1"}`,
		`["eq","$X-Amz-Security-Token","hidden-2"]`,
		`{"x-amz-server-side-encryption-customer-key":"hidden-3"}`,
		`["is","$x-amz-security-token","hidden-4"]`,
	}
	for _, condition := range conditions {
		t.Run(condition, func(t *testing.T) {
			input := &s3.PutObjectInput{Bucket: aws.String("photos"), Key: aws.String("a")}
			presigned, err := client.PresignPostObject(t.Context(), input, func(o *s3.PresignPostOptions) {
				o.Conditions = []any{json.RawMessage(condition)}
			})
			require.NoError(t, err)

			// Send a form whose policy has the condition. The condition does not hold or is
			// malformed.
			var body bytes.Buffer
			form := multipart.NewWriter(&body)
			for name, value := range presigned.Values {
				require.NoError(t, form.WriteField(name, value))
			}
			_, err = form.CreateFormFile("file", "a")
			require.NoError(t, err)
			require.NoError(t, form.Close())

			req := httptest.NewRequest("POST", presigned.URL, &body)
			req.Header.Set("Content-Type", form.FormDataContentType())
			w := httptest.NewRecorder()
			f.server.ServeHTTP(w, req)

			// The client's response names the condition. The console's message names it, too, but
			// hides the value.
			require.Contains(t, w.Body.String(), "Condition")
			requests, text := f.shownRequests(t)
			require.Contains(t, requests[0]["message"], "Condition")
			require.NotContains(t, text, "hidden-")
		})
	}
}

// The console's record copies the method and the path of a request. Without copying, they would be
// parts of the request's first line, and keep that whole line in memory.
func TestRecordKeepsNoLineOfRequest(t *testing.T) {
	const method, path = "GET", "/photos/a"
	var record console.Record
	freed := make(chan struct{})
	addRequest := func() { // a function of its own, so that no variable of the test keeps the line
		line := strings.Clone(method + " " + path + "?" + strings.Repeat("x", 1<<20))
		runtime.AddCleanup(unsafe.StringData(line), func(done chan struct{}) {
			close(done)
		}, freed)
		pathStart := len(method + " ")
		record.Add(s3server.Entry{
			Method: line[:len(method)],
			Path:   line[pathStart : pathStart+len(path)],
		})
	}

	// The record may keep only copies of parts of the request line. The garbage collector must be
	// able to free the line itself.
	addRequest()
	runtime.GC()

	select {
	case <-freed:
	case <-time.After(10 * time.Second):
		require.Fail(t, "the record keeps the line of the request in memory")
	}

	// The record itself must still be in use. Otherwise, the test would prove nothing.
	runtime.KeepAlive(&record)
}

// The console does not read the body of a GET, because a form in it could fill memory and disk.
func TestConsoleReadsNoBodyOfGet(t *testing.T) {
	f := newFixture(t, s3server.Config{})
	targets := []string{
		"/api/buckets",
		"/api/list?bucket=photos",
		"/api/versions?bucket=photos",
		"/api/x/uploads?bucket=photos",
		"/content?bucket=photos&key=a",
	}
	for _, target := range targets {
		// The test fails if the console reads the body.
		f.send("GET", target, "", func(r *http.Request) {
			r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
			r.Body = unreadBody{t: t, target: target}
		})
	}
}

// An unreadBody is the body of a request, whose target it knows. The test fails if the body is
// read.
type unreadBody struct {
	t      *testing.T
	target string
}

func (b unreadBody) Read([]byte) (int, error) {
	b.t.Errorf("%s reads a body", b.target)
	return 0, io.EOF
}

func (unreadBody) Close() error { return nil }

// The console's record keeps the latest 100 requests, and shortens long texts in them.
func TestRecordIsBounded(t *testing.T) {
	const (
		sentRequests = 150
		maxRequests  = 100
		maxSize      = 2_500 // of one request in JSON
	)
	f := newFixture(t, s3server.Config{})
	longText := strings.Repeat("ä", 2*maxSize)

	for i := range sentRequests {
		r := httptest.NewRequest("GET", "/photos/"+strconv.Itoa(i)+"?x="+longText, nil)
		f.server.ServeHTTP(httptest.NewRecorder(), r)
	}

	requests, text := f.shownRequests(t)
	require.Len(t, requests, maxRequests)
	require.Equal(t, "/photos/149", requests[0]["path"], "the latest is first")
	require.Less(t, len(text), maxRequests*maxSize)
}

// The console can add, list and remove faults, and refuses a fault with an unknown field.
func TestConsoleAddsAndRemovesFaults(t *testing.T) {
	f := newFixture(t, s3server.Config{})

	w := f.send("POST", "/api/x/faults", `{"operation":"GetObject","error":"SlowDown"}`)
	require.Equal(t, 201, w.Code)
	require.JSONEq(t, `{"id":1}`, w.Body.String())
	require.Contains(t, f.visit("/api/x/faults").Body.String(), "SlowDown")

	w = f.send("POST", "/api/x/faults", `{"unknown":"SlowDown"}`)
	require.Equal(t, 400, w.Code)

	w = f.send("DELETE", "/api/x/faults/1", "")
	require.Equal(t, 204, w.Code)
	require.JSONEq(t, `{"faults":[]}`, f.visit("/api/x/faults").Body.String())
}
