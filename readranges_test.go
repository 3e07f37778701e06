package storage_test

import (
	"context"
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
	ranges := []storage.Range{{Offset: 4, Length: 3}, {Offset: 0, Length: 5}}

	tests := []struct {
		name string
		opt  storage.DownloadOption
		want []string
		code storage.Code
	}{
		{name: "a version", opt: storage.WithVersion(old.Version), want: []string{"old", "the o"}},
		{name: "the revision", opt: storage.IfRevision(current.Revision), want: []string{"NEW", "THE N"}},
		{
			name: "another revision",
			opt:  storage.IfRevision(old.Revision),
			want: nil,
			code: storage.PreconditionFailed,
		},
		{
			name: "not the revision",
			opt:  storage.IfRevisionNot(current.Revision),
			want: nil,
			code: storage.NotModified,
		},
		{
			name: "another provider's option",
			opt:  storage.WithNative("other", 1),
			want: nil,
			code: storage.Unsupported,
		},
	}
	for _, tt := range tests {
		for _, gap := range []int64{0, 100} {
			data, _, err := storage.ReadRanges(t.Context(), bucket, "k", ranges, tt.opt,
				storage.WithMaxGap(gap))
			var got []string
			for _, text := range data {
				got = append(got, string(text))
			}
			require.Equal(t, tt.want, got, tt.name)
			require.Equal(t, tt.code, storage.CodeOf(err), tt.name)
		}
	}
}

// The progress of ReadRanges is that of all ranges together. Bytes that two ranges have count once.
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
	require.EqualValues(t, 150+100, lastTransferred)
	require.EqualValues(t, 150+100, lastTotal)
}

// If a range begins past the end of the object, ReadRanges fails with RangeNotSatisfiable and names the range.
func TestReadRangesNamesTheRangeThatBeginsPastTheEnd(t *testing.T) {
	bucket := memstore.New()
	_, err := bucket.Upload(t.Context(), "k", strings.NewReader("0123456789"))
	require.NoError(t, err)
	_, _, err = storage.ReadRanges(t.Context(), bucket, "k",
		[]storage.Range{{Offset: 0, Length: 1}, {Offset: 11, Length: 0}})
	require.ErrorIs(t, err, storage.RangeNotSatisfiable)
	require.ErrorContains(t, err, "ranges[1] begins at 11")
}

// A pairingBucket lets a download begin only together with another one.
type pairingBucket struct {
	storage.Bucket
	current, most atomic.Int64 // downloads that wait at once
	meet          chan struct{}
}

func (p *pairingBucket) Download(
	ctx context.Context, key string, opts ...storage.DownloadOption,
) (*storage.Reader, error) {
	if current := p.current.Add(1); current > p.most.Load() {
		p.most.Store(current)
	}
	defer p.current.Add(-1)

	// One of two downloads sends, and the other one receives.
	select {
	case p.meet <- struct{}{}:
	case <-p.meet:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return p.Bucket.Download(ctx, key, opts...)
}

// ReadRanges makes as many requests at once as WithConcurrency permits.
func TestReadRangesMakesRequestsAtOnce(t *testing.T) {
	bucket := memstore.New()
	_, err := bucket.Upload(t.Context(), "k", strings.NewReader(strings.Repeat("x", 1000)))
	require.NoError(t, err)

	// The first request is alone, so the test meets it. The other eight meet one another.
	pairing := &pairingBucket{Bucket: bucket, meet: make(chan struct{})}
	go func() { <-pairing.meet }()
	var ranges []storage.Range
	for i := range int64(9) {
		ranges = append(ranges, storage.Range{Offset: 100 * i, Length: 1})
	}

	_, _, err = storage.ReadRanges(t.Context(), pairing, "k", ranges, storage.WithMaxGap(0),
		storage.WithConcurrency(4))
	require.NoError(t, err)
	require.LessOrEqual(t, pairing.most.Load(), int64(4))
	require.Greater(t, pairing.most.Load(), int64(1))
}

// A haltingBucket delivers the first download only when its ctx ends, and no other one.
type haltingBucket struct {
	storage.Bucket
	downloads atomic.Int64
}

func (halting *haltingBucket) Download(ctx context.Context, key string, _ ...storage.DownloadOption) (*storage.Reader, error) {
	if halting.downloads.Add(1) > 1 {
		return nil, &storage.Error{Code: storage.PermissionDenied, Op: "Download", Key: key}
	}
	attrs := &storage.Attrs{Key: key, Size: 1000, Revision: "halting:1"}
	return storage.NewReader(attrs, 0, 10, untilDone{ctx}), nil
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
	halting := &haltingBucket{Bucket: memstore.New()}
	got, attrs, err := storage.ReadRanges(t.Context(), halting, "k",
		[]storage.Range{{Offset: 0, Length: 10}, {Offset: 900, Length: 10}}, storage.WithMaxGap(0))
	require.Equal(t, storage.PermissionDenied, storage.CodeOf(err), "%v", err)
	require.Nil(t, got)
	require.Nil(t, attrs)
}

// If ctx is canceled with a cause, ReadRanges fails with Canceled and not with that cause, which may be an error
// of another call.
func TestReadRangesReportsThatCtxEndedAndNotItsCause(t *testing.T) {
	for _, ranges := range [][]storage.Range{
		{{Offset: 0, Length: 10}},
		{{Offset: 0, Length: 10}, {Offset: 900, Length: 10}},
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		waiting := &waitingBucket{Bucket: memstore.New(), reached: make(chan struct{})}
		go func() {
			<-waiting.reached
			cancel(&storage.Error{Code: storage.ObjectNotFound, Op: "Download", Key: "other"})
		}()
		_, _, err := storage.ReadRanges(ctx, waiting, "k", ranges, storage.WithMaxGap(0))
		require.Equal(t, storage.Canceled, storage.CodeOf(err), "%v", err)
		require.ErrorContains(t, err, `"k"`)
	}
}

// A waitingBucket delivers no byte before ctx ends.
type waitingBucket struct {
	storage.Bucket
	reached chan struct{}
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

// If a store has no revisions, ReadAt still fails with Changed when the object has changed.
func TestReadAtFindsChangeWithoutRevisions(t *testing.T) {
	const size = 1000
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

			// The first block is read, and then the object is replaced.
			reader, err := storage.NewReaderAt(t.Context(), bucket, "k", storage.WithBlockSize(100))
			require.NoError(t, err)
			_, err = reader.ReadAt(make([]byte, 10), 0)
			require.NoError(t, err)
			_, err = bucket.Upload(t.Context(), "k", strings.NewReader(strings.Repeat("y", tt.newSize)))
			require.NoError(t, err)

			// Another block shows the change.
			_, err = reader.ReadAt(make([]byte, 10), 500)
			require.Equal(t, storage.Changed, storage.CodeOf(err), "%v", err)
			require.NoError(t, reader.Close())
		})
	}
}
