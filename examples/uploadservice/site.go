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

const maxSize = 100 << 20 // size of the largest picture in bytes

// A site has the upload service, its bucket, and a page to try it.
type site struct {
	bucket  storage.Bucket
	service *uploads.Service
}

// open opens the bucket at address. If address is "", it opens the directory dir. The signed URLs
// of a directory or of memory begin with origin and /files/, where the site serves them. A cloud
// provider serves its own signed URLs.
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

// authorize returns the user of a request. A real program must look at the session here, and return
// storage.Unauthenticated if there is none.
func authorize(*http.Request) (uploads.User, error) {
	return uploads.User{ID: "demo"}, nil
}

func (s *site) handler() (http.Handler, error) {
	fsys, err := fs.Sub(page, "page")
	if err != nil {
		return nil, err
	}
	handler, err := pages.Handler(pages.Site{
		Example: "uploadservice",
		Files:   fsys,
		Data:    map[string]string{"LargestFile": fmt.Sprintf("%d MiB", maxSize>>20)},
		Origins: s.storeOrigins,
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	// A form on another site must not upload or delete pictures in the name of the visitor.
	mux.Handle("/uploads/", http.NewCrossOriginProtection().Handler(http.StripPrefix("/uploads", s.service)))
	mux.Handle("GET /upload.js", uploads.Script())
	mux.Handle("/files/", serve.NewHandler(s.bucket))
	mux.Handle("/", handler)
	return mux, nil
}

//go:embed page
var page embed.FS

// storeOrigins returns the origins of signed URLs. The page sends files to them, and shows pictures
// from them.
func (s *site) storeOrigins(ctx context.Context) []string {
	origins := map[string]bool{}
	add := func(signed *storage.SignedURL, err error) {
		if err != nil {
			// The page is served nevertheless, and shows what fails.
			return
		}
		if u, err := url.Parse(signed.URL); err == nil {
			origins[u.Scheme+"://"+u.Host] = true
		}
	}
	add(s.bucket.SignedUploadURL(ctx, "probe"))
	add(s.bucket.SignedDownloadURL(ctx, "probe"))
	return slices.Sorted(maps.Keys(origins))
}
