package encrypt_test

import (
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/differential"
)

func TestRandomCallsAsInMemory(t *testing.T) {
	layer := newLayer(t, boundKeys{newKeys(t)})
	differential.Run(t, differential.Config{Versions: true},
		func(_ *testing.T, opts ...storage.OpenOption) storage.Bucket {
			return memstore.New(append(opts, driver.WithLayer(layer))...)
		})
}
