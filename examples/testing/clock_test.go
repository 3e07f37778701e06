package notes

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/transfer"
)

// A clock of the test makes an object old without waiting.
func TestNotesExpireAfterAMonth(t *testing.T) {
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	store := engine.New(memstore.NewDriver(memstore.Config{Now: clock}))
	if _, err := store.Upload(t.Context(), "notes/7.txt", strings.NewReader("milk")); err != nil {
		t.Fatal(err)
	}

	now = now.AddDate(0, 1, 1)
	rules := []transfer.ExpireRule{{Prefix: "notes/", Age: 30 * 24 * time.Hour}}
	if _, err := transfer.Expire(t.Context(), store, rules, transfer.WithNow(clock)); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Attrs(t.Context(), "notes/7.txt"); !errors.Is(err, storage.ObjectNotFound) {
		t.Fatalf("the note is there: %v", err)
	}
}
