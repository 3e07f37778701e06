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

// whileRead is a bucket that calls a function after the file was opened and before it
// is read.
func whileRead(do func()) storage.Bucket {
	return memstore.New(storage.WithHook(func(ctx context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
		if op.Name == "Upload" && op.Key == "changing" {
			do()
		}
		return ctx, nil, nil
	}))
}

// If a file changes while Upload reads it, its upload fails and no object is stored.
func TestUploadFileChanges(t *testing.T) {
	text := randomTextOf(300_000)
	tests := []struct {
		name   string
		before string
		change func(t *testing.T, path string)
	}{
		{
			name:   "grows",
			before: text,
			change: func(t *testing.T, path string) {
				appendTo(t, path, "more")
			},
		},
		{
			name:   "shrinks",
			before: text,
			change: func(t *testing.T, path string) {
				require.NoError(t, os.Truncate(path, 1000))
			},
		},
		{
			name:   "is emptied",
			before: text,
			change: func(t *testing.T, path string) {
				require.NoError(t, os.Truncate(path, 0))
			},
		},
		{
			name:   "is rewritten in place",
			before: text,
			change: func(t *testing.T, path string) {
				f, err := os.OpenFile(path, os.O_WRONLY, 0)
				require.NoError(t, err)
				_, err = f.WriteAt([]byte("other"), 200_000)
				require.NoError(t, err)
				require.NoError(t, f.Close())
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := newTree(t, map[string]string{"a": "steady", "changing": tt.before, "z": "steady"})
			b := whileRead(func() {
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

// If a file is replaced on the disk while Upload reads it, Upload stores the whole file that it has opened.
func TestUploadFileReplaced(t *testing.T) {
	dir := newTree(t, map[string]string{"changing": "before"})
	other := newTree(t, map[string]string{"x": "after."})
	b := whileRead(func() {
		require.NoError(t, os.Rename(filepath.Join(other, "x"), filepath.Join(dir, "changing")))
	})
	_, err := transfer.Upload(t.Context(), b, dir)
	require.NoError(t, err)
	require.Equal(t, "before", contents(t, b)["changing"])
}

// If a file is removed before Upload opens it, the file counts as failed.
func TestUploadFileRemoved(t *testing.T) {
	dir := newTree(t, map[string]string{"changing": "x", "z": "gone by then"})
	b := whileRead(func() {
		require.NoError(t, os.Remove(filepath.Join(dir, "z")))
	})
	report, err := transfer.Upload(t.Context(), b, dir, transfer.WithConcurrency(1))
	require.ErrorIs(t, err, storage.ObjectNotFound)
	require.Equal(t, int64(1), report.Failed)
	require.Equal(t, "z", report.Failures[0].Key)
}

// If a named pipe has replaced a directory, Upload reports a failure instead of blocking.
func TestUploadPipeInPlaceOfADirectory(t *testing.T) {
	dir := newTree(t, map[string]string{"a/x": "x", "b/y": "y", "c": "z"})
	var once sync.Once
	swap := func(key string) bool {
		if key == "a/x" { // which comes before b/ is read
			once.Do(func() {
				require.NoError(t, os.RemoveAll(filepath.Join(dir, "b")))
				makePipe(t, filepath.Join(dir, "b"))
			})
		}
		return true
	}

	report, err := transfer.Upload(t.Context(), memstore.New(), dir, transfer.WithKeys(swap))
	require.Error(t, err)
	require.EqualValues(t, 2, report.Transferred)
	require.Equal(t, "b/", report.Failures[0].Key)
}

// If a named pipe has replaced a file, its upload fails with Changed. A reader of the pipe would block forever.
func TestUploadPipeInPlaceOfAFile(t *testing.T) {
	dir := newTree(t, map[string]string{"changing": "x", "z": "a pipe by then"})
	b := whileRead(func() {
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
