//go:build unix

package rclone

import (
	"bytes"
	"context"
	"io"
	"testing"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/object"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/adapters/internal/testing/cputime"
)

// BenchmarkCost compares uploads and downloads by this adapter with the same calls of the rclone backend.
func BenchmarkCost(b *testing.B) {
	remote, err := fs.NewFs(b.Context(), b.TempDir())
	require.NoError(b, err)
	bucket, err := New(remote)
	require.NoError(b, err)

	sizes := []struct {
		name    string
		content []byte
	}{
		{name: "4KiB", content: make([]byte, 4<<10)},
		{name: "16MiB", content: make([]byte, 16<<20)},
	}
	for _, size := range sizes {
		key := "f/" + size.name
		_, err = bucket.Upload(b.Context(), key, bytes.NewReader(size.content))
		require.NoError(b, err)

		benchmarks := []struct {
			name string
			call func() error
		}{
			{name: "upload/ours", call: func() error {
				_, err := bucket.Upload(b.Context(), key, bytes.NewReader(size.content))
				return err
			}},
			{name: "upload/backend", call: func() error {
				return put(b.Context(), remote, key, size.content)
			}},
			{name: "download/ours", call: func() error {
				_, _, err := storage.ReadAll(b.Context(), bucket, key)
				return err
			}},
			{name: "download/backend", call: func() error {
				return get(b.Context(), remote, key)
			}},
		}
		for _, bb := range benchmarks {
			b.Run(bb.name+"/"+size.name, func(b *testing.B) {
				b.SetBytes(int64(len(size.content)))
				cputime.Loop(b, bb.call)
			})
		}
	}
}

// put uploads a file by the rclone backend.
func put(ctx context.Context, remote fs.Fs, name string, content []byte) error {
	info := object.NewStaticObjectInfo(name, time.Now(), int64(len(content)), true, nil, nil)
	_, err := remote.Put(ctx, bytes.NewReader(content), info)
	return err
}

// get downloads a file by the rclone backend.
func get(ctx context.Context, remote fs.Fs, name string) error {
	o, err := remote.NewObject(ctx, name)
	if err != nil {
		return err
	}
	body, err := o.Open(ctx)
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.ReadAll(body)
	return err
}
