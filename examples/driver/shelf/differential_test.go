package shelf

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/examples/driver/shelfserver"
	"github.com/omnibucket/storage/storagetest/differential"
)

// Random calls have the same results on a shelf as on a bucket in memory.
func TestRandomCallsAsInMemory(t *testing.T) {
	differential.Run(t, differential.Config{}, func(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
		server := httptest.NewServer(shelfserver.New())
		t.Cleanup(server.Close)
		return engine.New(newDriver(strings.TrimPrefix(server.URL, "http://")), opts...)
	})
}
