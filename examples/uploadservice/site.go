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

// open opens a bucket, and returns a site that uses it. address and dir are those of openBucket. The
// site is served at origin.
func open(ctx context.Context, address, dir, origin string) (*site, error) {
	b, err := openBucket(ctx, address, dir, origin)
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

// openBucket opens the bucket at address. If address is "", it opens the directory dir. A cloud provider
// serves its own signed URLs. Those of a directory or of memory begin with origin and /files/, because
// the site serves them there.
func openBucket(ctx context.Context, address, dir, origin string) (storage.Bucket, error) {
	signing := storage.WithSigningBaseURL(origin + "/files")
	if address == "" {
		return local.Open(dir, local.Config{Create: true}, signing)
	}
	if strings.HasPrefix(address, "mem:") || strings.HasPrefix(address, "file:") {
		return storage.Open(ctx, address, signing)
	}
	return storage.Open(ctx, address)
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
	// If a request cannot be signed, the page is served nevertheless, and shows what fails.
	var addresses []string
	upload, err := s.bucket.SignedUploadURL(ctx, "probe")
	if err == nil {
		addresses = append(addresses, upload.URL)
	}
	download, err := s.bucket.SignedDownloadURL(ctx, "probe")
	if err == nil {
		addresses = append(addresses, download.URL)
	}

	origins := map[string]bool{}
	for _, address := range addresses {
		u, err := url.Parse(address)
		if err == nil {
			origins[u.Scheme+"://"+u.Host] = true
		}
	}
	return slices.Sorted(maps.Keys(origins))
}
