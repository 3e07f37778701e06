// Package console serves a page that shows an S3 server of package s3server: its buckets, objects, versions
// and uploads, and its latest requests with the reasons of failures. The page adds and removes faults, too.
//
//	var requests console.Record
//	server, err := s3server.Start(s3server.Config{Log: requests.Add})
//	http.Serve(listener, console.Handler(server.Handler, &requests))
//
// Serve it at a port of its own: in the origin of the S3 server, a browser would run scripts in objects.
package console

import (
	"crypto/sha256"
	"crypto/subtle"
	"embed"
	"encoding/json"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/hostname"
	"github.com/omnibucket/storage/s3server"
	"github.com/omnibucket/storage/serve"
)

//go:embed page
var files embed.FS

// policy lets a page use only its own files, and does not let it turn text into HTML.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; " +
	"form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// header must be in every request of the page's script. A form or script of another site cannot send it
// without a permission, which the console never gives.
const header = "X-Console"

// Handler serves the console at its root to callers who know the server's first credential, by HTTP's Basic
// authentication: its access key is the user, its secret the password. If the credential is read-only,
// faults cannot be changed. hosts are the names by which browsers may call it, in addition to IP addresses
// and localhost; a request for any other name is refused, because it may come from a page of another site.
// requests are the requests that the page shows.
func Handler(server *s3server.Handler, requests *Record, hosts ...string) http.Handler {
	c := &console{server: server, requests: requests, hosts: hosts}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", c.file("page/index.html"))
	mux.HandleFunc("GET /console.css", c.file("page/console.css"))
	mux.HandleFunc("GET /console.js", c.file("page/console.js"))
	mux.HandleFunc(
		"GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
	)
	mux.HandleFunc("GET /object", c.download)
	mux.HandleFunc("GET /api/requests", c.listRequests)
	mux.HandleFunc("DELETE /api/requests", func(w http.ResponseWriter, _ *http.Request) {
		c.requests.clear()
		w.WriteHeader(http.StatusNoContent)
	})
	admin := server.Admin()
	for _, view := range []string{"GET /api/buckets", "GET /api/objects", "GET /api/versions", "GET /api/uploads", "/api/faults", "/api/faults/{id}"} {
		mux.HandleFunc(view, func(w http.ResponseWriter, r *http.Request) {
			r = r.Clone(r.Context())
			r.URL.Path = "/_admin/" + strings.TrimPrefix(r.URL.Path, "/api/")
			r.URL.RawPath = ""
			admin.ServeHTTP(w, r)
		})
	}
	return c.guard(mux)
}

type console struct {
	server   *s3server.Handler
	requests *Record
	hosts    []string
}

// guard passes on only requests that come from the console's page, and whose sender knows the
// credential.
func (c *console) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		reads := r.Method == http.MethodGet || r.Method == http.MethodHead
		switch {
		case !hostname.IsKnown(r.Host, c.hosts):
			http.Error(
				w, "the console does not know the name in the header Host: call it by its IP address or localhost",
				http.StatusMisdirectedRequest,
			)
		case !c.authentic(r):
			h.Set("WWW-Authenticate", `Basic realm="S3 server", charset="UTF-8"`)
			http.Error(w, "the access key and the secret of the server are needed", http.StatusUnauthorized)
		case (!reads || strings.HasPrefix(r.URL.Path, "/api/")) && r.Header.Get(header) == "":
			http.Error(w, "the header "+header+" is needed", http.StatusForbidden)
		case !reads && c.server.Credentials().ReadOnly:
			http.Error(w, "the credential is read-only", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// authentic compares hashes, which take the same time whatever was sent.
func (c *console) authentic(r *http.Request) bool {
	want := c.server.Credentials()
	user, password, _ := r.BasicAuth()
	equal := func(a, b string) int {
		x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
		return subtle.ConstantTimeCompare(x[:], y[:])
	}
	known := want.AccessKeyID != "" && want.SecretKey != ""
	return known && equal(user, want.AccessKeyID)&equal(password, want.SecretKey) == 1
}

func (c *console) file(name string) http.HandlerFunc {
	content, err := files.ReadFile(name)
	if err != nil {
		panic(err) // the file is part of the program
	}
	kind := map[string]string{".html": "text/html", ".css": "text/css", ".js": "text/javascript"}[path.Ext(name)]
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind+"; charset=utf-8")
		_, _ = w.Write(content) // a client that has disconnected needs no response
	}
}

// download sends an object as a file: the browser neither shows nor runs it.
func (c *console) download(w http.ResponseWriter, r *http.Request) {
	asked, h := r.URL.Query(), w.Header()
	key := asked.Get("key")
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": path.Base(key)}))
	h["Content-Encoding"] = nil // the file has the bytes that are stored
	opts := []serve.Option{serve.WithErrorHandler(cannotRead)}
	if version := asked.Get("version"); version != "" {
		opts = append(opts, serve.WithDownloadOptions(storage.WithVersion(version)))
	}
	serve.Object(w, r, c.server.Bucket(asked.Get("bucket")), key, opts...)
}

func cannotRead(w http.ResponseWriter, _ *http.Request, status int, err error) {
	code := storage.CodeOf(err)
	if code == storage.BucketNotFound {
		status = http.StatusNotFound
	}
	http.Error(w, "the object cannot be read: "+code.Error(), status)
}

func (c *console) listRequests(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"requests": c.requests.latest()})
}
