package storage_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
)

// ReadRanges takes the options of Download, whether its ranges come in one request or in two.
func TestReadRangesTakesTheOptionsOfADownload(t *testing.T) {
	bucket := memstore.New(storage.WithVersioning(true))
	old, err := bucket.Upload(t.Context(), "k", strings.NewReader("the old content"))
	require.NoError(t, err)
	current, err := bucket.Upload(t.Context(), "k", strings.NewReader("THE NEW CONTENT"))
	require.NoError(t, err)
	// The ranges are those of the second word and of the first word.
	ranges := []storage.Range{{Offset: 4, Length: 3}, {Offset: 0, Length: 3}}

	tests := []struct {
		name     string
		opt      storage.DownloadOption
		want     []string
		wantCode storage.Code
	}{
		{name: "a version", opt: storage.WithVersion(old.Version), want: []string{"old", "the"}},
		{name: "the revision", opt: storage.IfRevision(current.Revision), want: []string{"NEW", "THE"}},
		{
			name:     "another revision",
			opt:      storage.IfRevision(old.Revision),
			want:     nil,
			wantCode: storage.PreconditionFailed,
		},
		{
			name:     "not the revision",
			opt:      storage.IfRevisionNot(current.Revision),
			want:     nil,
			wantCode: storage.NotModified,
		},
		{
			name:     "another provider's option",
			opt:      storage.WithNative("other", 1),
			want:     nil,
			wantCode: storage.Unsupported,
		},
	}
	// One byte lies between the ranges. If no gap is permitted, each range has a request of its own.
	for _, maxGap := range []int64{0, 100} {
		for _, tt := range tests {
			t.Run(fmt.Sprintf("%s, gap %d", tt.name, maxGap), func(t *testing.T) {
				results, _, err := storage.ReadRanges(t.Context(), bucket, "k", ranges, tt.opt,
					storage.WithMaxGap(maxGap))
				require.Equal(t, tt.wantCode, storage.CodeOf(err))

				var got []string
				for _, result := range results {
					got = append(got, string(result))
				}
				require.Equal(t, tt.want, got)
			})
		}
	}
}

// ReadRanges reports the progress of all ranges together, and counts the bytes that two ranges share once.
func TestReadRangesReportsProgressOfAllRanges(t *testing.T) {
	bucket := memstore.New()
	_, err := bucket.Upload(t.Context(), "k", strings.NewReader(strings.Repeat("x", 1000)))
	require.NoError(t, err)
	ranges := []storage.Range{
		{Offset: 0, Length: 100},
		{Offset: 50, Length: 100},
		{Offset: 900, Length: 500}, // of which the object has 100
	}

	var lastTransferred, lastTotal int64
	progress := storage.WithProgress(func(transferred, total int64) {
		require.Greater(t, transferred, lastTransferred)
		lastTransferred = transferred
		lastTotal = total
	})
	_, _, err = storage.ReadRanges(t.Context(), bucket, "k", ranges, storage.WithMaxGap(0), progress)
	require.NoError(t, err)

	const wantBytes = 150 + 100 // of the two ranges that overlap, and of the last one
	require.EqualValues(t, wantBytes, lastTransferred)
	require.EqualValues(t, wantBytes, lastTotal)
}

// ReadRanges fails with RangeNotSatisfiable, and names the range, if one begins past the end of the object.
func TestReadRangesNamesTheRangeThatBeginsPastTheEnd(t *testing.T) {
	bucket := memstore.New()
	_, err := bucket.Upload(t.Context(), "k", strings.NewReader("0123456789"))
	require.NoError(t, err)

	ranges := []storage.Range{{Offset: 0, Length: 1}, {Offset: 11, Length: 0}}
	_, _, err = storage.ReadRanges(t.Context(), bucket, "k", ranges)
	require.ErrorIs(t, err, storage.RangeNotSatisfiable)
	require.ErrorContains(t, err, "ranges[1] begins at 11")
}

// A pairingBucket lets a download begin only together with another one.
type pairingBucket struct {
	storage.Bucket
	active    atomic.Int64 // downloads at this moment
	maxActive atomic.Int64 // largest value of active
	meet      chan struct{}
}

func (p *pairingBucket) Download(
	ctx context.Context, key string, opts ...storage.DownloadOption,
) (*storage.Reader, error) {
	active := p.active.Add(1)
	defer p.active.Add(-1)
	if active > p.maxActive.Load() {
		p.maxActive.Store(active)
	}

	// One of two downloads sends, and the other one receives.
	select {
	case p.meet <- struct{}{}:
	case <-p.meet:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return p.Bucket.Download(ctx, key, opts...)
}

// ReadRanges makes several requests at once, but no more than WithConcurrency permits.
func TestReadRangesMakesRequestsAtOnce(t *testing.T) {
	bucket := memstore.New()
	_, err := bucket.Upload(t.Context(), "k", strings.NewReader(strings.Repeat("x", 1000)))
	require.NoError(t, err)

	// Each range has a request of its own.
	const rangeCount = 9
	var ranges []storage.Range
	for i := range int64(rangeCount) {
		ranges = append(ranges, storage.Range{Offset: 100 * i, Length: 1})
	}

	// Each download of this bucket waits for another one, so the call ends only if it makes two at once.
	pairing := &pairingBucket{Bucket: bucket, meet: make(chan struct{})}

	// ReadRanges makes its first download alone, before all others. This goroutine meets it in place of another one.
	go func() {
		<-pairing.meet
	}()

	const concurrency = 4
	_, _, err = storage.ReadRanges(t.Context(), pairing, "k", ranges, storage.WithMaxGap(0),
		storage.WithConcurrency(concurrency))
	require.NoError(t, err)
	require.LessOrEqual(t, pairing.maxActive.Load(), int64(concurrency))
	require.Greater(t, pairing.maxActive.Load(), int64(1))
}

// A haltingBucket has objects of 1000 bytes. The body of the first download waits until its ctx ends. Each other
// download fails.
type haltingBucket struct {
	storage.Bucket
	downloads atomic.Int64
}

func (h *haltingBucket) Download(
	ctx context.Context, key string, opts ...storage.DownloadOption,
) (*storage.Reader, error) {
	if h.downloads.Add(1) > 1 {
		return nil, &storage.Error{Code: storage.PermissionDenied, Op: "Download", Key: key}
	}
	var req storage.DownloadOptions
	if err := req.Apply(opts...); err != nil {
		return nil, err
	}
	attrs := &storage.Attrs{Key: key, Size: 1000, Revision: "halting:1"}
	return storage.NewReader(attrs, req.Offset, req.Length, untilDone{ctx}), nil
}

// untilDone is a body that waits for the end of ctx.
type untilDone struct{ ctx context.Context }

func (u untilDone) Read([]byte) (int, error) {
	<-u.ctx.Done()
	return 0, u.ctx.Err()
}

func (untilDone) Close() error { return nil }

// If one request fails, ReadRanges ends the others and returns that failure.
func TestReadRangesEndsAtTheFirstFailure(t *testing.T) {
	// The request for the first range waits until it is canceled, and that for the second range fails.
	halting := &haltingBucket{Bucket: memstore.New()}
	ranges := []storage.Range{{Offset: 0, Length: 10}, {Offset: 900, Length: 10}}

	got, attrs, err := storage.ReadRanges(t.Context(), halting, "k", ranges, storage.WithMaxGap(0))
	require.Equal(t, storage.PermissionDenied, storage.CodeOf(err), "%v", err)
	require.Nil(t, got)
	require.Nil(t, attrs)
}

// If ctx is canceled with a cause, ReadRanges fails with Canceled, and not with the Code of the cause. Such a cause may
// be the failure of another call that shares ctx.
func TestReadRangesReportsThatCtxEndedAndNotItsCause(t *testing.T) {
	tests := []struct {
		name   string
		ranges []storage.Range
	}{
		{name: "one request", ranges: []storage.Range{{Offset: 0, Length: 10}}},
		{name: "two requests", ranges: []storage.Range{{Offset: 0, Length: 10}, {Offset: 900, Length: 10}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Downloads of this bucket close the channel reached, and then wait until ctx ends.
			waiting := &waitingBucket{Bucket: memstore.New(), reached: make(chan struct{})}

			// Once a download waits, ctx is canceled because of the failure of another call.
			otherFailure := &storage.Error{Code: storage.ObjectNotFound, Op: "Download", Key: "other"}
			ctx, cancel := context.WithCancelCause(t.Context())
			go func() {
				<-waiting.reached
				cancel(otherFailure)
			}()

			_, _, err := storage.ReadRanges(ctx, waiting, "k", tt.ranges, storage.WithMaxGap(0))
			require.Equal(t, storage.Canceled, storage.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, `"k"`)
		})
	}
}

// A waitingBucket has objects of 1000 bytes, and delivers no byte before ctx ends.
type waitingBucket struct {
	storage.Bucket
	reached chan struct{} // closed by the first download
	once    sync.Once
}

func (w *waitingBucket) Download(ctx context.Context, key string, opts ...storage.DownloadOption) (*storage.Reader, error) {
	var req storage.DownloadOptions
	if err := req.Apply(opts...); err != nil {
		return nil, err
	}
	w.once.Do(func() {
		close(w.reached)
	})
	attrs := &storage.Attrs{Key: key, Size: 1000, Revision: "waiting:1"}
	return storage.NewReader(attrs, req.Offset, req.Length, untilDone{ctx}), nil
}

// unrevised is a driver without revisions. A change shows only in the size and time of the object.
type unrevised struct{ driver.Driver }

func (u unrevised) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	attrs, body, err := u.Driver.Get(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	attrs.Revision = ""
	return attrs, body, nil
}

func (u unrevised) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	attrs, err := u.Driver.Head(ctx, r)
	if err != nil {
		return nil, err
	}
	attrs.Revision = ""
	return attrs, nil
}

// ReadAt fails with Changed after the object was replaced, even in a store without revisions.
func TestReadAtFindsChangeWithoutRevisions(t *testing.T) {
	const (
		size      = 1000
		blockSize = 100
	)
	tests := []struct {
		name    string
		newSize int
	}{
		{name: "longer", newSize: 2 * size},
		{name: "as long", newSize: size},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver {
				return unrevised{d}
			}))
			_, err := bucket.Upload(t.Context(), "k", strings.NewReader(strings.Repeat("x", size)))
			require.NoError(t, err)

			// Read the first block, and then replace the object.
			reader, err := storage.NewReaderAt(t.Context(), bucket, "k", storage.WithBlockSize(blockSize))
			require.NoError(t, err)
			_, err = reader.ReadAt(make([]byte, 10), 0)
			require.NoError(t, err)
			_, err = bucket.Upload(t.Context(), "k", strings.NewReader(strings.Repeat("y", tt.newSize)))
			require.NoError(t, err)

			// Another block is not in memory, so reading it shows the change.
			_, err = reader.ReadAt(make([]byte, 10), 5*blockSize)
			require.Equal(t, storage.Changed, storage.CodeOf(err), "%v", err)
			require.NoError(t, reader.Close())
		})
	}
}
