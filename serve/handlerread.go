package serve

import (
	"context"
	"net/http"
	"slices"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/signedurl"
)

// read serves an object if the request may read it. A signature for GET is also valid for HEAD,
// because HEAD reveals less. A signature for HEAD is not valid for GET. An invalid signature is
// refused even if the object is public.
func (h *handler) read(w http.ResponseWriter, r *http.Request, key string, public bool) *failure {
	o := h.options.object
	o.headers = slices.Clone(o.headers)
	o.downloads = slices.Clone(o.downloads)
	var src storage.Downloader = h.bucket

	if signedurl.HasParams(r.URL.RawQuery) {
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
		o.headers = append(o.headers, func(h http.Header, _ *storage.Attrs) {
			override(h, g)
		})
	} else if !public {
		revision, err := h.origin.PublicRevision(r.Context(), key)
		if err != nil {
			return failureOf(err)
		}
		if revision == "" {
			return errDenied
		}
		src = &publicObjects{h.bucket, h.origin}
	}

	if !h.options.activeContent {
		o.headers = append(o.headers, neutralize)
	}
	serveObject(w, r, src, key, o)
	return nil
}

// override sets the response headers that were signed with the URL.
func override(h http.Header, g *signedurl.Grant) {
	if g.ResponseType != "" {
		h.Set("Content-Type", g.ResponseType)
	}
	if g.ResponseDisposition != "" {
		h.Set("Content-Disposition", g.ResponseDisposition)
	}
	if g.ResponseCacheControl != "" {
		h.Set("Cache-Control", g.ResponseCacheControl)
	}
}

// A publicObjects is a Downloader that returns only objects that were written with WithPublicRead.
type publicObjects struct {
	bucket storage.Bucket
	origin signedurl.Origin
}

// Download opens a public object. It checks afterwards that the opened object is public, because a
// private object may have replaced the public one.
func (p *publicObjects) Download(
	ctx context.Context, key string, opts ...storage.DownloadOption,
) (*storage.Reader, error) {
	// If a layer changes revisions, no revision ever matches. The limit ends the loop in that case.
	const tries = 10
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
		if err != nil {
			return nil, err
		}
		if revision == "" {
			return nil, storage.PermissionDenied
		}
	}
	return nil, storage.Unavailable
}
