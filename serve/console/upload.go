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

// upload stores the body of a request as an object. It replaces an existing object only if the query has the parameter
// "replace".
func (h *Handler) upload(r *http.Request) (any, error) {
	b, key, _, err := h.requestedObject(r)
	if err != nil {
		return nil, err
	}

	q := r.URL.Query()
	var opts []storage.UploadOption
	if q.Get("replace") == "" {
		opts, err = createOptions(r.Context(), b, key)
		if err != nil {
			return nil, err
		}
	}

	// The length is -1 if the browser does not know it.
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

// createOptions returns the options of an upload that must not replace an object. If the store cannot
// check that, createOptions fails with PreconditionFailed if the object exists now.
func createOptions(ctx context.Context, b storage.Bucket, key string) ([]storage.UploadOption, error) {
	if storage.Supports(b, storage.ConditionalCreate) {
		return []storage.UploadOption{storage.IfAbsent()}, nil
	}
	return nil, requireAbsent(ctx, b, key)
}

// serveUploads passes a request of the page's upload script to the upload service of a bucket. The
// path contains the object's key, so that the script keeps a separate record for each object.
func (h *Handler) serveUploads(w http.ResponseWriter, r *http.Request) {
	if !h.config.Write {
		refuse(w, http.StatusForbidden, readOnly.Code, readOnly.Error())
		return
	}

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

	// The page needs only these two routes of the service.
	rest := pathAfterKey(r)
	isNeeded := strings.HasPrefix(rest, "/s3/multipart") || strings.HasPrefix(rest, "/s3/part/")
	if !isNeeded {
		http.NotFound(w, r)
		return
	}

	// Each bucket has an upload service of its own.
	service, err := h.uploadService(r.Context(), r.PathValue("bucket"))
	if err != nil {
		storageErr := storage.AsError(r.Context(), err)
		refuse(w, statusOf(storageErr.Code), storageErr.Code, errorText(storageErr))
		return
	}

	// The service expects its own path, and learns the key from the context.
	inner := r.Clone(context.WithValue(r.Context(), uploadKey{}, string(key)))
	inner.URL.Path = rest
	inner.URL.RawPath = ""
	h.open.serve(w, inner, service)
}

// pathAfterKey returns the rest of a path /uploads/<bucket>/<key>/<rest>, or "" if there is none.
// The bucket and the key may contain escaped slashes.
func pathAfterKey(r *http.Request) string {
	segments := strings.SplitN(r.URL.EscapedPath(), "/", 5)
	if len(segments) < 5 {
		return ""
	}
	rest, err := url.PathUnescape(segments[4])
	if err != nil {
		return ""
	}
	return "/" + rest
}

// An uploadKey is the context key for the object key of an upload.
type uploadKey struct{}

// uploadService returns the service for large uploads to a bucket, which the first call creates.
func (h *Handler) uploadService(ctx context.Context, name string) (*uploads.Service, error) {
	b, _, err := h.source.Bucket(ctx, name)
	if err != nil {
		return nil, err
	}

	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.services[name]; s != nil {
		return s, nil
	}

	// The upload service need not ask who the user is, because the page's own guard has done that.
	s, err := uploads.New(b, uploads.Config{
		Rules:      rules.Any(0),
		ProxyParts: true,
		States:     &memoryStates{now: h.config.Now},
		TTL:        uploadTTL,
		Unguarded:  !storage.Supports(b, storage.ConditionalCreate),
		Now:        h.config.Now,
		Authorize: func(*http.Request) (uploads.User, error) {
			return uploads.User{}, nil
		},
		Begin: func(r *http.Request, _ uploads.User, begin uploads.Request) (*uploads.Target, error) {
			return uploadTarget(r, b, begin)
		},
	})
	if err != nil {
		return nil, err
	}

	h.services[name] = s
	return s, nil
}

// uploadTarget returns the object that a large upload writes. The upload replaces an existing object
// only if the request has the metadata "replace".
func uploadTarget(r *http.Request, b storage.Bucket, begin uploads.Request) (*uploads.Target, error) {
	key, _ := r.Context().Value(uploadKey{}).(string)
	t := &uploads.Target{
		Key:         key,
		ContentType: begin.Type,
		Overwrite:   begin.Metadata["replace"] != "",
	}
	if t.Overwrite || storage.Supports(b, storage.ConditionalCreate) {
		return t, nil
	}

	// The store cannot refuse to overwrite, so check now that there is no such object.
	err := requireAbsent(r.Context(), b, key)
	if err != nil {
		return nil, &uploads.Error{Code: uploads.Exists, Message: "There is an object with this name.", Err: err}
	}

	// The store would refuse an upload that must not overwrite.
	t.Overwrite = true
	return t, nil
}
