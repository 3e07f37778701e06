//go:build unix

package rclone

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/rclone/rclone/fs"
	"github.com/rclone/rclone/fs/object"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/adapters/internal/testing/cputime"
)

// The same files, in a directory, beside calls of the backend.
func BenchmarkCost(b *testing.B) {
	remote, err := fs.NewFs(b.Context(), b.TempDir())
	require.NoError(b, err)
	bucket, err := New(remote)
	require.NoError(b, err)

	for size, content := range map[string][]byte{"4KiB": make([]byte, 4<<10), "16MiB": make([]byte, 16<<20)} {
		_, err = bucket.Upload(b.Context(), "f/"+size, bytes.NewReader(content))
		require.NoError(b, err)
		for call, f := range map[string]func() error{
			"upload/ours": func() error {
				_, err := bucket.Upload(b.Context(), "f/"+size, bytes.NewReader(content))
				return err
			},
			"upload/backend": func() error {
				_, err := remote.Put(b.Context(), bytes.NewReader(content),
					object.NewStaticObjectInfo("f/"+size, time.Now(), int64(len(content)), true, nil, nil))
				return err
			},
			"download/ours": func() error {
				_, _, err := storage.ReadAll(b.Context(), bucket, "f/"+size)
				return err
			},
			"download/backend": func() error {
				o, err := remote.NewObject(b.Context(), "f/"+size)
				if err != nil {
					return err
				}
				body, err := o.Open(b.Context())
				if err != nil {
					return err
				}
				defer body.Close()
				_, err = io.ReadAll(body)
				return err
			},
		} {
			b.Run(call+"/"+size, func(b *testing.B) {
				b.SetBytes(int64(len(content)))
				cputime.Loop(b, f)
			})
		}
	}
}
