package transfer_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/transfer"
)

// newBucketWithReadHook returns a bucket that calls the function do after the file "changing" was
// opened, and before it is read.
func newBucketWithReadHook(do func()) storage.Bucket {
	hook := func(ctx context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
		if op.Name == "Upload" && op.Key == "changing" {
			do()
		}
		return ctx, nil, nil
	}
	return memstore.New(storage.WithHook(hook))
}

// The upload of a file that changes while Upload reads it fails, and stores no object.
func TestUploadFileChanges(t *testing.T) {
	const size = 300_000
	text := randomTextOf(size)
	tests := []struct {
		name   string
		change func(t *testing.T, path string)
	}{
		{
			name: "grows",
			change: func(t *testing.T, path string) {
				appendTo(t, path, "more")
			},
		},
		{
			name: "shrinks",
			change: func(t *testing.T, path string) {
				require.NoError(t, os.Truncate(path, 1000))
			},
		},
		{
			name: "is emptied",
			change: func(t *testing.T, path string) {
				require.NoError(t, os.Truncate(path, 0))
			},
		},
		{
			name: "is rewritten in place",
			change: func(t *testing.T, path string) {
				f, err := os.OpenFile(path, os.O_WRONLY, 0)
				require.NoError(t, err)
				_, err = f.WriteAt([]byte("other"), size/2)
				require.NoError(t, err)
				require.NoError(t, f.Close())
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := newTree(t, map[string]string{"a": "steady", "changing": text, "z": "steady"})
			b := newBucketWithReadHook(func() {
				tt.change(t, filepath.Join(dir, "changing"))
			})

			report, err := transfer.Upload(t.Context(), b, dir)
			require.ErrorIs(t, err, storage.Changed)
			require.Equal(t, int64(1), report.Failed)
			require.Equal(t, "changing", report.Failures[0].Key)
			require.Equal(t, storage.Changed, storage.CodeOf(report.Failures[0].Err))
			require.Equal(t, map[string]string{"a": "steady", "z": "steady"}, contents(t, b))
		})
	}
}

// Upload stores the whole file that it has opened, even if the file is replaced on the disk meanwhile.
func TestUploadFileReplaced(t *testing.T) {
	dir := newTree(t, map[string]string{"changing": "before"})
	newFile := filepath.Join(newTree(t, map[string]string{"x": "after."}), "x")
	b := newBucketWithReadHook(func() {
		require.NoError(t, os.Rename(newFile, filepath.Join(dir, "changing")))
	})

	_, err := transfer.Upload(t.Context(), b, dir)
	require.NoError(t, err)
	require.Equal(t, "before", contents(t, b)["changing"])
}

// If a file is removed before Upload opens it, Upload counts it as failed.
func TestUploadFileRemoved(t *testing.T) {
	dir := newTree(t, map[string]string{"changing": "x", "z": "removed before it is opened"})
	b := newBucketWithReadHook(func() {
		require.NoError(t, os.Remove(filepath.Join(dir, "z")))
	})

	report, err := transfer.Upload(t.Context(), b, dir, transfer.WithConcurrency(1))
	require.ErrorIs(t, err, storage.ObjectNotFound)
	require.Equal(t, int64(1), report.Failed)
	require.Equal(t, "z", report.Failures[0].Key)
}

// Upload reports a failure, and does not block, if a named pipe has replaced a directory.
func TestUploadPipeInPlaceOfADirectory(t *testing.T) {
	dir := newTree(t, map[string]string{"a/x": "x", "b/y": "y", "c": "z"})

	// The job calls selectAll for "a/x" before it reads the directory "b". So selectAll replaces
	// "b" by a pipe.
	var once sync.Once
	selectAll := func(key string) bool {
		if key == "a/x" {
			once.Do(func() {
				require.NoError(t, os.RemoveAll(filepath.Join(dir, "b")))
				makePipe(t, filepath.Join(dir, "b"))
			})
		}
		return true
	}

	report, err := transfer.Upload(t.Context(), memstore.New(), dir, transfer.WithKeys(selectAll))
	require.Error(t, err)
	require.EqualValues(t, 2, report.Transferred)
	require.Equal(t, "b/", report.Failures[0].Key)
}

// The upload of a file that a named pipe has replaced fails with Changed, and does not block.
func TestUploadPipeInPlaceOfAFile(t *testing.T) {
	dir := newTree(t, map[string]string{"changing": "x", "z": "replaced before it is opened"})
	b := newBucketWithReadHook(func() {
		require.NoError(t, os.Remove(filepath.Join(dir, "z")))
		makePipe(t, filepath.Join(dir, "z"))
	})

	report, err := transfer.Upload(t.Context(), b, dir, transfer.WithConcurrency(1))
	require.ErrorIs(t, err, storage.Changed)
	require.Equal(t, int64(1), report.Failed)
}

// appendTo appends text to a file.
func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString(text)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}
