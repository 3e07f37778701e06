// Package console serves a web page for an S3 server of package s3server. The page is that of
// package serve/console: it shows the server's buckets, objects and versions. In addition it shows
// the uploads in progress and the latest requests with the reasons of failures, and it can add and
// remove faults.
//
//	var requests console.Record
//	server, err := s3server.Start(s3server.Config{Log: requests.Add})
//	http.Serve(listener, console.Handler(server.Handler, &requests))
//
// The console must have a port of its own. If it shared the port of the S3 server, a script in an
// object could use the console.
package console

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	_ "embed"
	"encoding/json"
	"iter"
	"net/http"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/s3server"
	"github.com/omnibucket/storage/serve/console"
)

//go:embed page/extra.js
var script []byte

// Handler serves the console at its root, with the requests that the record has. Callers authenticate with HTTP's Basic
// authentication: the user is the access key of the server's first credential, and the password is its secret. If the
// credential is read-only, the console changes nothing.
//
// hosts are the names by which browsers may call the console, in addition to IP addresses and localhost. A request for
// any other name is refused, because it may come from a page of another site.
func Handler(server *s3server.Handler, requests *Record, hosts ...string) http.Handler {
	page, err := console.New(source{server}, console.Config{
		Title:     "S3 server",
		Write:     !server.Credentials().ReadOnly,
		Hosts:     hosts,
		Authorize: func(w http.ResponseWriter, r *http.Request) bool { return authorize(w, r, server.Credentials()) },
		Pages:     []console.Page{{Name: "requests", Title: "Requests"}, {Name: "faults", Title: "Faults"}},
		Script:    script,
		API:       api(server, requests),
	})
	if err != nil {
		// The configuration above is always valid.
		panic(err)
	}
	return page
}

// A source lets the console read a server's buckets. The server's record of requests does not
// contain these reads.
type source struct{ server *s3server.Handler }

func (s source) Buckets(ctx context.Context) iter.Seq2[storage.BucketInfo, error] {
	return s.server.Buckets(ctx)
}

func (s source) Bucket(_ context.Context, name string) (storage.Bucket, storage.BucketInfo, error) {
	return s.server.Bucket(name), storage.BucketInfo{Name: name}, nil
}

// api handles the requests by which the script of the console's page reads and changes the lists of requests, uploads
// and faults.
func api(server *s3server.Handler, requests *Record) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /requests", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"requests": requests.latestRequests()})
	})
	mux.HandleFunc("DELETE /requests", func(w http.ResponseWriter, _ *http.Request) {
		requests.clear()
		w.WriteHeader(http.StatusNoContent)
	})

	// The page calls the admin API at the console's root, not at /_admin/.
	admin := server.Admin()
	for _, view := range []string{"GET /uploads", "/faults", "/faults/{id}"} {
		mux.HandleFunc(view, func(w http.ResponseWriter, r *http.Request) {
			adminRequest := r.Clone(r.Context())
			adminRequest.URL.Path = "/_admin/" + strings.TrimPrefix(r.URL.Path, "/")
			adminRequest.URL.RawPath = ""
			admin.ServeHTTP(w, adminRequest)
		})
	}

	// A user with a read-only credential must not clear the list or add a fault.
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		isRead := r.Method == http.MethodGet || r.Method == http.MethodHead
		if !isRead && server.Credentials().ReadOnly {
			http.Error(w, "the credential is read-only", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// authorize reports whether the caller sent the wanted credential, or else responds with 401. It compares hashes in
// constant time, so that the time of a response reveals nothing about the credential.
func authorize(w http.ResponseWriter, r *http.Request, want s3server.Credential) bool {
	user, password, _ := r.BasicAuth()

	// Compare both, even if the user is wrong, so that each response takes the same time.
	isUser := equalHashes(user, want.AccessKeyID)
	isPassword := equalHashes(password, want.SecretKey)
	hasCredential := want.AccessKeyID != "" && want.SecretKey != ""
	if hasCredential && isUser && isPassword {
		return true
	}

	w.Header().Set("WWW-Authenticate", `Basic realm="S3 server", charset="UTF-8"`)
	http.Error(w, "the access key and the secret of the server are needed", http.StatusUnauthorized)
	return false
}

// equalHashes compares the hashes of two texts. The hashes have one length, so the time of the
// comparison does not show the length of a text.
func equalHashes(a, b string) bool {
	hashA := sha256.Sum256([]byte(a))
	hashB := sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(hashA[:], hashB[:]) == 1
}
