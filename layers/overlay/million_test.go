package overlay_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
)

// "make move-million" sets these variables of the environment. They are the number of objects to
// move, and a directory for the stores. Without a directory, the stores are in memory. The test
// takes minutes.
const (
	moveObjects = "OMNIBUCKET_MOVE_OBJECTS"
	moveDir     = "OMNIBUCKET_MOVE_DIR"
)

// No object is lost while many small objects move and 20 programs replace, remove and create some.
func TestManyObjectsMove(t *testing.T) {
	objects := intFromEnv(t, moveObjects, 2_000)
	newStore, oldStore, both := openForMany(t)
	putOld := func(ctx context.Context, n int) error {
		_, err := oldStore.Upload(ctx, name(n), strings.NewReader("old "+name(n)))
		return err
	}
	const concurrency = 8
	require.NoError(t, running.Each(t.Context(), objects, concurrency, putOld))

	// Run Finish while the programs write. Measure its time and memory.
	const programs = 20
	writers, endWriters := startWriters(t, both, objects, programs)
	heapBefore := heap()
	endWatch := watchHeap()
	start := time.Now()
	report, err := overlay.Finish(t.Context(), both, overlay.FinishConfig{})
	finishTime := time.Since(start).Round(time.Millisecond)
	heapPeak := endWatch()
	endWriters()
	require.NoError(t, err)
	require.Zero(t, report.Left+report.Markers)

	// Nothing is left in the old store.
	start = time.Now()
	remaining, err := overlay.Left(t.Context(), both)
	require.NoError(t, err)
	require.Zero(t, remaining)
	leftTime := time.Since(start).Round(time.Millisecond)

	// The new store has all objects as they were last written.
	writes := requireAll(t, newStore, objects, writers)

	runtime.GC()
	t.Logf("%d objects: %d copied in %v beside %d writes; Left took %v", objects, report.Copied, finishTime,
		writes, leftTime)
	t.Logf("heap: %d MiB before, at most %d, %d after", heapBefore>>20, heapPeak>>20, heap()>>20)
}

// startWriters starts programs that write to a bucket until the function end is called. Each
// program writes objects of its own.
func startWriters(t *testing.T, b storage.Bucket, objects, programs int) (writers []*ownWriter, end func()) {
	t.Helper()
	var writing sync.WaitGroup
	var stop atomic.Bool
	for i := range programs {
		w := &ownWriter{first: i, step: programs, objects: objects, written: map[int]string{}}
		writers = append(writers, w)
		writing.Go(func() {
			for !stop.Load() {
				if err := w.write(t.Context(), b); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	return writers, func() {
		stop.Store(true)
		writing.Wait()
	}
}

// name returns the key of the n-th object.
func name(n int) string { return fmt.Sprintf("%03d/%07d", n%1000, n) }

// openForMany opens a new store, an old store, and an overlay of the two. They are in memory, or in the directory
// that $OMNIBUCKET_MOVE_DIR names.
func openForMany(t *testing.T) (newStore, oldStore, both storage.Bucket) {
	t.Helper()
	dir := os.Getenv(moveDir)
	if dir == "" {
		old := memstore.New()
		d := memstore.NewDriver(memstore.Config{})
		both = engine.New(d, driver.WithLayer(newLayer(t, old, overlay.Config{})))
		return engine.New(d), old, both
	}
	open := func(name string, opts ...storage.OpenOption) storage.Bucket {
		b, err := local.Open(dir+"/"+name, local.Config{Create: true, NoSync: true}, opts...)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
		return b
	}
	oldStore = open("old")
	both = open("new", driver.WithLayer(newLayer(t, oldStore, overlay.Config{})))
	return open("new"), oldStore, both
}

// An ownWriter writes each step-th object, beginning with the first one. No other writer writes
// these objects.
type ownWriter struct {
	first   int
	step    int
	objects int            // number of all objects
	written map[int]string // what it has written, by number; "" if it has removed the object
	writes  int
}

// write removes, creates, replaces or reads one of the objects of the writer.
func (w *ownWriter) write(ctx context.Context, b storage.Bucket) error {
	n := w.first + w.step*rand.IntN((w.objects-w.first+w.step-1)/w.step)
	current, ok := w.written[n]
	if !ok {
		current = "old " + name(n)
	}
	w.writes++
	text := "newer " + strconv.Itoa(w.writes)
	switch rand.IntN(4) {
	case 0:
		w.written[n] = ""
		return b.Remove(ctx, name(n))
	case 1:
		_, err := b.Upload(ctx, name(n), strings.NewReader(text), storage.IfAbsent())
		if (err == nil) != (current == "") {
			return fmt.Errorf("%s was %q, and creating it: %w", name(n), current, err)
		}
		if err == nil {
			w.written[n] = text
		}
		return nil
	case 2:
		w.written[n] = text
		_, err := b.Upload(ctx, name(n), strings.NewReader(text))
		return err
	}
	data, _, err := storage.ReadAll(ctx, b, name(n))
	if err != nil && !errors.Is(err, storage.ObjectNotFound) {
		return err
	}
	if string(data) != current {
		return fmt.Errorf("%s is %q, and must be %q", name(n), data, current)
	}
	return nil
}

// requireAll requires that a bucket has all objects as the writers have written them, and returns
// the number of writes.
func requireAll(t *testing.T, b storage.Bucket, objects int, writers []*ownWriter) (writes int) {
	t.Helper()
	want := map[int]string{}
	for _, w := range writers {
		writes += w.writes
		for n, text := range w.written {
			want[n] = text
		}
	}
	require.NoError(t, running.Each(t.Context(), objects, 8, func(ctx context.Context, n int) error {
		text, ok := want[n]
		if !ok {
			text = "old " + name(n)
		}
		data, _, err := storage.ReadAll(ctx, b, name(n))
		if errors.Is(err, storage.ObjectNotFound) {
			err = nil
		}
		if err == nil && string(data) != text {
			err = fmt.Errorf("%s is %q, and must be %q", name(n), data, text)
		}
		return err
	}))

	// A listing has all objects that were not removed.
	for _, text := range want {
		if text == "" {
			objects--
		}
	}
	listed := 0
	for _, err := range b.List(t.Context()) {
		require.NoError(t, err)
		listed++
	}
	require.Equal(t, objects, listed)
	return writes
}

// heap returns how many bytes of the heap are in use.
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// watchHeap reads the size of the heap again and again. The function that it returns stops this,
// and returns the greatest size.
func watchHeap() (end func() uint64) {
	stop := make(chan struct{})
	peaks := make(chan uint64)
	go func() {
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		var peak uint64
		for {
			select {
			case <-ticker.C:
				peak = max(peak, heap())
			case <-stop:
				peaks <- max(peak, heap())
				return
			}
		}
	}()
	return func() uint64 {
		close(stop)
		return <-peaks
	}
}
