package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
)

// remoteBodies is a store whose bodies are read through a connection.
type remoteBodies struct{ driver.Driver }

func (d remoteBodies) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Local = false
	return desc
}

func (d remoteBodies) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	attrs, body, err := d.Driver.Get(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	withoutWriterTo := struct {
		io.Reader
		io.Closer
	}{body, body}
	return attrs, withoutWriterTo, nil
}

// Close may be called during a Read, over one connection and over four, without a data race.
func TestDownloadCloseDuringRead(t *testing.T) {
	bucket := memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver { return remoteBodies{d} }))
	_, err := bucket.Upload(t.Context(), "a", bytes.NewReader(make([]byte, 4<<20)))
	require.NoError(t, err)
	const attempts = 20
	for _, connections := range []int{1, 4} {
		t.Run(fmt.Sprint(connections, " connections"), func(t *testing.T) {
			for range attempts {
				closeDuringRead(t, bucket, storage.WithConcurrency(connections))
			}
		})
	}
}

// closeDuringRead reads the first bytes of "a", and then closes the reader while it reads on.
func closeDuringRead(t *testing.T, b storage.Bucket, opts ...storage.DownloadOption) {
	t.Helper()
	reader, err := b.Download(t.Context(), "a", opts...)
	require.NoError(t, err)

	started := make(chan struct{})
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		<-started
		_ = reader.Close()
	}()

	_, err = io.ReadFull(reader, make([]byte, 1<<10))
	require.NoError(t, err)
	close(started)
	_, _ = io.Copy(io.Discard, reader) // until Close interrupts it
	<-closed
}

// Close may be called during a WriteTo to a file without a data race.
func TestDownloadCloseDuringWriteTo(t *testing.T) {
	bucket := memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver { return remoteBodies{d} }))
	_, err := bucket.Upload(t.Context(), "a", bytes.NewReader(make([]byte, 32<<20)))
	require.NoError(t, err)
	file, err := os.Create(filepath.Join(t.TempDir(), "to"))
	require.NoError(t, err)
	defer func() {
		require.NoError(t, file.Close())
	}()
	const attempts = 100
	for range attempts {
		reader, err := bucket.Download(t.Context(), "a", storage.WithConcurrency(8))
		require.NoError(t, err)
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			_ = reader.Close()
		}()
		_, _ = reader.WriteTo(file) // until Close interrupts it
		<-closed
	}
}
