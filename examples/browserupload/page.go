package main

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"net/http"

	"github.com/omnibucket/storage/examples/internal/pages"
	"github.com/omnibucket/storage/uploads"
)

//go:embed page
var files embed.FS

// routePage adds the routes of the pages, and of the script of package uploads.
func (s *site) routePage(mux *http.ServeMux) error {
	fsys, err := fs.Sub(files, "page")
	if err != nil {
		return err
	}
	handler, err := pages.Handler(pages.Site{
		Example: "browserupload",
		Files:   fsys,
		Links:   []pages.Link{{Address: ".", Name: "Images"}, {Address: "large.html", Name: "Large files"}},
		Data: map[string]string{
			"Bucket":      s.name,
			"LargestFile": fmt.Sprintf("%d GiB", int64(largestFile)>>30),
		},
		Origins: func(context.Context) []string { return s.storeOrigins },
	})
	if err != nil {
		return err
	}
	mux.Handle("GET /", handler)
	mux.Handle("GET /upload.js", uploads.Script())
	return nil
}
