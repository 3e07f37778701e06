// Package notes is a small backend. docs/testing-your-backend.md shows how to test it.
package notes

import (
	"io"
	"net/http"

	"github.com/omnibucket/storage"
)

// A Store has the methods of a bucket that the backend needs. It can neither list nor remove.
type Store interface {
	storage.Uploader
	storage.Downloader
}

// NewHandler returns the backend. PUT /notes/7 creates a note, and GET /notes/7 reads it.
func NewHandler(store Store) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /notes/{id}", func(w http.ResponseWriter, r *http.Request) {
		_, err := store.Upload(r.Context(), "notes/"+r.PathValue("id")+".txt", r.Body, storage.IfAbsent())
		if err != nil {
			fail(w, err)
			return
		}
		w.WriteHeader(http.StatusCreated)
	})
	mux.HandleFunc("GET /notes/{id}", func(w http.ResponseWriter, r *http.Request) {
		note, err := store.Download(r.Context(), "notes/"+r.PathValue("id")+".txt")
		if err != nil {
			fail(w, err)
			return
		}
		defer func() { _ = note.Close() }()
		// An error means that the client has gone, or that the note was replaced.
		_, _ = io.Copy(w, note)
	})
	return mux
}

// fail responds with the HTTP status for an error of the store.
func fail(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	switch storage.CodeOf(err) {
	case storage.ObjectNotFound:
		status = http.StatusNotFound
	case storage.PreconditionFailed:
		status = http.StatusConflict
	case storage.InvalidArgument:
		status = http.StatusBadRequest
	case storage.Unavailable, storage.RateLimited:
		status = http.StatusServiceUnavailable
	}
	http.Error(w, http.StatusText(status), status)
}
