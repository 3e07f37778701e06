package encrypt_test

import (
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/differential"
)

// Random calls have the same results through the layer as on a store in memory.
func TestRandomCallsAsInMemory(t *testing.T) {
	layer := newLayer(t, boundKeys{newKeys(t)})
	open := func(_ *testing.T, opts ...storage.OpenOption) storage.Bucket {
		return memstore.New(append(opts, driver.WithLayer(layer))...)
	}
	differential.Run(t, differential.Config{Versions: true}, open)
}
