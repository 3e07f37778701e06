package filesapi_test

import (
	"testing"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
)

// A backend is a place for records that the store is tested with. The module sqlrecords/databases tests databases.
type backend struct {
	name string
	open func(t *testing.T, bucket storage.Bucket) uploads.Records // bucket has the bytes of the files
}

// backends returns all places for records.
func backends() []backend {
	return []backend{
		{
			name: "the bucket",
			open: func(_ *testing.T, bucket storage.Bucket) uploads.Records { return uploads.BucketRecords(bucket) },
		},
		{
			name: "another bucket",
			open: func(*testing.T, storage.Bucket) uploads.Records { return uploads.BucketRecords(memstore.New()) },
		},
		{
			name: "a database",
			open: func(*testing.T, storage.Bucket) uploads.Records { return newDatabase(time.Now) },
		},
	}
}
