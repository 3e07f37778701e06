package main

import (
	"embed"
	"encoding/json"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"

	"github.com/omnibucket/storage/files"
)

//go:embed page
var page embed.FS

// site serves the page, and the API under /api/.
func site(store *files.Store, s settings) (http.Handler, error) {
	api, err := files.Handler(store, files.HandlerConfig{
		Authorize: func(*http.Request) (string, error) { return "visitor", nil },
		OnError: func(r *http.Request, err error) {
			slog.Error("request failed", "id", r.Header.Get("X-Request-Id"), "method", r.Method, "path", r.URL.Path, "error", err)
		},
	})
	if err != nil {
		return nil, err
	}
	settings, err := json.Marshal(map[string]float64{"tempSeconds": s.tempAge.Seconds()})
	if err != nil {
		return nil, err
	}
	pages, err := fs.Sub(page, "page")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/api/", http.StripPrefix("/api", api))
	mux.HandleFunc("GET /settings.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(settings)
	})
	mux.Handle("/", guarded(http.FileServerFS(pages)))
	// A form or script of another site in the visitor's browser must not delete.
	return http.NewCrossOriginProtection().Handler(mux), nil
}

// guarded lets the page load only its own files.
func guarded(next http.Handler) http.Handler {
	policy := strings.Join([]string{
		"default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'",
		"base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'",
	}, "; ")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-cache")
		next.ServeHTTP(w, r)
	})
}
