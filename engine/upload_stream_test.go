package engine_test

import (
	"context"
	"errors"
	"io"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

const streamPart = 5 << 20

// inParts has streams sent in parts.
var inParts = driver.WithLayer(faults.WithLimits(faults.Limits{
	Disable:     driver.StreamingPut,
	MaxPutSize:  streamPart,
	MinPartSize: streamPart,
}))

// A beginLayer calls begin in place of BeginParts.
type beginLayer struct {
	driver.Driver
	begin func(next func() (string, error)) (string, error)
}

func (l beginLayer) BeginParts(ctx context.Context, r *driver.PutRequest) (string, error) {
	return l.begin(func() (string, error) { return l.Driver.BeginParts(ctx, r) })
}

func beginning(begin func(next func() (string, error)) (string, error)) storage.OpenOption {
	return driver.WithLayer(func(d driver.Driver) driver.Driver { return beginLayer{d, begin} })
}

// A source calls at when the next Read begins at that many bytes or more, and ends after size
// bytes.
type source struct {
	read, size int64
	after      int64
	at         func() error
	most       int // bytes of a Read after that
}

func (s *source) Read(p []byte) (int, error) {
	if s.read >= s.after {
		if err := s.at(); err != nil {
			return 0, err
		}
		p = p[:min(len(p), s.most)]
	}
	n := int(min(int64(len(p)), s.size-s.read))
	s.read += int64(n)
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Upload reads a stream while BeginParts is in progress.
func TestUploadStreamBeginsAtOnce(t *testing.T) {
	filled := make(chan struct{})
	b := memstore.New(inParts, beginning(func(next func() (string, error)) (string, error) {
		<-filled
		return next()
	}))
	body := &source{size: 4 * streamPart, after: 3 * streamPart, most: streamPart}
	body.at = func() error {
		if body.read == 3*streamPart {
			close(filled)
		}
		return nil
	}

	attrs, err := b.Upload(t.Context(), "k", body)
	require.NoError(t, err)
	require.EqualValues(t, 4*streamPart, attrs.Size)
}

// If BeginParts fails, Upload stops reading the stream.
func TestUploadStreamBeginFails(t *testing.T) {
	beginStarted := make(chan struct{})
	beginFailed := make(chan struct{})
	injected := faults.New()
	b := memstore.New(inParts, driver.WithLayer(injected.Layer()), beginning(func(func() (string, error)) (string, error) {
		<-beginStarted
		defer close(beginFailed)
		return "", storage.PermissionDenied
	}))
	body := &source{size: 1 << 40, after: streamPart + 2, most: 1}
	started := false
	body.at = func() error {
		if !started {
			started = true
			close(beginStarted)
			<-beginFailed
		}
		return nil
	}

	_, err := b.Upload(t.Context(), "k", body)
	require.Equal(t, storage.PermissionDenied, storage.CodeOf(err))
	require.Less(t, body.read, int64(2*streamPart), "a byte at a time")
	require.Zero(t, injected.Count(faults.PutPart|faults.CompleteParts|faults.AbortParts), "%v", injected)
}

// If the stream fails while BeginParts is in progress, Upload aborts the upload.
func TestUploadStreamFailsDuringBegin(t *testing.T) {
	beginFailed := make(chan struct{})
	broken := errors.New("broken")
	injected := faults.New()
	b := memstore.New(inParts, driver.WithLayer(injected.Layer()), beginning(func(next func() (string, error)) (string, error) {
		<-beginFailed
		return next()
	}))
	body := &source{
		size:  1 << 40,
		after: 2 * streamPart,
		at: func() error {
			close(beginFailed)
			return broken
		},
	}

	_, err := b.Upload(t.Context(), "k", body)
	require.ErrorIs(t, err, broken)
	require.Equal(t, 1, injected.Count(faults.BeginParts), "%v", injected)
	require.Equal(t, 1, injected.Count(faults.AbortParts), "%v", injected)
}

// A panic in the driver's BeginParts reaches the caller of Upload.
func TestUploadStreamBeginPanics(t *testing.T) {
	b := memstore.New(inParts, beginning(func(func() (string, error)) (string, error) {
		panic("boom")
	}))
	require.PanicsWithValue(t, "boom", func() {
		_, _ = b.Upload(t.Context(), "k", &source{size: 1 << 40, after: 1 << 40})
	})
}

// A meetingLayer lets no PutPart return before that many are in progress.
type meetingLayer struct {
	driver.Driver
	met *sync.WaitGroup
}

func (l meetingLayer) PutPart(ctx context.Context, r *driver.PartRequest) (driver.Part, error) {
	l.met.Done()
	l.met.Wait()
	return l.Driver.PutPart(ctx, r)
}

// Upload sends each part of a stream as soon as it is full, because a waiting part needs as much memory as one in
// flight.
func TestUploadStreamSendsFilledPart(t *testing.T) {
	const parts, size = 16, 64 << 10
	var met sync.WaitGroup
	met.Add(parts)
	b := memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver { return meetingLayer{d, &met} }),
		driver.WithLayer(faults.WithLimits(faults.Limits{Disable: driver.StreamingPut, MinPartSize: size})))
	_, err := b.Upload(t.Context(), "k", &source{size: parts * size, after: 1 << 40},
		storage.WithPartSize(size))
	require.NoError(t, err)
}

// A heldLayer counts the bytes of the parts that are being sent. Each part takes a second.
type heldLayer struct {
	driver.Driver
	mu         sync.Mutex
	held, most int64
}

func (l *heldLayer) PutPart(ctx context.Context, r *driver.PartRequest) (driver.Part, error) {
	l.count(r.Size)
	defer l.count(-r.Size)
	time.Sleep(time.Second)
	_, err := io.Copy(io.Discard, r.Body)
	return driver.Part{Tag: strconv.Itoa(r.Number)}, err
}

func (l *heldLayer) count(bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held += bytes
	l.most = max(l.most, l.held)
}

func (l *heldLayer) CompleteParts(context.Context, *driver.CompleteRequest) (*storage.Attrs, error) {
	return nil, storage.PermissionDenied // it has kept no bytes
}

// Parts of a long stream grow, to stay below the maximum number. As they grow, fewer of them are in memory.
func TestUploadLongStreamMemory(t *testing.T) {
	const mebibyte, ten = 1 << 20, 10 * streamPart // ten parts of one size, of 100
	tests := []struct {
		name        string
		size        int64
		least, most int64 // bytes that are sent at once
		parallel    []storage.UploadOption
	}{
		{name: "10 parts of 5 MiB", size: ten, least: 50 * mebibyte, most: 50 * mebibyte},
		{name: "6 of 10 MiB", size: 3 * ten, least: 60 * mebibyte, most: 60 * mebibyte},
		{name: "3 of 20 MiB", size: 7 * ten, least: 60 * mebibyte, most: 60 * mebibyte},
		{name: "2 of 40 MiB", size: 15 * ten, least: 80 * mebibyte, most: 80 * mebibyte},
		{
			name:     "more, as WithConcurrency asks for",
			size:     3 * ten,
			least:    100 * mebibyte,
			most:     160 * mebibyte,
			parallel: []storage.UploadOption{storage.WithConcurrency(16)},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				counted := &heldLayer{}
				b := memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver {
					counted.Driver = d
					return counted
				}),
					driver.WithLayer(faults.WithLimits(faults.Limits{Disable: driver.StreamingPut, MaxPutSize: streamPart, MinPartSize: streamPart, MaxParts: 100})))
				_, err := b.Upload(t.Context(), "k", &source{size: tt.size, after: tt.size + 1},
					tt.parallel...)
				require.Equal(t, storage.PermissionDenied, storage.CodeOf(err))
				require.LessOrEqual(t, counted.most, tt.most)
				require.GreaterOrEqual(t, counted.most, tt.least)
			})
		})
	}
}
