package storage_test

import (
	"testing"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/storagetest"
)

// The driver of the example passes the conformance suite.
func TestConformanceOfExampleDriver(t *testing.T) {
	testserver.Slow(t)
	t.Setenv("OMNIBUCKET_SUPPORT", "") // the table has no column for it
	storagetest.RunDriver(t, func(*testing.T) driver.Driver {
		return &mapDriver{objects: map[string]mapObject{}}
	})
}
