package files_test

import (
	"testing"

	"github.com/omnibucket/storage/files"
	"github.com/omnibucket/storage/files/recordstest"
)

func TestBucketRecords(t *testing.T) {
	for _, place := range places() {
		t.Run(place.name, func(t *testing.T) {
			recordstest.Run(t, func(t *testing.T) files.Records { return files.BucketRecords(place.open(t)) })
		})
	}
}
