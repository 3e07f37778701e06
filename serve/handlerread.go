package serve

import (
	"context"
	"net/http"
	"slices"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/signedurl"
)

// read serves an object if the request is allowed to have it. A signature for GET is
// valid for HEAD too, because HEAD reveals less; one for HEAD is valid only for HEAD.
// An invalid signature is refused even if the object is public.
func (h *handler) read(w http.ResponseWriter, r *http.Request, key string, public bool) *failure {
	o := h.options.object
	o.headers, o.downloads = slices.Clone(o.headers), slices.Clone(o.downloads)
	var from storage.Downloader = h.bucket
	switch {
	case signedurl.HasParams(r.URL.RawQuery):
		g, f := h.verify(r, r.Method, key)
		if f != nil && r.Method == http.MethodHead {
			g, f = h.verify(r, http.MethodGet, key)
		}
		if f != nil {
			return f
		}
		if g.Version != "" {
			o.downloads = append(o.downloads, storage.WithVersion(g.Version))
		}
		o.headers = append(o.headers, func(h http.Header, _ *storage.Attrs) { override(h, g) })
	case !public:
		revision, err := h.origin.PublicRevision(r.Context(), key)
		if err != nil {
			return failureOf(err)
		}
		if revision == "" {
			return errDenied
		}
		from = &publicObjects{h.bucket, h.origin}
	}
	if !h.options.activeContent {
		o.headers = append(o.headers, neutralize)
	}
	serveObject(w, r, from, key, o)
	return nil
}

// override sets the response headers that the signature names.
func override(h http.Header, g *signedurl.Grant) {
	if g.ResponseType != "" {
		h.Set("Content-Type", g.ResponseType)
	}
	if g.ResponseDisposition != "" {
		h.Set("Content-Disposition", g.ResponseDisposition)
	}
}

// publicObjects serves only the objects that were written with WithPublicRead.
type publicObjects struct {
	bucket storage.Bucket
	origin signedurl.Origin
}

// Download checks the object again after it was opened, because a private object may
// have replaced the public one.
func (p *publicObjects) Download(
	ctx context.Context, key string, opts ...storage.DownloadOption,
) (*storage.Reader, error) {
	const tries = 10 // a layer may have revisions of its own, which never match
	for range tries {
		body, err := p.bucket.Download(ctx, key, opts...)
		if err != nil {
			return nil, err
		}
		revision, err := p.origin.PublicRevision(ctx, key)
		if err == nil && revision == body.Attrs().Revision {
			return body, nil
		}
		_ = body.Close()
		switch {
		case err != nil:
			return nil, err
		case revision == "":
			return nil, storage.PermissionDenied
		}
	}
	return nil, storage.Unavailable
}
