package notes

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/omnibucket/storage/memstore"
)

// send makes one request to the backend.
func send(t *testing.T, store Store, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	NewHandler(store).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body)))
	return w
}

func expect(t *testing.T, w *httptest.ResponseRecorder, status int) {
	t.Helper()
	if w.Code != status {
		t.Fatalf("status %d, not %d: %s", w.Code, status, w.Body)
	}
}

func TestNoteIsCreatedOnce(t *testing.T) {
	store := memstore.New() // empty, its own, nothing to clean up
	expect(t, send(t, store, http.MethodGet, "/notes/7", ""), http.StatusNotFound)
	expect(t, send(t, store, http.MethodPut, "/notes/7", "milk"), http.StatusCreated)
	expect(t, send(t, store, http.MethodPut, "/notes/7", "bread"), http.StatusConflict)

	w := send(t, store, http.MethodGet, "/notes/7", "")
	expect(t, w, http.StatusOK)
	if w.Body.String() != "milk" {
		t.Fatalf("the note is %q", w.Body)
	}
}
