package engine_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
)

const digits = "0123456789"

var errWriter, errDisk = errors.New("the writer"), errors.New("the disk")

// A selfWriting body writes itself in two steps, as a file's does, and reads more
// than it writes. If it has an offset to break at, it breaks there.
type selfWriting struct {
	*bytes.Reader
	breaks *int
}

func (b selfWriting) Read(p []byte) (int, error) {
	if b.breaks != nil && int(b.Size())-b.Len() >= *b.breaks {
		return 0, errDisk
	}
	return b.Reader.Read(p[:min(len(p), 4)])
}

func (b selfWriting) WriteTo(w io.Writer) (int64, error) {
	return io.CopyBuffer(w, struct{ io.Reader }{b}, make([]byte, 4))
}

func (selfWriting) Close() error { return nil }

// selfWritten is a store with one object, digits, whose bodies are selfWriting.
type selfWritten struct {
	driver.Driver
	breaks *int
}

func (s selfWritten) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	attrs, body, err := s.Driver.Get(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	return attrs, selfWriting{bytes.NewReader(data), s.breaks}, err
}

func newDigitsBucket(t *testing.T, breaks *int) storage.Bucket {
	t.Helper()
	b := memstore.New(storage.WithRetry(storage.RetryPolicy{Attempts: 1}), driver.WithLayer(func(next driver.Driver) driver.Driver {
		return selfWritten{next, breaks}
	}))
	_, err := b.Upload(t.Context(), "k", strings.NewReader(digits))
	require.NoError(t, err)
	return b
}

// A fullWriter takes so many bytes, and then fails.
type fullWriter struct {
	took strings.Builder
	room int
}

func (w *fullWriter) Write(p []byte) (int, error) {
	n := min(w.room, len(p))
	w.took.Write(p[:n])
	w.room -= n
	if n < len(p) {
		return n, errWriter
	}
	return n, nil
}

// A fullSocket is a fullWriter that reads what it takes, as a socket does.
type fullSocket struct{ to fullWriter }

func (s *fullSocket) Write(p []byte) (int, error) { return s.to.Write(p) }

func (s *fullSocket) ReadFrom(r io.Reader) (int64, error) {
	return io.CopyBuffer(&s.to, r, make([]byte, 4))
}

var paths = []struct {
	name string
	opts []storage.DownloadOption
	want string
}{
	{"the whole object", nil, digits},
	{"a range", []storage.DownloadOption{storage.WithRange(1, -1)}, digits[1:]},
}

// After a writer failed in WriteTo, the Reader continues with the next byte.
func TestWriteToContinuesAfterWriterFails(t *testing.T) {
	for _, path := range paths {
		for room := range path.want {
			writer := &fullWriter{room: room}
			socket := &fullSocket{fullWriter{room: room}}
			for dst, took := range map[io.Writer]*strings.Builder{writer: &writer.took, socket: &socket.to.took} {
				r, err := newDigitsBucket(t, nil).Download(t.Context(), "k", path.opts...)
				require.NoError(t, err)

				n, err := r.WriteTo(dst)
				require.Equal(t, errWriter, err, "%s, %T", path.name, dst)
				require.EqualValues(t, room, n)

				rest, err := io.ReadAll(r)
				require.NoError(t, err)
				require.Equal(t, path.want, took.String()+string(rest), "%s, %T with room for %d",
					path.name, dst, room)
				require.NoError(t, r.Close())
			}
		}
	}
}

// If the body breaks during WriteTo, the error is not taken for one of the writer.
func TestWriteToBodyBreaks(t *testing.T) {
	for _, path := range paths {
		for breaks := range len(path.want) - 1 {
			for _, dst := range []io.Writer{&fullWriter{room: 100}, &fullSocket{fullWriter{room: 100}}} {
				r, err := newDigitsBucket(t, &breaks).Download(t.Context(), "k", path.opts...)
				require.NoError(t, err)

				_, err = r.WriteTo(dst)
				require.ErrorIs(t, err, errDisk)
				var e *storage.Error
				require.ErrorAs(t, err, &e, "%s, %T", path.name, dst)
				require.Equal(t, "k", e.Key)
				require.NoError(t, r.Close())
			}
		}
	}
}

// A counted writer counts what came, and ends the reading's context at once.
type counted struct {
	cancel context.CancelFunc
	n      int64
}

func (w *counted) Write(p []byte) (int, error) {
	w.cancel()
	w.n += int64(len(p))
	return len(p), nil
}

// A countedSocket has files copied by the kernel, as a socket does: the reader
// must be a limited file.
type countedSocket struct {
	to    counted
	other io.Reader // a body that is not a file
}

func (s *countedSocket) Write(p []byte) (int, error) { return s.to.Write(p) }

func (s *countedSocket) ReadFrom(r io.Reader) (int64, error) {
	if limited, ok := r.(*io.LimitedReader); !ok {
		s.other = r
	} else if _, ok := limited.R.(*os.File); !ok {
		s.other = limited.R
	}
	return io.Copy(&s.to, r)
}

// If ctx is canceled during WriteTo, WriteTo fails with Canceled, after at most 1 MiB.
func TestWriteToCanceled(t *testing.T) {
	const size = 8 << 20
	directory, err := local.Open(t.TempDir(), local.Config{Create: true})
	require.NoError(t, err)
	defer func() {
		require.NoError(t, storage.Close(directory))
	}()

	for _, store := range []struct {
		name string
		b    storage.Bucket
	}{{"memory", memstore.New()}, {"directory", directory}} {
		_, err := store.b.Upload(t.Context(), "k", bytes.NewReader(make([]byte, size)))
		require.NoError(t, err)
		for _, opts := range [][]storage.DownloadOption{nil, {storage.WithRange(1, -1)}} {
			writer := &counted{}
			socket := &countedSocket{}
			for dst, w := range map[io.Writer]*counted{writer: writer, socket: &socket.to} {
				ctx, cancel := context.WithCancel(t.Context())
				w.cancel = cancel
				r, err := store.b.Download(ctx, "k", opts...)
				require.NoError(t, err)

				n, err := io.Copy(dst, r)
				require.ErrorIs(t, err, storage.Canceled, "%s, %T", store.name, dst)
				require.Equal(t, w.n, n)
				require.LessOrEqual(t, n, int64(1<<20), "%s, %T", store.name, dst)
				require.NoError(t, r.Close())
			}
			require.Nil(t, socket.other, "the kernel copies no %T", socket.other)
		}
	}
}
