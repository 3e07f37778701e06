package uploads_test

import (
	"testing"

	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
)

// A refused client that sends slowly is cut off.
func TestHandlerEndsSlowRefusedClient(t *testing.T) {
	handler := newSite(t, memstore.New(), uploads.Config{}).handler
	wiretest.RefusesSlowBody(t, handler, "/uploads/")
}
