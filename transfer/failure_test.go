package transfer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/internal/testing/wrapped"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/transfer"
)

// numberedKeys returns n keys, in order.
func numberedKeys(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("%05d", i)
	}
	return keys
}

// After a failure, a job continues with the other files. A repeated job transfers only the failed
// ones.
func TestJobContinuesAfterFailures(t *testing.T) {
	const files = 20
	injector := faults.New(
		faults.Fail(faults.Put).ForKey("00003").WithError(storage.PermissionDenied),
		faults.Fail(faults.Put).ForKey("00007").WithError(storage.Locked),
	)
	dst := memstore.New(driver.WithLayer(injector.Layer()))
	src := newFilledBucket(t, numberedKeys(files))

	var failures []string
	collectFailures := transfer.WithChanges(func(c transfer.Change) {
		if c.Action == transfer.Failed {
			failures = append(failures, c.Key)
			require.Error(t, c.Err)
		}
	})

	report, err := transfer.Copy(t.Context(), dst, src, transfer.WithConcurrency(1), collectFailures)
	require.ErrorIs(t, err, storage.PermissionDenied)
	require.ErrorIs(t, err, storage.Locked)
	require.Equal(t, []string{"00003", "00007"}, failures)
	require.Equal(t, int64(files-2), report.Transferred)
	require.Equal(t, int64(2), report.Failed)
	require.Len(t, report.Failures, 2)
	require.Contains(t, report.String(), "2 failed")
	require.Contains(t, report.String(), `"00003": storage: Copy "00003"`)

	// The repeated job transfers the files that have failed.
	injector.Set()
	report, err = transfer.Copy(t.Context(), dst, src)
	require.NoError(t, err)
	require.Equal(t, int64(2), report.Transferred)
	require.Equal(t, int64(files-2), report.Skipped)
}

// If one request fails, Copy either succeeds completely, or reports what it has transferred. In the
// second case, it succeeds when it is repeated.
func TestJobFaultAtAnyCall(t *testing.T) {
	const lastCall = 12 // of the calls of the store that get a fault, one in each case
	src := newFilledBucket(t, numberedKeys(5))
	for n := 1; n <= lastCall; n++ {
		t.Run(fmt.Sprintf("fault at call %d", n), func(t *testing.T) {
			injector := faults.New(faults.Fail(faults.Reads | faults.Writes).Nth(n).WithError(storage.Internal))
			dst := memstore.New(driver.WithLayer(injector.Layer()))

			report, err := transfer.Copy(t.Context(), dst, src, transfer.WithConcurrency(1))
			injector.Set() // no more faults

			if err != nil {
				require.Equal(t, report.Transferred, int64(len(contents(t, dst))))

				// The repeated job copies the rest.
				_, err = transfer.Copy(t.Context(), dst, src)
				require.NoError(t, err)
			}
			require.Equal(t, contents(t, src), contents(t, dst))
		})
	}
}

// A report keeps a thousand failures, and its text shows ten of them.
func TestReportKeepsAThousandFailures(t *testing.T) {
	const (
		files       = 1500
		maxFailures = 1000
		shownLines  = 1 + 10 + 1 // the counts, ten failures, and how many more there are
	)
	src := newFilledBucket(t, numberedKeys(files))
	injector := faults.New(faults.Fail(faults.Put).WithError(storage.PermissionDenied))
	dst := memstore.New(driver.WithLayer(injector.Layer()))

	report, err := transfer.Copy(t.Context(), dst, src)
	require.ErrorIs(t, err, storage.PermissionDenied)
	require.Less(t, len(err.Error()), 1000)
	require.Equal(t, int64(files), report.Failed)
	require.Len(t, report.Failures, maxFailures)
	require.Len(t, strings.Split(report.String(), "\n"), shownLines)
}

// newSlowBucket returns a bucket in which each Put takes the time d.
func newSlowBucket(d time.Duration) storage.Bucket {
	return memstore.New(driver.WithLayer(faults.New(faults.Delay(faults.Put, d)).Layer()))
}

// A job ends as soon as ctx is done, and does not count interrupted transfers as failed.
func TestJobEndsWhenCtxIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const timeout, putDelay, concurrency = 25 * time.Second, 10 * time.Second, 4
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		src := newFilledBucket(t, numberedKeys(100))
		dst := newSlowBucket(putDelay)
		start := time.Now()

		report, err := transfer.Copy(ctx, dst, src, transfer.WithConcurrency(concurrency), transfer.WithDelete())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, storage.DeadlineExceeded, storage.CodeOf(err))
		require.Equal(t, timeout, time.Since(start))
		require.Equal(t, int64(2*concurrency), report.Transferred, "two for each parallel request")
		require.Zero(t, report.Failed)
	})
}

// WithDelete removes nothing after ctx is done.
func TestWithDeleteCtxIsDone(t *testing.T) {
	src := newFilledBucket(t, []string{"a", "b"})
	dst := newFilledBucket(t, []string{"spare"})
	ctx, cancel := context.WithCancel(t.Context())
	cancelAtFirstChange := transfer.WithChanges(func(transfer.Change) {
		cancel()
	})

	report, err := transfer.Copy(ctx, dst, src, transfer.WithDelete(), cancelAtFirstChange)
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, report.Deleted)
	require.Contains(t, contents(t, dst), "spare")
}

// A concurrencyMeter measures how many requests that store bytes run at once. However fast the
// machine is, each of them waits until a second one runs, unless onlyOne is set.
type concurrencyMeter struct {
	onlyOne bool
	paired  chan struct{} // closed by the second request that runs at once

	mu      sync.Mutex
	current int
	peak    int
}

// layer returns d with a layer that counts the requests that store bytes. Each of them waits until
// two run at once, unless onlyOne is set.
func (m *concurrencyMeter) layer(d driver.Driver) driver.Driver {
	return driver.Intercept(d, func(ctx context.Context, call string, next func(context.Context) error) error {
		if call != "Put" && call != "PutPart" {
			return next(ctx)
		}
		m.begin()
		defer m.end()
		if !m.onlyOne {
			<-m.paired
		}
		return next(ctx)
	})
}

// begin counts a request as running.
func (m *concurrencyMeter) begin() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.current++
	if m.current == 2 && m.peak < 2 {
		close(m.paired)
	}
	m.peak = max(m.peak, m.current)
}

func (m *concurrencyMeter) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.current--
}

// WithConcurrency limits the number of parallel requests for files and parts together.
func TestWithConcurrencyLimitsFilesAndParts(t *testing.T) {
	testserver.Slow(t)
	for _, concurrency := range []int{1, 3, 16} {
		t.Run(fmt.Sprint(concurrency), func(t *testing.T) {
			// The tree has two files that are sent in parts, and fifty small ones.
			tree := &hostileTree{dir: t.TempDir()}
			tree.plantLarge(t, "large-1", 40<<20)
			tree.plantLarge(t, "large-2", 40<<20)
			for _, key := range numberedKeys(50) {
				tree.plantFile(t, key, key)
			}

			// The meter measures how many requests run at once. If concurrency is more than one,
			// the first request waits until a second one has begun.
			meter := &concurrencyMeter{onlyOne: concurrency == 1, paired: make(chan struct{})}
			onlyParts := driver.WithLayer(func(d driver.Driver) driver.Driver { return withoutStreaming{d} })
			bucket := memstore.New(onlyParts, driver.WithLayer(meter.layer))

			_, err := transfer.Upload(t.Context(), bucket, tree.dir, transfer.WithConcurrency(concurrency))
			require.NoError(t, err)
			require.LessOrEqual(t, meter.peak, concurrency)
			if concurrency > 1 {
				require.Greater(t, meter.peak, 1)
			}
		})
	}
}

// A withoutStreaming driver accepts large bodies only in parts, like drivers of clouds.
type withoutStreaming struct{ driver.Driver }

func (p withoutStreaming) Describe() driver.Description {
	d := p.Driver.Describe()
	d.Features &^= driver.StreamingPut
	return d
}

// requireNoDecrease requires that the numbers of files and bytes never decrease, and never exceed
// their totals. It also requires that no event follows one that has Done set.
func requireNoDecrease(t *testing.T, events []transfer.Progress) {
	t.Helper()
	var last transfer.Progress
	for _, p := range events {
		require.GreaterOrEqual(t, p.Files, last.Files)
		require.GreaterOrEqual(t, p.Bytes, last.Bytes)
		require.LessOrEqual(t, p.Files, p.TotalFiles)
		require.LessOrEqual(t, p.Bytes, p.TotalBytes)
		require.False(t, last.Done)
		last = p
	}
}

// The function of WithProgress is called at most ten times a second and once more at the end. Its
// numbers never decrease.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const (
			files       = 200
			fileBytes   = 5
			putDelay    = 50 * time.Millisecond
			concurrency = 2
		)
		src := newFilledBucket(t, numberedKeys(files))

		// Each Put takes a while, and the Put of one file fails.
		injector := faults.New(
			faults.Fail(faults.Put).ForKey("00100").WithError(storage.Locked),
			faults.Delay(faults.Put, putDelay),
		)
		dst := memstore.New(driver.WithLayer(injector.Layer()))

		var events []transfer.Progress
		var calling sync.Mutex // held during a call
		progress := transfer.WithProgress(func(p transfer.Progress) {
			require.True(t, calling.TryLock(), "calls overlap")
			defer calling.Unlock()
			events = append(events, p)
		})

		start := time.Now()
		_, err := transfer.Copy(t.Context(), dst, src, transfer.WithConcurrency(concurrency), progress)
		require.ErrorIs(t, err, storage.Locked)

		took := time.Since(start)
		require.LessOrEqual(t, len(events), int(took/(100*time.Millisecond))+1,
			"ten times a second, and once at the end")
		require.Greater(t, len(events), 10)

		requireNoDecrease(t, events)

		// The last event has the final numbers: all files are done, and the bytes of all but one are stored.
		last := events[len(events)-1]
		require.True(t, last.Done)
		require.True(t, last.Listed)
		require.Equal(t, int64(files), last.Files)
		require.Equal(t, int64(files), last.TotalFiles)
		require.Equal(t, int64(1), last.Failed)
		require.Equal(t, int64((files-1)*fileBytes), last.Bytes)
		require.Equal(t, last.Bytes, last.TotalBytes)
		require.NotEmpty(t, last.Current)

		// In the middle of the job, the rate is about the 200 bytes per second that the delay of each Put permits.
		const tolerance = 30
		middle := events[len(events)/2]
		bytesPerSecond := concurrency * fileBytes / putDelay.Seconds()
		require.InDelta(t, bytesPerSecond, middle.Rate, tolerance)
	})
}

// The methods of an ownCore return errors of another type than *storage.Error.
type ownCore struct{ storage.Core }

var errQuota = errors.New("the quota of user 7 is used up")

func (ownCore) Upload(context.Context, string, io.Reader, *storage.UploadOptions) (*storage.Attrs, error) {
	return nil, errQuota
}

// Each error in the failures or the changes of a report is a *storage.Error, even if the bucket
// returns an error of another type.
func TestFailureIsAnErrorOfStorage(t *testing.T) {
	// Upload of this bucket fails with errQuota, which is no *storage.Error.
	b := wrapped.Bucket(t, memstore.New(), func(c storage.Core) storage.Core { return ownCore{c} })

	var changeErr error
	changes := transfer.WithChanges(func(c transfer.Change) {
		changeErr = c.Err
	})

	report, err := transfer.Upload(t.Context(), b, newTree(t, map[string]string{"a": "x"}), changes)
	require.ErrorIs(t, err, errQuota)

	var storageErr *storage.Error
	require.ErrorAs(t, report.Failures[0].Err, &storageErr)
	require.Equal(t, "a", storageErr.Key)
	require.Equal(t, storage.Internal, storageErr.Code)
	require.Equal(t, storageErr, changeErr)
}

// A report counts the bytes that were stored, even if a file has grown since the job listed its
// directory.
func TestReportBytes(t *testing.T) {
	const totalBytes = 5 + 10 // of the file "a", and of "log" after it has grown
	tests := []struct {
		name string
		dst  transfer.End
	}{
		{name: "in a bucket", dst: transfer.Bucket(memstore.New())},
		{name: "in a directory", dst: transfer.Dir(t.TempDir())},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := newTree(t, map[string]string{"a": "12345", "log": "12345"})
			sizes := map[string]int64{}

			// The file "log" grows once the job has stored "a".
			growLog := transfer.WithChanges(func(c transfer.Change) {
				sizes[c.Key] = c.Bytes
				if c.Key == "a" {
					appendTo(t, filepath.Join(dir, "log"), "67890")
				}
			})

			var last transfer.Progress
			progress := transfer.WithProgress(func(p transfer.Progress) {
				require.LessOrEqual(t, p.Bytes, p.TotalBytes)
				last = p
			})

			report, err := transfer.Sync(t.Context(), tt.dst, transfer.Dir(dir),
				transfer.WithConcurrency(1), progress, growLog)
			require.NoError(t, err)

			require.Equal(t, map[string]int64{"a": 5, "log": 10}, sizes)
			require.Equal(t, int64(totalBytes), report.Bytes)
			require.Equal(t, int64(totalBytes), last.Bytes)
			require.Equal(t, int64(totalBytes), last.TotalBytes)
		})
	}
}

// The report of a job without files says that nothing was transferred.
func TestReportOfNothing(t *testing.T) {
	report, err := transfer.Copy(t.Context(), memstore.New(), memstore.New())
	require.NoError(t, err)
	require.Contains(t, report.String(), "0 transferred (0 B), 0 the same in")
	require.Zero(t, (&transfer.Report{}).Rate())
}

// A job with a bucket that does not exist fails with BucketNotFound.
func TestJobMissingBucket(t *testing.T) {
	service := memstore.NewService(memstore.ServiceConfig{})
	missing, err := service.Bucket("none")
	require.NoError(t, err)

	_, err = transfer.Upload(t.Context(), missing, newTree(t, map[string]string{"a": "x"}))
	require.ErrorIs(t, err, storage.BucketNotFound)
	var storageErr *storage.Error
	require.ErrorAs(t, err, &storageErr)
}
