package serve

import (
	"context"
	"net/http"
	"slices"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/signedurl"
)

// read responds with an object if the request is signed, or if the object or its bucket is public. It refuses an
// invalid signature even for a public object.
func (h *handler) read(w http.ResponseWriter, r *http.Request, key string, isPublicBucket bool) *failure {
	// All requests share these slices, so append only to copies.
	opts := h.options.object
	opts.headers = slices.Clone(opts.headers)
	opts.downloads = slices.Clone(opts.downloads)

	if signedurl.HasParams(r.URL.RawQuery) {
		grant, f := h.verifyRead(r, key)
		if f != nil {
			return f
		}
		if grant.Version != "" {
			opts.downloads = append(opts.downloads, storage.WithVersion(grant.Version))
		}
		opts.headers = append(opts.headers, func(header http.Header, _ *storage.Attrs) {
			setSignedHeaders(header, grant)
		})
		h.serve(w, r, h.bucket, key, opts)
		return nil
	}

	// The request has no signature.
	if isPublicBucket {
		h.serve(w, r, h.bucket, key, opts)
		return nil
	}

	// The bucket is private, but the object may be public.
	revision, err := h.origin.PublicRevision(r.Context(), key)
	if err != nil {
		return failureOf(err)
	}
	isPublic := revision != ""
	if !isPublic {
		return errDenied
	}
	h.serve(w, r, &publicObjects{bucket: h.bucket, origin: h.origin}, key, opts)
	return nil
}

// verifyRead checks the signature of a GET or HEAD request. A HEAD may also use a signature for GET.
func (h *handler) verifyRead(r *http.Request, key string) (*signedurl.Grant, *failure) {
	grant, f := h.verify(r, r.Method, key)
	if f != nil && r.Method == http.MethodHead {
		return h.verify(r, http.MethodGet, key)
	}
	return grant, f
}

// serve responds with an object of src. Unless active content is allowed, it adds headers that keep
// browsers from running the object.
func (h *handler) serve(
	w http.ResponseWriter, r *http.Request, src storage.Downloader, key string, opts objectOptions,
) {
	if !h.options.activeContent {
		opts.headers = append(opts.headers, neutralize)
	}
	serveObject(w, r, src, key, opts)
}

// setSignedHeaders sets the response headers that were signed with the URL.
func setSignedHeaders(h http.Header, g *signedurl.Grant) {
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

// Download opens an object and then checks that the opened revision is public, because a private
// object may have replaced a public one.
func (p *publicObjects) Download(
	ctx context.Context, key string, opts ...storage.DownloadOption,
) (*storage.Reader, error) {
	// The object may be replaced between the two requests. There is a limit, because behind a layer that changes
	// revisions, none would ever match.
	const maxTries = 10
	for range maxTries {
		body, err := p.bucket.Download(ctx, key, opts...)
		if err != nil {
			return nil, err
		}

		revision, err := p.origin.PublicRevision(ctx, key)
		if err == nil && revision == body.Attrs().Revision {
			return body, nil
		}

		// Nothing was read from the body, so an error of Close does not matter.
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
