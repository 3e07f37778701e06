package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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

// A selfWriting body has WriteTo, as a file has, and reads four bytes before it writes them. If breakAt is not
// nil, it fails with errDisk at that offset.
type selfWriting struct {
	*bytes.Reader
	breakAt *int
}

func (b selfWriting) Read(p []byte) (int, error) {
	if b.breakAt != nil && int(b.Size())-b.Len() >= *b.breakAt {
		return 0, errDisk
	}
	return b.Reader.Read(p[:min(len(p), 4)])
}

func (b selfWriting) WriteTo(w io.Writer) (int64, error) {
	return io.CopyBuffer(w, struct{ io.Reader }{b}, make([]byte, 4))
}

func (selfWriting) Close() error { return nil }

// A selfWritten store has one object, whose content is digits. The body of each Get writes itself by a method WriteTo.
type selfWritten struct {
	driver.Driver
	breakAt *int
}

func (s selfWritten) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	attrs, body, err := s.Driver.Get(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	return attrs, selfWriting{bytes.NewReader(data), s.breakAt}, err
}

// newDigitsBucket returns a bucket with the object "k". Its bodies have a method WriteTo, which fails at the offset
// breakAt if that is not nil.
func newDigitsBucket(t *testing.T, breakAt *int) storage.Bucket {
	t.Helper()
	bucket := memstore.New(storage.WithRetry(storage.RetryPolicy{Attempts: 1}),
		driver.WithLayer(func(next driver.Driver) driver.Driver { return selfWritten{next, breakAt} }))
	_, err := bucket.Upload(t.Context(), "k", strings.NewReader(digits))
	require.NoError(t, err)
	return bucket
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

var downloads = []struct {
	name string
	opts []storage.DownloadOption
	want string
}{
	{name: "the whole object", opts: nil, want: digits},
	{name: "a range", opts: []storage.DownloadOption{storage.WithRange(1, -1)}, want: digits[1:]},
}

// readRest reads to the end of reader and closes it.
func readRest(t *testing.T, reader *storage.Reader) string {
	t.Helper()
	rest, err := io.ReadAll(reader)
	require.NoError(t, err)
	require.NoError(t, reader.Close())
	return string(rest)
}

// After the writer of WriteTo has failed, the Reader continues with the next byte.
func TestWriteToContinuesAfterWriterFails(t *testing.T) {
	bucket := newDigitsBucket(t, nil)
	for _, tt := range downloads {
		// The writer takes this number of bytes, and then fails.
		for room := range len(tt.want) {
			t.Run(fmt.Sprintf("%s/writer with room for %d", tt.name, room), func(t *testing.T) {
				reader, err := bucket.Download(t.Context(), "k", tt.opts...)
				require.NoError(t, err)
				writer := &fullWriter{room: room}
				written, err := reader.WriteTo(writer)
				require.Equal(t, errWriter, err)
				require.EqualValues(t, room, written)

				// The bytes that the writer took and the rest that the Reader still has are
				// together the whole range.
				require.Equal(t, tt.want, writer.took.String()+readRest(t, reader))
			})

			// A socket reads from the body by its method ReadFrom.
			t.Run(fmt.Sprintf("%s/socket with room for %d", tt.name, room), func(t *testing.T) {
				reader, err := bucket.Download(t.Context(), "k", tt.opts...)
				require.NoError(t, err)
				socket := &fullSocket{to: fullWriter{room: room}}
				written, err := reader.WriteTo(socket)
				require.Equal(t, errWriter, err)
				require.EqualValues(t, room, written)
				require.Equal(t, tt.want, socket.to.took.String()+readRest(t, reader))
			})
		}
	}
}

// If the body breaks during WriteTo, the error is one of the download, and not of the writer.
func TestWriteToBodyBreaks(t *testing.T) {
	const enough = 2 * len(digits) // so that no writer fails
	for _, tt := range downloads {
		// The body breaks before each byte that it must deliver.
		for breakAt := range len(tt.want) - 1 {
			writer := &fullWriter{room: enough}
			socket := &fullSocket{to: fullWriter{room: enough}}
			for _, dst := range []io.Writer{writer, socket} {
				reader, err := newDigitsBucket(t, &breakAt).Download(t.Context(), "k", tt.opts...)
				require.NoError(t, err)

				_, err = reader.WriteTo(dst)
				require.ErrorIs(t, err, errDisk)
				var storageErr *storage.Error
				require.ErrorAs(t, err, &storageErr, "%s, %T", tt.name, dst)
				require.Equal(t, "k", storageErr.Key)
				require.NoError(t, reader.Close())
			}
		}
	}
}

// A cancelingWriter counts the bytes that it is given, and cancels the context of the download at once.
type cancelingWriter struct {
	cancel context.CancelFunc
	n      int64
}

func (w *cancelingWriter) Write(p []byte) (int, error) {
	w.cancel()
	w.n += int64(len(p))
	return len(p), nil
}

// A cancelingSocket writes to a cancelingWriter, and has a ReadFrom as sockets have. The kernel copies a file to a
// socket only if the reader is a limited file.
type cancelingSocket struct {
	to    cancelingWriter
	other io.Reader // a body that is not a file
}

func (s *cancelingSocket) Write(p []byte) (int, error) { return s.to.Write(p) }

func (s *cancelingSocket) ReadFrom(r io.Reader) (int64, error) {
	limited, ok := r.(*io.LimitedReader)
	if !ok {
		s.other = r
	} else if _, ok := limited.R.(*os.File); !ok {
		s.other = limited.R
	}
	return io.Copy(&s.to, r)
}

// requireCopyCanceled downloads the object "k" to dst, which cancels the download when it gets bytes. The copy must
// fail with Canceled. The counter gets the bytes of dst.
func requireCopyCanceled(
	t *testing.T, bucket storage.Bucket, opts []storage.DownloadOption, dst io.Writer, counter *cancelingWriter,
) {
	t.Helper()
	const maxWritten = 1 << 20 // bytes that may be copied until the end of ctx is noticed
	ctx, cancel := context.WithCancel(t.Context())
	counter.cancel = cancel
	reader, err := bucket.Download(ctx, "k", opts...)
	require.NoError(t, err)

	written, err := io.Copy(dst, reader)
	require.ErrorIs(t, err, storage.Canceled)
	require.Equal(t, counter.n, written)
	require.LessOrEqual(t, written, int64(maxWritten))
	require.NoError(t, reader.Close())
}

// WriteTo fails with Canceled soon after ctx was canceled.
func TestWriteToCanceled(t *testing.T) {
	const size = 8 << 20
	directory, err := local.Open(t.TempDir(), local.Config{Create: true})
	require.NoError(t, err)
	defer func() {
		require.NoError(t, storage.Close(directory))
	}()

	stores := []struct {
		name   string
		bucket storage.Bucket
	}{
		{name: "memory", bucket: memstore.New()},
		{name: "directory", bucket: directory},
	}
	for _, store := range stores {
		_, err := store.bucket.Upload(t.Context(), "k", bytes.NewReader(make([]byte, size)))
		require.NoError(t, err)
		for _, tt := range downloads {
			// The writer and the socket cancel the download at their first bytes.
			t.Run(fmt.Sprintf("%s of %s to a writer", tt.name, store.name), func(t *testing.T) {
				writer := &cancelingWriter{}
				requireCopyCanceled(t, store.bucket, tt.opts, writer, writer)
			})
			t.Run(fmt.Sprintf("%s of %s to a socket", tt.name, store.name), func(t *testing.T) {
				socket := &cancelingSocket{}
				requireCopyCanceled(t, store.bucket, tt.opts, socket, &socket.to)

				// Each reader that the socket gets is a limited file, which the kernel can copy.
				require.Nil(t, socket.other, "the kernel copies no %T", socket.other)
			})
		}
	}
}
