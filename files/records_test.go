package files_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/files"
	"github.com/omnibucket/storage/files/recordstest"
	"github.com/omnibucket/storage/uploads"
)

func TestBucketRecords(t *testing.T) {
	for _, place := range places() {
		t.Run(place.name, func(t *testing.T) {
			recordstest.Run(t, func(t *testing.T) files.Records { return files.BucketRecords(place.open(t)) })
		})
	}
}

// A bucket keeps the states of another one. On S3 a revision is only that of the content, which is why a
// Service writes no state twice.
func TestBucketStates(t *testing.T) {
	for _, place := range places() {
		if place.clocked == nil {
			continue
		}
		t.Run(place.name, func(t *testing.T) {
			recordstest.RunStates(t, func(t *testing.T) uploads.States {
				b := place.open(t)
				_, err := b.Upload(t.Context(), "files/other", strings.NewReader("what others keep there"))
				require.NoError(t, err)
				return uploads.BucketStates(b)
			})
		})
	}
}
