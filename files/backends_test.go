package files_test

import (
	"os"
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

// needServer returns a variable that names a server, or fails the test.
func needServer(t *testing.T, variable string) string {
	t.Helper()
	value := os.Getenv(variable)
	if value == "" {
		t.Fatalf("%s is not set: this test needs a real server; \"make test\" starts it, as does: go run -C testservers . -only minio -- go test ./files/...", variable)
	}
	return value
}
