package main

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"

	"github.com/omnibucket/storage"
)

// routeAPI adds the routes of the page's API.
func (s *site) routeAPI(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/settings", answer(s.settings)) // the types that may be uploaded, and the bucket
	mux.HandleFunc(
		"POST /api/uploads", answer(s.startUpload),
	) // {size, type} → {id, request}; then the page sends the request
	mux.HandleFunc("POST /api/uploads/{id}", answer(s.finishUpload))  // {name} → the image, if the uploaded file is one
	mux.HandleFunc("GET /api/images", answer(s.listImages))           // ?page= → {images, next}
	mux.HandleFunc("GET /api/images/{id}/link", answer(s.shareImage)) // → {url, expiresAt}
	mux.HandleFunc("DELETE /api/images/{id}", answer(s.deleteImage))  // deletes an image; the response is empty
}

func (s *site) settings(*http.Request) (any, error) {
	return struct {
		Bucket     string   `json:"bucket"`
		Types      []string `json:"types"`
		MaxBytes   int64    `json:"maxBytes"`
		ChecksSize bool     `json:"storeChecksSize"`
		ChecksType bool     `json:"storeChecksType"`
	}{
		s.name, slices.Sorted(maps.Keys(types)), maxBytes,
		storage.Supports(s.incoming, storage.SignedSize), storage.Supports(s.incoming, storage.SignedContentType),
	}, nil
}

// A failure is an error that the user of the page may see.
type failure struct {
	status  int
	message string
}

func (f *failure) Error() string { return f.message }

// failures maps Codes of the library to failures that the user of the page can understand. The
// user does not see the original error, because its text contains the name of the bucket.
var failures = map[storage.Code]*failure{
	storage.ObjectNotFound:   {http.StatusNotFound, "This image is not there any more."},
	storage.Changed:          {http.StatusConflict, "The file was replaced while it was looked at. Send it again."},
	storage.InvalidArgument:  {http.StatusBadRequest, "This cannot be the name of an image, or a page of the gallery."},
	storage.BucketNotFound:   {http.StatusBadGateway, "The bucket does not exist."},
	storage.PermissionDenied: {http.StatusBadGateway, "The store refuses this server's credentials."},
	storage.Unauthenticated:  {http.StatusBadGateway, "The store refuses this server's credentials."},
	storage.RateLimited:      {http.StatusServiceUnavailable, "The store is busy. Try again in a moment."},
	storage.Unavailable:      {http.StatusServiceUnavailable, "The store does not respond. Try again in a moment."},
	storage.DeadlineExceeded: {http.StatusServiceUnavailable, "The store does not respond. Try again in a moment."},
}

// answer returns a handler that responds with the result of f as JSON. If the result is nil, it
// responds with 204. If f fails, the visitor sees only the message of the failure.
func answer(f func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store") // responses contain signed URLs
		value, err := f(r)
		if err != nil {
			failure := failureOf(err)
			// If the visitor has left, the request fails for that reason, which needs no log entry.
			hasLeft := r.Context().Err() != nil
			if failure.status >= http.StatusInternalServerError && !hasLeft {
				slog.Error("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
			}
			writeJSON(w, failure.status, map[string]string{"error": failure.message})
			return
		}

		if value == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		writeJSON(w, http.StatusOK, value)
	}
}

// failureOf returns what a visitor may see of an error.
func failureOf(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	if f := failures[storage.CodeOf(err)]; f != nil {
		return f
	}
	return &failure{http.StatusInternalServerError, "Something went wrong on the server; its log says what."}
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}

// readJSON decodes a JSON document of at most 4 KiB. It refuses unknown fields.
func readJSON(r *http.Request, dst any) error {
	decoder := json.NewDecoder(io.LimitReader(r.Body, 4<<10))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(dst); err != nil {
		return &failure{http.StatusBadRequest, "The request is not understood."}
	}
	return nil
}
