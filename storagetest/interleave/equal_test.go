package interleave

import (
	"testing"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest"
)

// A store that gives equal content equal revisions passes the conformance suite.
func TestFurtherConformanceOfEqualRevisions(t *testing.T) {
	testserver.Further(t)
	t.Setenv("OMNIBUCKET_SUPPORT", "") // the table has no column for it
	storagetest.RunDriver(t, func(*testing.T) driver.Driver {
		return &equalRevisions{Driver: memstore.NewDriver(memstore.Config{})}
	})
}
