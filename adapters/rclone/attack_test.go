package rclone

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/rclone/rclone/fs"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// brokenFs is a remote some of whose calls are replaced.
type brokenFs struct {
	fs.Fs
	features *fs.Features
}

func (b *brokenFs) Features() *fs.Features { return b.features }

// newBrokenBucket returns a bucket in a directory, by the local backend of rclone. change may replace optional calls of
// the backend, which rclone keeps as functions in its features.
func newBrokenBucket(t *testing.T, change func(*fs.Features), opts ...storage.OpenOption) storage.Bucket {
	t.Helper()
	f, err := fs.NewFs(t.Context(), t.TempDir())
	require.NoError(t, err)
	features := *f.Features()
	change(&features)
	b, err := New(&brokenFs{Fs: f, features: &features}, opts...)
	require.NoError(t, err)
	return b
}

// If the rename at the end of an upload fails, Upload removes its temporary file and returns the Code that fits the
// cause.
func TestRenameFails(t *testing.T) {
	tests := []struct {
		name      string
		renameErr error
		want      storage.Code
	}{
		{
			name:      "the server cannot rename",
			renameErr: fs.ErrorCantMove,
			want:      storage.Unsupported,
		},
		{
			name:      "permission",
			renameErr: &os.PathError{Op: "rename", Err: syscall.EACCES},
			want:      storage.PermissionDenied,
		},
		{
			name:      "the folder is missing",
			renameErr: &os.PathError{Op: "rename", Err: syscall.ENOENT},
			want:      storage.Unavailable,
		},
		{
			name:      "another error",
			renameErr: errors.New("broken"),
			want:      storage.Internal,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// An upload renames its temporary file by this call of the backend.
			failToRename := func(f *fs.Features) {
				f.Move = func(context.Context, fs.Object, string) (fs.Object, error) {
					return nil, tt.renameErr
				}
			}
			b := newBrokenBucket(t, failToRename, storage.WithRetry(storage.RetryPolicy{Attempts: 1}))

			_, err := b.Upload(t.Context(), "a", strings.NewReader("text"))
			require.ErrorIs(t, err, tt.want)
			// It is known that the upload has stored nothing.
			require.NotErrorIs(t, err, storage.OutcomeUnknown)

			// The folder of temporary files is empty.
			remote, ok := storage.As[*brokenFs](b)
			require.True(t, ok)
			entries, err := remote.List(t.Context(), partials)
			require.NoError(t, err)
			require.Empty(t, entries)
		})
	}
}

// If Remove removes an empty folder while Upload renames a file into it, both succeed.
func TestUploadBesideRemove(t *testing.T) {
	// The race occurs only in some repetitions.
	const repetitions = 50
	unchanged := func(*fs.Features) {}
	b := newBrokenBucket(t, unchanged)

	// The keys share folders, which become empty again and again.
	var group sync.WaitGroup
	for _, key := range []string{"f/g/a", "f/g/b", "f/c", "f/g/h/d"} {
		group.Go(func() {
			for range repetitions {
				if _, err := b.Upload(t.Context(), key, strings.NewReader("text")); err != nil {
					t.Errorf("Upload(%s): %v", key, err)
					return
				}
				if err := b.Remove(t.Context(), key); err != nil {
					t.Errorf("Remove(%s): %v", key, err)
					return
				}
			}
		})
	}
	group.Wait()
}

// A changedFs is a remote in which changeBody replaces the body of each object that is opened.
type changedFs struct {
	fs.Fs
	changeBody func(body io.ReadCloser) (io.ReadCloser, error)
}

// A changedObject is an object of a changedFs.
type changedObject struct {
	fs.Object
	changeBody func(body io.ReadCloser) (io.ReadCloser, error)
}

func (f changedFs) NewObject(ctx context.Context, key string) (fs.Object, error) {
	o, err := f.Fs.NewObject(ctx, key)
	if err != nil {
		return nil, err
	}
	return changedObject{Object: o, changeBody: f.changeBody}, nil
}

// Open opens the object, and returns the changed body.
func (o changedObject) Open(ctx context.Context, options ...fs.OpenOption) (io.ReadCloser, error) {
	body, err := o.Object.Open(ctx, options...)
	if err != nil {
		return nil, err
	}
	return o.changeBody(body)
}

// limitBody returns a body that ends after its first two bytes, as if the connection had broken.
func limitBody(body io.ReadCloser) (io.ReadCloser, error) {
	return struct {
		io.Reader
		io.Closer
	}{
		Reader: io.LimitReader(body, 2),
		Closer: body,
	}, nil
}

// failToOpen returns a function that closes a body and fails with the system's error.
func failToOpen(cause syscall.Errno) func(io.ReadCloser) (io.ReadCloser, error) {
	return func(body io.ReadCloser) (io.ReadCloser, error) {
		return nil, errors.Join(&os.PathError{Op: "open", Err: cause}, body.Close())
	}
}

// A download continues after a body that ends early. If the body cannot be opened, the error has the Code of the
// reason.
func TestDownloadOfABrokenRemote(t *testing.T) {
	const content = "7 bytes"
	tests := []struct {
		name       string
		changeBody func(body io.ReadCloser) (io.ReadCloser, error) // changes the body of each attempt of a download
		wantCode   storage.Code                                    // zero if the download succeeds
	}{
		// limitBody ends each body after two bytes, so a few attempts get all.
		{name: "body ends early", changeBody: limitBody},

		// failToOpen returns no body, but this error.
		{name: "file was removed", changeBody: failToOpen(syscall.ENOENT), wantCode: storage.ObjectNotFound},
		{name: "file is forbidden", changeBody: failToOpen(syscall.EACCES), wantCode: storage.PermissionDenied},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			remote, err := fs.NewFs(t.Context(), t.TempDir())
			require.NoError(t, err)
			b, err := New(changedFs{Fs: remote, changeBody: tt.changeBody})
			require.NoError(t, err)
			_, err = b.Upload(t.Context(), "a", strings.NewReader(content))
			require.NoError(t, err)

			got, _, err := storage.ReadAll(t.Context(), b, "a")

			require.Equal(t, tt.wantCode, storage.CodeOf(err), "%v", err)
			if err == nil {
				require.Equal(t, content, string(got))
			}
		})
	}
}
