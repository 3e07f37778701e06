package main

import (
	"embed"
	"io/fs"
	"log/slog"
	"net/http"

	"github.com/omnibucket/storage/examples/internal/pages"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/filesapi"
)

//go:embed page
var page embed.FS

// site returns a handler that serves the page, and the API under /api/.
func site(service *uploads.Service, s settings) (http.Handler, error) {
	api, err := filesapi.New(service, filesapi.Config{
		Authorize: func(*http.Request) (uploads.User, error) { return uploads.User{ID: "visitor"}, nil },
		TempAge:   s.tempAge,
		OnError: func(r *http.Request, err error) {
			slog.Error(
				"request failed", "id", r.Header.Get("X-Request-Id"), "method", r.Method, "path", r.URL.Path, "error",
				err,
			)
		},
	})
	if err != nil {
		return nil, err
	}

	fsys, err := fs.Sub(page, "page")
	if err != nil {
		return nil, err
	}

	handler, err := pages.Handler(pages.Site{
		Example: "fileserver",
		Files:   fsys,
		Data:    map[string]float64{"TempSeconds": s.tempAge.Seconds()},
	})
	if err != nil {
		return nil, err
	}

	mux := http.NewServeMux()
	mux.Handle("/api/", http.StripPrefix("/api", api))
	mux.Handle("GET /upload.js", uploads.Script())
	mux.Handle("/", handler)
	// A form or script on another site must not delete files in the name of the visitor.
	return http.NewCrossOriginProtection().Handler(mux), nil
}
