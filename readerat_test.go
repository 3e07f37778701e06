package storage

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A generated object has size bytes. Its Download waits for held, if that is set, and
// counts the requests.
type generatedObject struct {
	size int64
	held chan struct{}

	mu       sync.Mutex
	requests []Range
	broken   any // Download panics with it
}

func (object *generatedObject) Attrs(context.Context, string, ...AttrsOption) (*Attrs, error) {
	return &Attrs{Key: "k", Size: object.size, Revision: "generated:1"}, nil
}

func (object *generatedObject) Exists(context.Context, string, ...AttrsOption) (bool, error) { return true, nil }

func (object *generatedObject) Download(ctx context.Context, key string, opts ...DownloadOption) (*Reader, error) {
	var reader DownloadOptions
	if err := reader.Apply(opts...); err != nil {
		return nil, err
	}
	start, end, err := reader.Span(object.size)
	if err != nil {
		return nil, err
	}
	object.mu.Lock()
	object.requests = append(object.requests, Range{start, end - start})
	broken := object.broken
	object.mu.Unlock()
	if broken != nil {
		panic(broken)
	}
	if object.held != nil {
		select {
		case <-object.held:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	attrs, _ := object.Attrs(ctx, key)
	return NewReader(attrs, start, end-start, io.NopCloser(io.NewSectionReader(numbers{}, start, end-start))), nil
}

// numbers has at each offset a byte of its own.
type numbers struct{}

func (numbers) ReadAt(p []byte, off int64) (int, error) {
	for i := range p {
		p[i] = byte((off + int64(i)) % 251)
	}
	return len(p), nil
}

func openGenerated(t *testing.T, object *generatedObject, opts ...ReaderAtOption) *ReaderAt {
	t.Helper()
	reader, err := NewReaderAt(t.Context(), object, "k", opts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, reader.Close()) })
	return reader
}

// Close interrupts a ReadAt.
func TestReadAtEndsWithClose(t *testing.T) {
	for name, length := range map[string]int{"of a block": 10, "of many": 1000} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				object := &generatedObject{size: 10_000, held: make(chan struct{})}
				reader := openGenerated(t, object, WithBlockSize(100))
				var group sync.WaitGroup
				var err error
				group.Go(func() {
					_, err = reader.ReadAt(make([]byte, length), 500)
				})
				synctest.Wait()
				require.NoError(t, reader.Close())

				group.Wait()
				require.Equal(t, InvalidArgument, CodeOf(err), "%v", err)
				require.ErrorContains(t, err, "closed")

				_, err = reader.ReadAt(make([]byte, 1), 0)
				require.Equal(t, InvalidArgument, CodeOf(err))
			})
		})
	}
}

// If ctx of one ReadAt ends, other ReadAt calls continue.
func TestReadAtEndsWithContext(t *testing.T) {
	tests := map[string]struct {
		length int
		opts   []ReaderAtOption
	}{
		"of a block":     {10, []ReaderAtOption{WithBlockSize(100)}},
		"of many":        {1000, []ReaderAtOption{WithBlockSize(100), WithBlockCache(1000)}},
		"without blocks": {10, []ReaderAtOption{WithBlockCache(0)}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				object := &generatedObject{size: 10_000, held: make(chan struct{})}
				reader := openGenerated(t, object, tt.opts...)
				canceled, cancel := context.WithCancel(t.Context())
				expired, stop := context.WithTimeout(t.Context(), time.Minute)
				defer stop()
				var group sync.WaitGroup
				readByte := func(ctx context.Context, err *error) {
					group.Go(func() {
						_, *err = reader.ReadAtContext(ctx, make([]byte, tt.length), 500)
					})
				}
				errs := make([]error, 3)
				readByte(canceled, &errs[0])
				readByte(expired, &errs[1])
				readByte(t.Context(), &errs[2])
				synctest.Wait()
				cancel()
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				close(object.held)
				group.Wait()
				require.NoError(t, errs[2])

				for i, code := range []Code{Canceled, DeadlineExceeded} {
					var e *Error
					require.ErrorAs(t, errs[i], &e)
					require.Equal(t, code, e.Code, "%v", e)
					require.Equal(t, "ReadAt", e.Op)
					require.Equal(t, "k", e.Key)
				}

				_, err := reader.ReadAtContext(canceled, make([]byte, 1), 500)
				require.ErrorIs(t, err, context.Canceled, "what is in memory, too")
			})
		})
	}
}

// A panic in a bucket's Download reaches the caller of ReadAt.
func TestReadAtPanicReachesCaller(t *testing.T) {
	object := &generatedObject{size: 100, broken: "boom"}
	reader := openGenerated(t, object)
	require.PanicsWithValue(t, "boom", func() {
		_, _ = reader.ReadAt(make([]byte, 1), 0)
	})
	object.broken = nil
	_, err := reader.ReadAt(make([]byte, 1), 0)
	require.NoError(t, err)
}

// A ReadAt past the end returns the bytes up to the end.
func TestReadAtPastEnd(t *testing.T) {
	reader := openGenerated(t, &generatedObject{size: 1003}, WithBlockSize(10))
	n, err := reader.ReadAt(make([]byte, 10), 1000)
	require.Equal(t, 3, n)
	require.Equal(t, io.EOF, err)
}

// Errors of a ReaderAt have the Op ReadAt and the key of the object.
func TestReaderAtErrorsNameIt(t *testing.T) {
	object := &generatedObject{size: 100}
	reader := openGenerated(t, object)
	ctx, cancel := context.WithCancel(t.Context())
	r1, err := NewReaderAt(ctx, object, "k")
	require.NoError(t, err)
	cancel()
	require.NoError(t, reader.Close())

	for code, reader := range map[Code]*ReaderAt{Canceled: r1, InvalidArgument: reader} {
		var e *Error
		_, err := reader.ReadAt(make([]byte, 1), 0)
		require.ErrorAs(t, err, &e)
		require.Equal(t, code, e.Code)
		require.Equal(t, "ReadAt", e.Op)
		require.Equal(t, "k", e.Key)
	}

	require.NoError(t, r1.Close())
	_, err = NewReaderAt(t.Context(), object, "k", WithBlockSize(-1))
	require.True(t, strings.Contains(err.Error(), "WithBlockSize must be at least 1"), err)
}
