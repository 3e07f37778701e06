package shelf

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/examples/driver/shelfserver"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/storagetest"
)

// newTestDriver returns a driver of an empty shelf, whose server runs until the test ends.
func newTestDriver(t *testing.T) driver.Driver {
	server := httptest.NewServer(shelfserver.New())
	t.Cleanup(server.Close)
	return newDriver(strings.TrimPrefix(server.URL, "http://"))
}

// The driver passes the conformance tests of drivers.
func TestConformance(t *testing.T) {
	testserver.Slow(t)
	t.Setenv("OMNIBUCKET_SUPPORT", "") // the table of the stores has no column for it
	storagetest.RunDriver(t, newTestDriver)
}

// A server has only one shelf, so its address has no path.
func TestOpenRefusesAnAddressWithAPath(t *testing.T) {
	_, err := storage.Open(t.Context(), "shelf://127.0.0.1:8080/photos")
	require.ErrorIs(t, err, storage.InvalidArgument)
}
