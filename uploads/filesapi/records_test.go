package filesapi_test

import (
	"testing"

	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/uploadstest"
)

// The suite of package uploadstest passes on BucketRecords in each kind of bucket.
func TestBucketRecords(t *testing.T) {
	for _, place := range places() {
		t.Run(place.name, func(t *testing.T) {
			uploadstest.Run(t, func(t *testing.T) uploads.Records { return uploads.BucketRecords(place.open(t)) })
		})
	}
}
