package driverstore

import (
	"io"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// A waitingReader ends when all others of its group are read, too.
type waitingReader struct {
	all   *sync.WaitGroup
	begun bool
}

func (r *waitingReader) Read([]byte) (int, error) {
	if !r.begun {
		r.begun = true
		r.all.Done()
		r.all.Wait()
	}
	return 0, io.EOF
}

// If clients of other parts waited for each other, this test would not end.
func TestPartsOfSlowClientsHoldUpNoOthers(t *testing.T) {
	s := storeOfPhotos(t)
	u := &state.Upload{Bucket: "photos", Key: "k", Kind: checksum.Default, Covers: checksum.FullObject}
	require.NoError(t, s.BeginUpload(t.Context(), u))
	u, err := s.Upload(t.Context(), "photos", "k", u.ID)
	require.NoError(t, err)
	const most = 200
	var all, group sync.WaitGroup
	all.Add(most)
	results := make([]error, most)
	for i := range results {
		group.Go(func() {
			d := checksum.NewDigest(u.Kind, false)
			_, results[i] = s.PutPart(t.Context(), u, i+1, &state.Body{From: &waitingReader{all: &all}, Digest: d, Check: func() error { return nil }})
		})
	}
	group.Wait()
	for _, err := range results {
		require.NoError(t, err)
	}
}
