package notes

import (
	"net/http"
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

func TestStoreOutOfReach(t *testing.T) {
	injector := faults.New(faults.Fail(faults.Put))
	store := memstore.New(driver.WithLayer(injector.Layer()), storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
	expect(t, send(t, store, http.MethodPut, "/notes/7", "milk"), http.StatusServiceUnavailable)

	injector.Set() // the store is back
	expect(t, send(t, store, http.MethodPut, "/notes/7", "milk"), http.StatusCreated)
}

// The note is stored, but the response of the store is lost. The retry must not be a conflict.
func TestStoreResponseLost(t *testing.T) {
	injector := faults.New(faults.DropResponse(faults.Put).Nth(1))
	store := memstore.New(driver.WithLayer(injector.Layer()))
	expect(t, send(t, store, http.MethodPut, "/notes/7", "milk"), http.StatusCreated)
	if n := injector.Count(faults.Put); n != 2 {
		t.Fatalf("%d attempts", n)
	}
}

func TestNoteConnectionBreaks(t *testing.T) {
	injector := faults.New(faults.Cut(faults.Get, 2).Nth(1))
	store := memstore.New(driver.WithLayer(injector.Layer()))
	expect(t, send(t, store, http.MethodPut, "/notes/7", "milk"), http.StatusCreated)
	if w := send(t, store, http.MethodGet, "/notes/7", ""); w.Body.String() != "milk" {
		t.Fatalf("the note is %q", w.Body)
	}
	if n := injector.OpenBodies(); n != 0 {
		t.Fatalf("%d bodies were not closed", n)
	}
}
