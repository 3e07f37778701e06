package storage

import (
	"context"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A generatedObject is a bucket with one object.
type generatedObject struct {
	size int64
	held chan struct{} // if not nil, Download waits until it is closed

	mu         sync.Mutex
	requests   []Range // of Download
	panicValue any     // if not nil, Download panics with it
}

func (object *generatedObject) Attrs(context.Context, string, ...AttrsOption) (*Attrs, error) {
	return &Attrs{Key: "k", Size: object.size, Revision: "generated:1"}, nil
}

func (object *generatedObject) Exists(context.Context, string, ...AttrsOption) (bool, error) {
	return true, nil
}

func (object *generatedObject) Download(ctx context.Context, key string, opts ...DownloadOption) (*Reader, error) {
	var req DownloadOptions
	if err := req.Apply(opts...); err != nil {
		return nil, err
	}
	start, end, err := req.Span(object.size)
	if err != nil {
		return nil, err
	}
	object.mu.Lock()
	object.requests = append(object.requests, Range{start, end - start})
	panicValue := object.panicValue
	object.mu.Unlock()
	if panicValue != nil {
		panic(panicValue)
	}

	if object.held != nil {
		select {
		case <-object.held:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}

	attrs, _ := object.Attrs(ctx, key) // never fails
	body := io.NewSectionReader(numbers{}, start, end-start)
	return NewReader(attrs, start, end-start, io.NopCloser(body)), nil
}

// numbers is endless content. Its period is a prime number, so no two blocks of a round size are
// equal.
type numbers struct{}

func (numbers) ReadAt(p []byte, off int64) (int, error) {
	const period = 251
	for i := range p {
		p[i] = byte((off + int64(i)) % period)
	}
	return len(p), nil
}

// openGenerated opens a ReaderAt that is closed at the end of the test.
func openGenerated(t *testing.T, object *generatedObject, opts ...ReaderAtOption) *ReaderAt {
	t.Helper()
	reader, err := NewReaderAt(t.Context(), object, "k", opts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, reader.Close()) })
	return reader
}

// Close interrupts a ReadAt that waits for bytes, and every later ReadAt fails.
func TestReadAtEndsWithClose(t *testing.T) {
	const blockSize = 100
	tests := []struct {
		name   string
		length int
	}{
		{name: "within a block", length: blockSize / 10},
		{name: "of many blocks", length: 10 * blockSize},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// ReadAt waits for a download, which never comes.
				object := &generatedObject{size: 10_000, held: make(chan struct{})}
				reader := openGenerated(t, object, WithBlockSize(blockSize))
				var reading sync.WaitGroup
				var interruptedErr error
				reading.Go(func() {
					_, interruptedErr = reader.ReadAt(make([]byte, tt.length), 500)
				})
				synctest.Wait()

				// Close ends it.
				require.NoError(t, reader.Close())
				reading.Wait()
				require.Equal(t, InvalidArgument, CodeOf(interruptedErr), "%v", interruptedErr)
				require.ErrorContains(t, interruptedErr, "closed")

				// A later ReadAt fails in the same way.
				_, err := reader.ReadAt(make([]byte, 1), 0)
				require.Equal(t, InvalidArgument, CodeOf(err))
			})
		})
	}
}

// If the context of one ReadAtContext ends, only that call fails. Others that wait for the same bytes get them.
func TestReadAtEndsWithContext(t *testing.T) {
	const (
		objectSize = 10_000
		blockSize  = 100
		offset     = 500 // of each read
	)
	tests := []struct {
		name   string
		length int // of each read
		opts   []ReaderAtOption
	}{
		{name: "within a block", length: blockSize / 10, opts: []ReaderAtOption{WithBlockSize(blockSize)}},
		{
			name:   "of many blocks",
			length: 10 * blockSize,
			opts:   []ReaderAtOption{WithBlockSize(blockSize), WithBlockCache(10 * blockSize)},
		},
		{name: "without blocks", length: 10, opts: []ReaderAtOption{WithBlockCache(0)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// The object sends no byte before held is closed.
				object := &generatedObject{size: objectSize, held: make(chan struct{})}
				reader := openGenerated(t, object, tt.opts...)
				canceled, cancel := context.WithCancel(t.Context())
				expired, stop := context.WithTimeout(t.Context(), time.Minute)
				defer stop()

				// Three calls wait for the same bytes.
				var canceledErr, expiredErr, otherErr error
				var calls sync.WaitGroup
				calls.Go(func() {
					_, canceledErr = reader.ReadAtContext(canceled, make([]byte, tt.length), offset)
				})
				calls.Go(func() {
					_, expiredErr = reader.ReadAtContext(expired, make([]byte, tt.length), offset)
				})
				calls.Go(func() {
					_, otherErr = reader.ReadAtContext(t.Context(), make([]byte, tt.length), offset)
				})
				synctest.Wait()

				// The contexts of the first two calls end before the bytes arrive.
				cancel()
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				close(object.held)
				calls.Wait()

				requireReadAtError(t, canceledErr, Canceled)
				requireReadAtError(t, expiredErr, DeadlineExceeded)
				require.NoError(t, otherErr)

				// The bytes are in memory now, but a call with a canceled context must not return them.
				_, err := reader.ReadAtContext(canceled, make([]byte, 1), offset)
				require.ErrorIs(t, err, context.Canceled)
			})
		})
	}
}

// requireReadAtError requires an *Error of ReadAt with the key of the object and the given code.
func requireReadAtError(t *testing.T, err error, code Code) {
	t.Helper()
	var storageErr *Error
	require.ErrorAs(t, err, &storageErr)
	require.Equal(t, code, storageErr.Code, "%v", storageErr)
	require.Equal(t, "ReadAt", storageErr.Op)
	require.Equal(t, "k", storageErr.Key)
}

// A panic in a bucket's Download reaches the caller of ReadAt, but not the callers of later reads.
func TestReadAtPanicReachesCaller(t *testing.T) {
	object := &generatedObject{size: 100, panicValue: "boom"}
	reader := openGenerated(t, object)
	require.PanicsWithValue(t, "boom", func() {
		_, _ = reader.ReadAt(make([]byte, 1), 0)
	})

	// The next ReadAt makes a new request.
	object.panicValue = nil
	_, err := reader.ReadAt(make([]byte, 1), 0)
	require.NoError(t, err)
}

// A ReadAt that reaches past the end returns the bytes up to the end, and io.EOF.
func TestReadAtPastEnd(t *testing.T) {
	const (
		size = 1003
		rest = 3
	)
	reader := openGenerated(t, &generatedObject{size: size}, WithBlockSize(10))
	n, err := reader.ReadAt(make([]byte, 10), size-rest)
	require.Equal(t, rest, n)
	require.Equal(t, io.EOF, err)
}

// The errors of ReadAt have the Op ReadAt and the key of the object.
func TestReadAtErrorsHaveOpAndKey(t *testing.T) {
	object := &generatedObject{size: 100}

	t.Run("reader is closed", func(t *testing.T) {
		reader := openGenerated(t, object)
		require.NoError(t, reader.Close())
		_, err := reader.ReadAt(make([]byte, 1), 0)
		requireReadAtError(t, err, InvalidArgument)
	})

	t.Run("ctx of the reader is canceled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		reader, err := NewReaderAt(ctx, object, "k")
		require.NoError(t, err)
		cancel()
		_, err = reader.ReadAt(make([]byte, 1), 0)
		requireReadAtError(t, err, Canceled)
		require.NoError(t, reader.Close())
	})
}

// NewReaderAt refuses a negative block size, with an error that names WithBlockSize.
func TestNewReaderAtRefusesBlockSize(t *testing.T) {
	_, err := NewReaderAt(t.Context(), &generatedObject{size: 100}, "k", WithBlockSize(-1))
	require.ErrorContains(t, err, "WithBlockSize must be at least 1")
}
