package engine_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
)

// distant is a store whose bodies are read through a connection.
type distant struct{ driver.Driver }

func (d distant) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Local = false
	return desc
}

func (d distant) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	attrs, body, err := d.Driver.Get(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	return attrs, struct { // no WriterTo
		io.Reader
		io.Closer
	}{body, body}, nil
}

// Close during a Read does not race.
func TestDownloadCloseDuringRead(t *testing.T) {
	b := memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver { return distant{d} }))
	_, err := b.Upload(t.Context(), "a", bytes.NewReader(make([]byte, 4<<20)))
	require.NoError(t, err)
	for _, n := range []int{1, 4} {
		for range 20 {
			r, err := b.Download(t.Context(), "a", storage.WithConcurrency(n))
			require.NoError(t, err)
			started := make(chan struct{})
			closed := make(chan struct{})
			go func() {
				defer close(closed)
				<-started
				_ = r.Close()
			}()
			_, err = io.ReadFull(r, make([]byte, 1<<10))
			require.NoError(t, err)
			close(started)
			_, _ = io.Copy(io.Discard, r) // until Close interrupts it
			<-closed
		}
	}
}

// Close during a WriteTo to a file does not race.
func TestDownloadCloseDuringWriteTo(t *testing.T) {
	b := memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver { return distant{d} }))
	_, err := b.Upload(t.Context(), "a", bytes.NewReader(make([]byte, 32<<20)))
	require.NoError(t, err)
	file, err := os.Create(filepath.Join(t.TempDir(), "to"))
	require.NoError(t, err)
	defer func() {
		require.NoError(t, file.Close())
	}()
	for range 100 {
		r, err := b.Download(t.Context(), "a", storage.WithConcurrency(8))
		require.NoError(t, err)
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			_ = r.Close()
		}()
		_, _ = r.WriteTo(file) // until Close interrupts it
		<-closed
	}
}
