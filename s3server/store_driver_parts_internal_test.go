package s3server

import (
	"io"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/s3server/internal/checksum"
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
	h := New(Config{Service: memstore.NewServiceDriver(memstore.ServiceConfig{}), Buckets: []string{"photos"}})
	defer h.Close()
	u := &upload{bucket: "photos", key: "k", kind: checksum.Default, covers: checksum.FullObject}
	require.NoError(t, h.store.beginUpload(t.Context(), u))
	u, err := h.store.upload(t.Context(), "photos", "k", u.id)
	require.NoError(t, err)
	const most = 200
	var all, group sync.WaitGroup
	all.Add(most)
	results := make([]error, most)
	for i := range results {
		group.Go(func() {
			d := checksum.NewDigest(u.kind, false)
			_, results[i] = h.store.putPart(t.Context(), u, i+1, &body{from: &waitingReader{all: &all}, digest: d, check: func() error { return nil }})
		})
	}
	group.Wait()
	for _, err := range results {
		require.NoError(t, err)
	}
	require.Empty(t, h.store.(*driverStore).keys.all)
}
