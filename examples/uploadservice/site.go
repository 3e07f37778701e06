package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/examples/internal/pages"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/serve"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

const maxSize = 100 << 20 // bytes of a picture

// A site is the service, its bucket, and a page to try it.
type site struct {
	bucket  storage.Bucket
	service *uploads.Service
}

// open opens the bucket at address, or the directory if there is no address. The site
// serves their signed addresses under /files/; a cloud serves its own.
func open(ctx context.Context, address, dir, origin string) (*site, error) {
	var opts []storage.OpenOption
	if address == "" || strings.HasPrefix(address, "mem:") || strings.HasPrefix(address, "file:") {
		opts = append(opts, storage.WithSigningBaseURL(origin+"/files"))
	}
	var b storage.Bucket
	var err error
	if address == "" {
		b, err = local.Open(dir, local.Config{Create: true}, opts...)
	} else {
		b, err = storage.Open(ctx, address, opts...)
	}
	if err != nil {
		return nil, err
	}
	service, err := uploads.New(b, uploads.Config{
		Rules:     rules.Rules{MaxSize: maxSize},
		Key:       "users/{user}/{yyyy}/{mm}/{random}{ext}",
		Link:      uploads.SignedLink,
		Authorize: authorize,
		OnError: func(r *http.Request, err error) {
			slog.Error("upload failed", "method", r.Method, "path", r.URL.Path, "error", err)
		},
	})
	if err != nil {
		return nil, errors.Join(err, storage.Close(b))
	}
	return &site{b, service}, nil
}

// Close closes the bucket.
func (s *site) Close() error { return storage.Close(s.bucket) }

// authorize says whose files these are. A program of yours looks at the session here,
// and returns storage.Unauthenticated if there is none.
func authorize(*http.Request) (uploads.User, error) {
	return uploads.User{ID: "demo"}, nil
}

func (s *site) handler() (http.Handler, error) {
	own, err := fs.Sub(page, "page")
	if err != nil {
		return nil, err
	}
	handler, err := pages.Handler(pages.Site{
		Example: "uploadservice",
		Files:   own,
		Data:    map[string]string{"LargestFile": fmt.Sprintf("%d MiB", maxSize>>20)},
		Origins: s.storeOrigins,
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	// A form of another site in the visitor's browser must not upload or delete.
	mux.Handle("/uploads/", http.NewCrossOriginProtection().Handler(http.StripPrefix("/uploads", s.service)))
	mux.Handle("GET /upload.js", uploads.Script())
	mux.Handle("/files/", serve.NewHandler(s.bucket))
	mux.Handle("/", handler)
	return mux, nil
}

//go:embed page
var page embed.FS

// storeOrigins returns the origins of signed addresses, where files are sent to and
// shown from.
func (s *site) storeOrigins(ctx context.Context) []string {
	origins := map[string]bool{}
	add := func(signed *storage.SignedURL, err error) {
		if err != nil {
			return // the page is shown nevertheless, and says what fails
		}
		if u, err := url.Parse(signed.URL); err == nil {
			origins[u.Scheme+"://"+u.Host] = true
		}
	}
	add(s.bucket.SignedUploadURL(ctx, "probe"))
	add(s.bucket.SignedDownloadURL(ctx, "probe"))
	return slices.Sorted(maps.Keys(origins))
}
