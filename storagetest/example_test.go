package storagetest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

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
	testConformance := func(t *testing.T) {
		storagetest.RunDriver(t, open)
	}
	_ = testConformance
}

// If a Core of your own changes what a bucket does, the suite proves that the bucket still obeys all rules.
func ExampleRun() {
	open := func(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
		b, err := storage.Wrap(memstore.New(opts...), func(c storage.Core) storage.Core { return myCore{c} })
		require.NoError(t, err)
		return b
	}
	testConformance := func(t *testing.T) {
		storagetest.Run(t, open)
	}
	_ = testConformance
}

// myCore overrides the methods that it changes.
type myCore struct{ storage.Core }
