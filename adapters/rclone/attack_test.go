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

// newBrokenBucket returns a bucket of a local remote, whose features change has replaced.
func newBrokenBucket(t *testing.T, change func(*fs.Features), opts ...storage.OpenOption) storage.Bucket {
	t.Helper()
	f, err := fs.NewFs(t.Context(), t.TempDir())
	require.NoError(t, err)
	features := *f.Features()
	change(&features)
	b, err := New(&brokenFs{f, &features}, opts...)
	require.NoError(t, err)
	return b
}

func TestRenameFails(t *testing.T) {
	tests := map[string]struct {
		err  error
		code storage.Code
	}{
		"the server cannot rename": {fs.ErrorCantMove, storage.Unsupported},
		"permission":               {&os.PathError{Op: "rename", Err: syscall.EACCES}, storage.PermissionDenied},
		"the folder is missing":    {&os.PathError{Op: "rename", Err: syscall.ENOENT}, storage.Unavailable},
		"another error":            {errors.New("broken"), storage.Internal},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBrokenBucket(t, func(f *fs.Features) {
				f.Move = func(context.Context, fs.Object, string) (fs.Object, error) { return nil, tt.err }
			}, storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
			_, err := b.Upload(t.Context(), "a", strings.NewReader("text"))
			require.ErrorIs(t, err, tt.code)
			require.NotErrorIs(t, err, storage.OutcomeUnknown, "the whole object still has its first name")

			remote, ok := storage.As[*brokenFs](b)
			require.True(t, ok)
			entries, err := remote.List(t.Context(), partials)
			require.NoError(t, err)
			require.Empty(t, entries)
		})
	}
}

// If Remove drops an empty folder while Upload renames a file into it, both succeed.
func TestUploadBesideRemove(t *testing.T) {
	b := newBrokenBucket(t, func(*fs.Features) {})
	var calls sync.WaitGroup
	for _, key := range []string{"f/g/a", "f/g/b", "f/c", "f/g/h/d"} {
		calls.Go(func() {
			for range 50 {
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
	calls.Wait()
}

// An openedFs has objects whose bodies open replaces.
type openedFs struct {
	fs.Fs
	open func(body io.ReadCloser) (io.ReadCloser, error)
}

type openedObject struct {
	fs.Object
	open func(body io.ReadCloser) (io.ReadCloser, error)
}

func (f openedFs) NewObject(ctx context.Context, key string) (fs.Object, error) {
	o, err := f.Fs.NewObject(ctx, key)
	if err != nil {
		return nil, err
	}
	return openedObject{o, f.open}, nil
}

func (o openedObject) Open(ctx context.Context, options ...fs.OpenOption) (io.ReadCloser, error) {
	body, err := o.Object.Open(ctx, options...)
	if err != nil {
		return nil, err
	}
	return o.open(body)
}

// limitBody returns a body that ends after the first two bytes.
func limitBody(body io.ReadCloser) (io.ReadCloser, error) {
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(body, 2), body}, nil
}

// failToOpen returns a function that closes a body and fails with the system's error.
func failToOpen(cause syscall.Errno) func(io.ReadCloser) (io.ReadCloser, error) {
	return func(body io.ReadCloser) (io.ReadCloser, error) {
		return nil, errors.Join(&os.PathError{Op: "open", Err: cause}, body.Close())
	}
}

// A download continues after a body that ends early. If the body cannot be opened, the error has the
// Code of the reason.
func TestDownloadOfABrokenRemote(t *testing.T) {
	const content = "seven ."
	tests := []struct {
		name string
		open func(body io.ReadCloser) (io.ReadCloser, error)
		want storage.Code
	}{
		{name: "body ends early", open: limitBody, want: ""},
		{name: "file was removed", open: failToOpen(syscall.ENOENT), want: storage.ObjectNotFound},
		{name: "file is forbidden", open: failToOpen(syscall.EACCES), want: storage.PermissionDenied},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			remote, err := fs.NewFs(t.Context(), t.TempDir())
			require.NoError(t, err)
			b, err := New(openedFs{remote, tt.open})
			require.NoError(t, err)
			_, err = b.Upload(t.Context(), "a", strings.NewReader(content))
			require.NoError(t, err)

			got, _, err := storage.ReadAll(t.Context(), b, "a")

			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			if err == nil {
				require.Equal(t, content, string(got))
			}
		})
	}
}
