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

const (
	streamPart = 5 << 20 // the first parts of a stream
	endless    = 1 << 40 // bytes of a stream that no test reads to its end
)

// withoutStreams opens a store to which Upload sends streams in parts.
var withoutStreams = driver.WithLayer(faults.WithLimits(faults.Limits{
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

// withBeginParts returns an option that calls begin in place of BeginParts.
func withBeginParts(begin func(next func() (string, error)) (string, error)) storage.OpenOption {
	return driver.WithLayer(func(d driver.Driver) driver.Driver { return beginLayer{d, begin} })
}

// A hookedStream has size bytes. Each Read that begins at the offset hookAt or later calls hook first, and reads
// at most hookedRead bytes.
type hookedStream struct {
	size       int64
	read       int64 // bytes so far
	hookAt     int64
	hook       func() error // nil if nothing happens at hookAt
	hookedRead int
}

func (s *hookedStream) Read(p []byte) (int, error) {
	if s.hook != nil && s.read >= s.hookAt {
		if err := s.hook(); err != nil {
			return 0, err
		}
		p = p[:min(len(p), s.hookedRead)]
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
	// The stream tells when it was read up to its last part.
	const lastPart = 3 * streamPart // offset
	const size = lastPart + streamPart
	lastPartReached := make(chan struct{})
	body := &hookedStream{size: size, hookAt: lastPart, hookedRead: streamPart}
	body.hook = func() error {
		// Later Reads call the hook, too.
		isFirstCall := body.read == lastPart
		if isFirstCall {
			close(lastPartReached)
		}
		return nil
	}

	// The store takes a stream only in parts, and BeginParts waits for the last part of the stream. If Upload waited for
	// BeginParts first, it would never end.
	waitForLastPart := withBeginParts(func(begin func() (string, error)) (string, error) {
		<-lastPartReached
		return begin()
	})
	bucket := memstore.New(withoutStreams, waitForLastPart)
	attrs, err := bucket.Upload(t.Context(), "k", body)
	require.NoError(t, err)
	require.EqualValues(t, size, attrs.Size)
}

// Upload stops reading the stream soon after BeginParts has failed.
func TestUploadStreamBeginFails(t *testing.T) {
	// The store takes a stream only in parts. BeginParts fails while the stream is in its second part.
	secondPartBegun := make(chan struct{})
	beginFailed := make(chan struct{})
	injected := faults.New()
	failBegin := withBeginParts(func(func() (string, error)) (string, error) {
		<-secondPartBegun
		defer close(beginFailed)
		return "", storage.PermissionDenied
	})
	bucket := memstore.New(withoutStreams, driver.WithLayer(injected.Layer()), failBegin)

	// In its second part, the stream waits until BeginParts has failed. After that, each Read delivers one byte.
	const secondPart = streamPart + 2 // an offset in it
	body := &hookedStream{size: endless, hookAt: secondPart, hookedRead: 1}
	isFirstCall := true
	body.hook = func() error {
		if isFirstCall {
			isFirstCall = false
			close(secondPartBegun)
			<-beginFailed
		}
		return nil
	}

	// Upload does not read the second part to its end, and sends no other request.
	_, err := bucket.Upload(t.Context(), "k", body)
	require.Equal(t, storage.PermissionDenied, storage.CodeOf(err))
	require.Less(t, body.read, int64(2*streamPart))
	require.Zero(t, injected.Count(faults.PutPart|faults.CompleteParts|faults.AbortParts), "%v", injected)
}

// Upload aborts the upload if the stream fails while BeginParts is in progress.
func TestUploadStreamFailsDuringBegin(t *testing.T) {
	// The stream fails at its third part.
	const thirdPart = 2 * streamPart // offset
	streamFailed := make(chan struct{})
	errBroken := errors.New("broken")
	body := &hookedStream{
		size:   endless,
		hookAt: thirdPart,
		hook: func() error {
			close(streamFailed)
			return errBroken
		},
	}

	// The store takes a stream only in parts. It begins the upload only after the stream has failed.
	injected := faults.New()
	waitForStream := withBeginParts(func(begin func() (string, error)) (string, error) {
		<-streamFailed
		return begin()
	})
	bucket := memstore.New(withoutStreams, driver.WithLayer(injected.Layer()), waitForStream)

	// Upload returns the error of the stream, after it has aborted the upload that has begun nevertheless.
	_, err := bucket.Upload(t.Context(), "k", body)
	require.ErrorIs(t, err, errBroken)
	require.Equal(t, 1, injected.Count(faults.BeginParts), "%v", injected)
	require.Equal(t, 1, injected.Count(faults.AbortParts), "%v", injected)
}

// A panic in the driver's BeginParts reaches the caller of Upload.
func TestUploadStreamBeginPanics(t *testing.T) {
	bucket := memstore.New(withoutStreams, withBeginParts(func(func() (string, error)) (string, error) {
		panic("boom")
	}))
	require.PanicsWithValue(t, "boom", func() {
		_, _ = bucket.Upload(t.Context(), "k", &hookedStream{size: endless})
	})
}

// A barrierLayer holds back the results of PutPart until a given number of parts are in progress at the same time.
type barrierLayer struct {
	driver.Driver
	met *sync.WaitGroup
}

func (l barrierLayer) PutPart(ctx context.Context, r *driver.PartRequest) (driver.Part, error) {
	l.met.Done()
	l.met.Wait()
	return l.Driver.PutPart(ctx, r)
}

// Upload sends each part of a stream as soon as it is full, without waiting for the parts before.
func TestUploadStreamSendsFilledPart(t *testing.T) {
	const parts = 16
	const partSize = 64 << 10

	// Each PutPart returns only when all parts are in progress. If Upload waited for one, it would never end.
	var begun sync.WaitGroup
	begun.Add(parts)
	waitForAllParts := func(d driver.Driver) driver.Driver { return barrierLayer{Driver: d, met: &begun} }
	limits := faults.Limits{Disable: driver.StreamingPut, MinPartSize: partSize}
	bucket := memstore.New(driver.WithLayer(waitForAllParts), driver.WithLayer(faults.WithLimits(limits)))

	stream := &hookedStream{size: parts * partSize}
	attrs, err := bucket.Upload(t.Context(), "k", stream, storage.WithPartSize(partSize))
	require.NoError(t, err)
	require.EqualValues(t, parts*partSize, attrs.Size)
}

// An inFlightLayer counts the bytes of the parts that are being sent. Each part takes a second.
type inFlightLayer struct {
	driver.Driver
	mu         sync.Mutex
	held, most int64
}

func (l *inFlightLayer) PutPart(ctx context.Context, r *driver.PartRequest) (driver.Part, error) {
	l.count(r.Size)
	defer l.count(-r.Size)
	time.Sleep(time.Second)
	_, err := io.Copy(io.Discard, r.Body)
	return driver.Part{Tag: strconv.Itoa(r.Number)}, err
}

func (l *inFlightLayer) count(bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held += bytes
	l.most = max(l.most, l.held)
}

func (l *inFlightLayer) CompleteParts(context.Context, *driver.CompleteRequest) (*storage.Attrs, error) {
	return nil, storage.PermissionDenied // it has kept no bytes
}

// Parts of a long stream grow, so that there are not too many of them. As they grow, fewer of them are sent at once,
// because the parts in memory must fit in 64 MiB. Two parts are always permitted.
func TestUploadLongStreamMemory(t *testing.T) {
	// The store permits 100 parts. After every ten of them, the size of a part doubles.
	const maxParts = 100
	const (
		parts5MiB  = 10 * 5 * mebibyte // bytes of the first ten parts
		parts10MiB = 10 * 10 * mebibyte
		parts20MiB = 10 * 20 * mebibyte
		parts40MiB = 10 * 40 * mebibyte
	)
	tests := []struct {
		name      string
		size      int64 // of the stream
		opts      []storage.UploadOption
		wantLeast int64 // lower limit of the most bytes that are sent at once
		wantMost  int64 // upper limit
	}{
		{
			name:      "10 parts of 5 MiB at once",
			size:      parts5MiB,
			wantLeast: 10 * 5 * mebibyte,
			wantMost:  10 * 5 * mebibyte,
		},
		{
			name:      "6 parts of 10 MiB at once",
			size:      parts5MiB + parts10MiB,
			wantLeast: 6 * 10 * mebibyte,
			wantMost:  6 * 10 * mebibyte,
		},
		{
			name:      "3 parts of 20 MiB at once",
			size:      parts5MiB + parts10MiB + parts20MiB,
			wantLeast: 3 * 20 * mebibyte,
			wantMost:  3 * 20 * mebibyte,
		},
		{
			name:      "2 parts of 40 MiB at once",
			size:      parts5MiB + parts10MiB + parts20MiB + parts40MiB,
			wantLeast: 2 * 40 * mebibyte,
			wantMost:  2 * 40 * mebibyte,
		},
		{
			name:      "more parts at once, by WithConcurrency",
			size:      parts5MiB + parts10MiB,
			opts:      []storage.UploadOption{storage.WithConcurrency(16)},
			wantLeast: 10 * 10 * mebibyte,
			wantMost:  16 * 10 * mebibyte,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// The layer counts the bytes of the parts that are being sent. It keeps no bytes, and so it fails to
				// complete the upload.
				counted := &inFlightLayer{}
				limits := faults.Limits{
					Disable:     driver.StreamingPut,
					MaxPutSize:  streamPart,
					MinPartSize: streamPart,
					MaxParts:    maxParts,
				}
				count := driver.WithLayer(func(d driver.Driver) driver.Driver {
					counted.Driver = d
					return counted
				})
				bucket := memstore.New(count, driver.WithLayer(faults.WithLimits(limits)))

				_, err := bucket.Upload(t.Context(), "k", &hookedStream{size: tt.size}, tt.opts...)
				require.Equal(t, storage.PermissionDenied, storage.CodeOf(err))
				require.LessOrEqual(t, counted.most, tt.wantMost)
				require.GreaterOrEqual(t, counted.most, tt.wantLeast)
			})
		})
	}
}
