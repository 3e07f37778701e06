package files_test

import (
	"testing"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/files"
	"github.com/omnibucket/storage/memstore"
)

// A backend is a place for records that the store is tested with; b is the bucket of
// the bytes. The module sqlrecords/databases tests databases.
type backend struct {
	name string
	open func(t *testing.T, b storage.Bucket) files.Records
}

func backends() []backend {
	return []backend{
		{"the bucket", func(_ *testing.T, b storage.Bucket) files.Records { return files.BucketRecords(b) }},
		{"another bucket", func(*testing.T, storage.Bucket) files.Records { return files.BucketRecords(memstore.New()) }},
		{"a database", func(*testing.T, storage.Bucket) files.Records { return newDatabase(time.Now) }},
	}
}
