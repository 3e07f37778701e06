package storage_test

import (
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/storagetest"
)

func TestConformanceOfTheExampleDriver(t *testing.T) {
	t.Setenv("OMNIBUCKET_SUPPORT", "") // it is no column of the table
	storagetest.RunDriver(t, func(*testing.T) storage.Driver {
		return &mapDriver{objects: map[string]mapObject{}}
	})
}
