package storagetest_test

import (
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest"
)

func memory(_ *testing.T, opts ...storage.OpenOption) storage.Bucket { return memstore.New(opts...) }

func TestRunOnMemory(t *testing.T) { storagetest.Run(t, memory) }

func TestRunDriverOnMemory(t *testing.T) {
	storagetest.RunDriver(t, func(*testing.T) storage.Driver { return memstore.NewDriver(memstore.Config{}) })
}

func TestRunServiceOnMemory(t *testing.T) {
	storagetest.RunService(t, func(*testing.T) *storage.Service { return memstore.NewService(memstore.ServiceConfig{}) })
}
