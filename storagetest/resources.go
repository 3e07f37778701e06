package storagetest

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/storagetest/internal/observe"
)

var memoryCases = []Case{
	{
		Name:        "writers filled in turn by one goroutine never wait for each other",
		Rule:        "W2",
		Explanation: "many writers share a limit of 8 parts: if only the caller could free memory, the next request is granted",
		Needs:       storage.MultipartUploads,
		run: func(t *T) {
			part := max(t.unit, 128<<10)
			writers := 40
			if part > 1<<20 {
				writers = 10 // each writer holds a part, and parts above 1 MiB take much memory
			}
			b := t.openLimited(faults.Limits{Disable: driver.StreamingPut, MaxPutSize: part, MinPartSize: part},
				storage.WithBufferLimit(&storage.BufferLimit{Max: 8 * part}))
			open := make([]*storage.Writer, writers)
			for i := range open {
				open[i] = storage.NewWriter(t.Context(), b, fmt.Sprintf("w%d", i), storage.WithPartSize(part))
			}
			text := body(part+1, 3)
			for i := 0; i < len(text); i += 64 << 10 {
				for _, w := range open {
					_, err := io.WriteString(w, text[i:min(i+64<<10, len(text))])
					require.NoError(t, err)
				}
			}
			for i, w := range open {
				_, err := w.Commit()
				require.NoError(t, err)
				require.NoError(t, w.Close())
				t.requireContent(b, fmt.Sprintf("w%d", i), text)
			}
		},
	},
	{
		Name:        "small streams cost little memory",
		Rule:        "W2",
		Explanation: "an upload of 1 KiB with unknown length never costs a buffer of a part, however many uploads there are",
		alone:       true, // it measures the allocations of the whole process
		run: func(t *T) {
			uploads := 1000
			if t.isRemote() {
				uploads = 100
			}
			b := t.open(storage.WithBufferLimit(&storage.BufferLimit{Max: 1 << 20}))
			text := body(1<<10, 1)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			var all sync.WaitGroup
			for i := range uploads {
				all.Go(func() {
					if _, err := b.Upload(t.Context(), fmt.Sprintf("small/%d", i), stream(text)); err != nil {
						t.Errorf("upload: %v", err)
					}
				})
			}
			all.Wait()
			runtime.ReadMemStats(&after)
			// The limit is 1 MiB for each upload. A buffer for the smallest part that S3 accepts
			// would need 5 MiB.
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(uploads)<<20)
			require.Len(t, t.keys(b), uploads)
		},
	},
	{
		Name:        "a small memory limit is enough for everything",
		Rule:        "W2",
		Explanation: "uploads and parallel downloads share 1 MiB with one slow upload, and all of them end",
		Needs:       storage.MultipartUploads,
		run: func(t *T) {
			b := t.openForParts(storage.WithBufferLimit(&storage.BufferLimit{Max: 1 << 20}))
			text := body(2*t.unit+1, 1)
			slow, feed := io.Pipe()
			errc := make(chan error, 1)
			go func() {
				_, err := b.Upload(t.Context(), "slow", slow, storage.WithPartSize(t.unit))
				_ = slow.CloseWithError(err) // the pipe has no reader after a failure
				errc <- err
			}()
			_, err := io.WriteString(feed, text[:t.unit+1])
			require.NoError(t, err)
			var all sync.WaitGroup
			for i := range 4 {
				key := string(rune('a' + i))
				all.Go(func() {
					_, err := b.Upload(t.Context(), key, stream(text), storage.WithPartSize(t.unit))
					if err != nil {
						t.Errorf("upload: %v", err)
						return
					}
					data, _, err := storage.ReadAll(t.Context(), b, key, storage.WithConcurrency(3))
					if err != nil || string(data) != text {
						t.Errorf("%d bytes, %v", len(data), err)
					}
				})
			}
			all.Wait()
			_, err = io.WriteString(feed, text[t.unit+1:])
			require.NoError(t, err)
			require.NoError(t, feed.Close())
			require.NoError(t, <-errc)
			t.requireContent(b, "slow", text)
		},
	},
	{
		Name:        "a failed transfer gives its memory back",
		Rule:        "W2",
		Explanation: "after many failures a bucket with little memory still works at full speed",
		Needs:       storage.MultipartUploads,
		run: func(t *T) {
			b := t.openForParts(
				storage.WithBufferLimit(&storage.BufferLimit{Max: 1 << 20}),
				storage.WithRetry(storage.RetryPolicy{Attempts: 1}),
			)
			text := body(2*t.unit+1, 1)
			t.faults.Set(faults.Fail(faults.PutPart))
			for range 5 {
				_, err := b.Upload(t.Context(), "a", stream(text), storage.WithPartSize(t.unit))
				t.requireCode(err, storage.Unavailable)
				_, err = b.Upload(t.Context(), "a", failing(text, errBoom), storage.WithPartSize(t.unit))
				require.Error(t, err)
			}
			t.faults.Set()
			_, err := b.Upload(t.Context(), "a", strings.NewReader(text), storage.WithPartSize(t.unit))
			require.NoError(t, err)
			t.requireContent(b, "a", text)
		},
	},
}

// leakCase checks for leaked goroutines after all other cases. Each case itself checks that its
// bucket has no open bodies.
var leakCase = Case{
	Name:        "nothing is left running",
	Rule:        "L1",
	Explanation: "no goroutine outlives its call: after all cases, with every bucket closed, there are as many as before",
}

func goroutines() goleak.Option { return goleak.IgnoreCurrent() }

// serverGoroutine is the function of a goroutine that this check ignores. If a server in the test's
// process refuses a request before the end of its body, net/http keeps the connection for half a
// second. The check does not wait that long.
const serverGoroutine = "net/http.(*conn).serve"

// requireNoGoroutines requires that no goroutine runs but those in baseline.
func requireNoGoroutines(t *testing.T, baseline goleak.Option) {
	t.Helper()
	if err := goleak.Find(baseline, goleak.IgnoreAnyFunction(serverGoroutine)); err != nil {
		t.Errorf("%s\n%v", leakCase.Explanation, err)
	}
}

const (
	slowObject = 11 << 20   // bytes: long enough to be read in parallel ranges
	slowRate   = 24_000_000 // bytes a second: much slower than a busy machine reads
)

// slowReadCases are cases about reads over a slow connection without WithConcurrency.
var slowReadCases = []Case{
	{
		Name:        "a slow read fetches parallel ranges",
		Rule:        "R6",
		Explanation: "a read without WithConcurrency that waits for its connection fetches parallel ranges; the bytes arrive in order, once, and verified",
		run: func(t *T) {
			b, text := t.openSlow()
			if b == nil {
				return
			}
			for name, read := range map[string]func() (string, error){
				"Read": func() (string, error) {
					got, _, err := storage.ReadAll(t.Context(), b, "a")
					return string(got), err
				},
				"WriteTo": func() (string, error) {
					reader, err := b.Download(t.Context(), "a")
					require.NoError(t, err)
					var got bytes.Buffer
					_, err = reader.WriteTo(&got)
					require.NoError(t, reader.Close())
					return got.String(), err
				},
				"DownloadFile": func() (string, error) {
					path := filepath.Join(t.TempDir(), "to")
					_, err := storage.DownloadFile(t.Context(), b, "a", path)
					require.NoError(t, err)
					return readFile(t, path), nil
				},
				"a range": func() (string, error) {
					got, _, err := storage.ReadAll(t.Context(), b, "a", storage.WithRange(1, -1))
					return text[:1] + string(got), err
				},
			} {
				// The library reads parallel ranges only if a read waits for its connection. On a
				// very busy machine, the read may never wait. The next attempt uses a slower
				// connection.
				serial := t.attrs(b, "a").Revision == ""
				for attempt := range 5 {
					t.faults.Set(faults.SlowBody(slowRate >> attempt))
					t.faults.Reset()
					got, err := read()
					require.NoError(t, err, name)
					requireSame(t, text, got)
					if serial || t.faults.Count(faults.Get) > 2 {
						break
					}
				}
				if serial {
					require.Equal(t, 1, t.faults.Count(faults.Get), "%s: requests", name)
				} else {
					require.Greater(t, t.faults.Count(faults.Get), 2, "%s: requests", name)
				}
				require.Zero(t, t.faults.OpenBodies(), name)
			}
		},
	},
	{
		Name:        "an ordered concurrency of 1 is one request",
		Rule:        "R6",
		Explanation: "WithConcurrency(1) reads one connection, however slow; so does a read of a few MiB without the option",
		run: func(t *T) {
			b, text := t.openSlow()
			if b == nil {
				return
			}
			t.faults.Reset()
			requireSame(t, text, t.get(b, "a", storage.WithConcurrency(1)))
			require.Equal(t, 1, t.faults.Count(faults.Get))
			t.faults.Reset()
			requireSame(t, text[:8<<20], t.get(b, "a", storage.WithRange(0, 8<<20)))
			require.Equal(t, 1, t.faults.Count(faults.Get))
		},
	},
	{
		Name:        "a slow read is closed in the middle",
		Rule:        "R6",
		Explanation: "Close stops parallel ranges that a read has begun by itself, and gives their memory back",
		run: func(t *T) {
			b, text := t.openSlow(storage.WithBufferLimit(&storage.BufferLimit{Max: 1 << 20}))
			if b == nil {
				return
			}
			for _, size := range []int64{1 << 20, 3 << 20, 5 << 20} {
				reader, err := b.Download(t.Context(), "a")
				require.NoError(t, err)
				_, err = io.CopyN(io.Discard, onlyReader{reader}, size)
				require.NoError(t, err)
				require.NoError(t, reader.Close())
				require.Zero(t, t.faults.OpenBodies(), "after %d bytes", size)
			}
			requireSame(t, text, t.get(b, "a"))
		},
	},
	{
		Name:        "an object that changes under a slow read is Changed",
		Rule:        "R2",
		Explanation: "every parallel range is of the first response's revision; if the object is replaced before one of them, the read is Changed or delivers that revision",
		run: func(t *T) {
			var other storage.Bucket
			text := body(slowObject, 1)
			t.faults.Set(faults.SlowBody(slowRate))
			b, other := t.openTwice(observe.BeforeCall("Get", 4, func() {
				t.put(other, "a", body(slowObject, 2))
			}))
			if !t.putIfFits(b, text) {
				return
			}
			got, _, err := storage.ReadAll(t.Context(), b, "a")
			if err == nil {
				requireSame(t, text, string(got)) // the provider may still return the old revision
				return
			}
			require.Equal(t, storage.Changed, storage.CodeOf(err), "%v", err)
		},
	},
}

// openSlow opens a bucket with a long object "a" that is read slowly, and returns its content. If
// the store cannot hold such an object, the bucket is nil.
func (t *T) openSlow(opts ...storage.OpenOption) (storage.Bucket, string) {
	t.Helper()
	// The fault is set before the bucket is opened, because otherwise the driver would declare Local,
	// and the engine would not expect slow reads.
	t.faults.Set(faults.SlowBody(slowRate))
	b := t.open(opts...)
	text := body(slowObject, 1)
	if !t.putIfFits(b, text) {
		return nil, ""
	}
	return b, text
}

// putIfFits stores the object "a" and returns true. If the store declares a limit that text exceeds,
// putIfFits requires the error TooLarge instead, and returns false.
func (t *T) putIfFits(b storage.Bucket, text string) bool {
	t.Helper()
	maxSize := t.desc.MaxSize
	if !t.has(storage.MultipartUploads) && t.desc.MaxPutSize > 0 {
		// Every upload is a single Put.
		maxSize = t.desc.MaxPutSize
	}
	isTooLarge := maxSize > 0 && int64(len(text)) > maxSize

	_, err := b.Upload(t.Context(), "a", strings.NewReader(text))
	if isTooLarge {
		t.requireCode(err, storage.TooLarge)
		return false
	}
	require.NoError(t, err)
	return true
}
