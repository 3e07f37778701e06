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

func TestDownloadOfABrokenRemote(t *testing.T) {
	failing := func(err error) func(io.ReadCloser) (io.ReadCloser, error) {
		return func(body io.ReadCloser) (io.ReadCloser, error) { return nil, errors.Join(err, body.Close()) }
	}
	tests := map[string]struct {
		open func(body io.ReadCloser) (io.ReadCloser, error)
		code storage.Code
	}{
		"one that ends early is continued": {open: func(body io.ReadCloser) (io.ReadCloser, error) {
			return struct {
				io.Reader
				io.Closer
			}{io.LimitReader(body, 2), body}, nil
		}},
		"removed before it is opened": {failing(&os.PathError{Op: "open", Err: syscall.ENOENT}), storage.ObjectNotFound},
		"permission":                  {failing(&os.PathError{Op: "open", Err: syscall.EACCES}), storage.PermissionDenied},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f, err := fs.NewFs(t.Context(), t.TempDir())
			require.NoError(t, err)
			b, err := New(openedFs{f, tt.open})
			require.NoError(t, err)
			_, err = b.Upload(t.Context(), "a", strings.NewReader("seven ."))
			require.NoError(t, err)

			got, _, err := storage.ReadAll(t.Context(), b, "a")
			require.Equal(t, tt.code, storage.CodeOf(err), "%v", err)
			if err == nil {
				require.Equal(t, "seven .", string(got))
			}
		})
	}
}
