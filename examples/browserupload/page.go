package main

import (
	"embed"
	"io/fs"
	"net/http"
	"strings"

	"github.com/omnibucket/storage/resumable"
)

//go:embed page
var page embed.FS

// routePage serves the page: three kinds of files, all embedded, and the script of package
// resumable.
func (s *site) routePage(mux *http.ServeMux) {
	files, err := fs.Sub(page, "page")
	if err != nil {
		panic(err) // the pattern of embed above is wrong
	}
	server := http.FileServerFS(files)
	mux.Handle("GET /upload.js", resumable.Script())
	policy := s.contentSecurityPolicy()
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-cache")
		server.ServeHTTP(w, r)
	})
}

// contentSecurityPolicy lets the page load its own files, show images from the store
// and send files there. A policy without the store blocks uploads before they are
// sent, which looks much like a missing CORS rule.
func (s *site) contentSecurityPolicy() string {
	store := strings.Join(s.storeOrigins, " ")
	return strings.Join([]string{
		"default-src 'none'",
		"script-src 'self'",
		"style-src 'self'",
		"img-src 'self' " + store,
		"connect-src 'self' " + store,
		"base-uri 'none'",
		"form-action 'none'",
		"frame-ancestors 'none'",
		"require-trusted-types-for 'script'",
	}, "; ")
}
