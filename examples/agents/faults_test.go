package agents

import (
	"errors"
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

func TestStoreThatFails(t *testing.T) {
	injector := faults.New(faults.Fail(faults.Put))
	bucket := memstore.New( // empty, and needs no Close
		driver.WithLayer(injector.Layer()), storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
	if _, err := create(t.Context(), bucket, "a", "text"); !errors.Is(err, storage.Unavailable) {
		t.Fatal(err)
	}
	injector.Set(faults.DropResponse(faults.Put).Nth(1)) // the object is stored, but the response is lost
	if created, err := create(t.Context(), bucket, "a", "text"); err != nil || !created {
		t.Fatal(created, err)
	}
}
