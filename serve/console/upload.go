package console

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// upload stores the body of a request. It replaces an existing object only if the query has the
// parameter named replace.
func (h *Handler) upload(r *http.Request) (any, error) {
	b, key, _, err := h.requestedObject(r)
	if err != nil {
		return nil, err
	}

	q := r.URL.Query()
	var opts []storage.UploadOption
	switch {
	case q.Get("replace") != "":
	case storage.Supports(b, storage.ConditionalCreate):
		opts = append(opts, storage.IfAbsent())
	default:
		if err := mustBeFree(r.Context(), b, key); err != nil {
			return nil, err
		}
	}

	if r.ContentLength >= 0 {
		opts = append(opts, storage.WithSize(r.ContentLength))
	}
	if mediaType := q.Get("type"); mediaType != "" && storage.Supports(b, storage.ContentProperties) {
		opts = append(opts, storage.WithContentType(mediaType))
	}

	attrs, err := b.Upload(r.Context(), key, r.Body, opts...)
	if err != nil {
		return nil, err
	}
	return map[string]any{"key": attrs.Key, "size": attrs.Size}, nil
}

// serveUploads passes requests of upload.js to the upload service of a bucket. The address contains
// the key of the object, so that the journal of upload.js has a separate entry for each object.
func (h *Handler) serveUploads(w http.ResponseWriter, r *http.Request) {
	if !h.config.Write {
		refuse(w, http.StatusForbidden, readOnly.Code, readOnly.Error())
		return
	}

	bucket := r.PathValue("bucket")
	rest := pathAfterKey(r)
	key, err := base64.RawURLEncoding.DecodeString(r.PathValue("key"))
	if err != nil {
		refuse(
			w,
			http.StatusBadRequest,
			storage.InvalidArgument,
			"the address of an upload must have its key in base64url",
		)
		return
	}

	// The page uses only these two parts of the service.
	if !strings.HasPrefix(rest, "/s3/multipart") && !strings.HasPrefix(rest, "/s3/part/") {
		http.NotFound(w, r)
		return
	}

	service, err := h.service(r.Context(), bucket)
	if err != nil {
		e := storage.AsError(r.Context(), err)
		refuse(w, statusOf(e.Code), e.Code, errorText(e))
		return
	}

	inner := r.Clone(context.WithValue(r.Context(), uploadKey{}, string(key)))
	inner.URL.Path = rest
	inner.URL.RawPath = ""
	h.open.serve(w, inner, service)
}

// pathAfterKey returns the part of the path after the name of the bucket and the key. Both may contain
// escaped slashes.
func pathAfterKey(r *http.Request) string {
	segments := strings.SplitN(r.URL.EscapedPath(), "/", 5)
	rest, err := url.PathUnescape(segments[len(segments)-1])
	if err != nil || len(segments) < 5 {
		return ""
	}
	return "/" + rest
}

// An uploadKey is the context key for the object key of an upload.
type uploadKey struct{}

// service returns the service for large uploads to a bucket. It creates the service at the first
// call.
func (h *Handler) service(ctx context.Context, name string) (*uploads.Service, error) {
	b, _, err := h.source.Bucket(ctx, name)
	if err != nil {
		return nil, err
	}

	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.services[name]; s != nil {
		return s, nil
	}

	s, err := uploads.New(b, uploads.Config{
		Rules:      rules.Any(0),
		ProxyParts: true,
		States:     &memoryStates{now: h.config.Now},
		TTL:        uploadTTL,
		Unguarded:  !storage.Supports(b, storage.ConditionalCreate),
		Now:        h.config.Now,
		Authorize:  func(*http.Request) (uploads.User, error) { return uploads.User{}, nil },
		Begin: func(r *http.Request, _ uploads.User, n uploads.Request) (*uploads.Target, error) {
			return target(r, b, n)
		},
	})
	if err == nil {
		h.services[name] = s
	}
	return s, err
}

// target returns the object that a large upload writes. The upload replaces an existing object only
// if the metadata of the request has the entry "replace".
func target(r *http.Request, b storage.Bucket, n uploads.Request) (*uploads.Target, error) {
	key, _ := r.Context().Value(uploadKey{}).(string)
	t := &uploads.Target{Key: key, ContentType: n.Type, Overwrite: n.Metadata["replace"] != ""}
	if !t.Overwrite && !storage.Supports(b, storage.ConditionalCreate) {
		if err := mustBeFree(r.Context(), b, key); err != nil {
			return nil, &uploads.Error{Code: uploads.Exists, Message: "There is an object with this name.", Err: err}
		}
		// The check above replaces the condition, which this store does not support.
		t.Overwrite = true
	}
	return t, nil
}
