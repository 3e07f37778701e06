package storagetest_test

import (
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest"
)

// A driver proves the rules of the contract. Its own test is
//
//	func TestConformance(t *testing.T) { storagetest.RunDriver(t, open) }
func ExampleRunDriver() {
	open := func(t *testing.T) driver.Driver { return memstore.NewDriver(memstore.Config{}) } // yours, with an empty bucket
	testConformance := func(t *testing.T) { storagetest.RunDriver(t, open) }
	_ = testConformance
}

// A type of your own that wraps a bucket proves the same rules.
func ExampleRun() {
	open := func(t *testing.T, opts ...storage.OpenOption) storage.Bucket { return memstore.New(opts...) }
	testConformance := func(t *testing.T) { storagetest.Run(t, open) }
	_ = testConformance
}
