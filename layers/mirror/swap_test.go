package mirror_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// ownWriters are writers that each write an object of their own.
type ownWriters struct {
	// possibleTexts are the texts that the object of each writer may have. "" means that there is none.
	possibleTexts [][]string
	mu            sync.Mutex
	successes     int // writes after which the object can have only one text
}

func newOwnWriters(count int) *ownWriters {
	w := &ownWriters{possibleTexts: make([][]string, count)}
	for writer := range w.possibleTexts {
		w.possibleTexts[writer] = []string{""}
	}
	return w
}

// write lets some writers write until ctx ends. Their rounds begin with firstRound.
func (w *ownWriters) write(ctx context.Context, b storage.Bucket, writers []int, firstRound int) {
	var writing sync.WaitGroup
	for _, writer := range writers {
		writing.Go(func() {
			for round := firstRound; ctx.Err() == nil; round++ {
				texts := writeOwn(ctx, b, writer, round, w.possibleTexts[writer])
				w.possibleTexts[writer] = texts
				if len(texts) == 1 {
					w.mu.Lock()
					w.successes++
					w.mu.Unlock()
				}
				time.Sleep(time.Duration(150+writer) * time.Millisecond)
			}
		})
	}
	writing.Wait()
}

// Programs write through a mirror until its primary is gone, and then with the roles of the stores swapped. When the
// lost store is back, RepairAll makes the stores equal, and no successful write is lost.
func TestSwapLosesNoWrite(t *testing.T) {
	// All writers write before the swap, and half of them after it. Each writer has an object of its own.
	const count = 20 // of the writers
	var all, half []int
	for writer := range count {
		all = append(all, writer)
		if writer%2 == 0 {
			half = append(half, writer)
		}
	}
	const duration = 30 * time.Second // of the writes before the swap, and of those after it
	retry := storage.WithRetry(storage.RetryPolicy{Attempts: 3})
	config := mirror.Config{Stall: time.Second, Probe: 2 * time.Second}

	for _, seed := range []uint64{1, 2, 3} {
		synctest.Test(t, func(t *testing.T) {
			storeA := memstore.NewDriver(memstore.Config{})
			storeB := memstore.NewDriver(memstore.Config{})
			inA := faults.New()
			bucketA := engine.New(storeA, retry, driver.WithLayer(inA.Layer()))
			bucketB := engine.New(storeB, retry)
			writers := newOwnWriters(count)

			// Before the swap, storeA is the primary. With Sync, a write succeeds only if both stores have it.
			syncConfig := config
			syncConfig.Sync = true
			original := engine.New(storeA, retry, driver.WithLayer(inA.Layer()),
				driver.WithLayer(newLayer(t, bucketB, syncConfig)))
			_, err := mirror.RepairAll(t.Context(), original)
			require.NoError(t, err)

			// All writers write while storeA gets one fault after another, until it is gone.
			rules := []faults.Rule{
				faults.DropResponse(faults.Any).Chance(0.3, seed),
				faults.Fail(faults.Any).Chance(0.3, seed),
				faults.Stall(faults.Any).Chance(0.1, seed),
				faults.Fail(faults.Get),
				faults.Fail(faults.Any),
			}
			go func() {
				for _, rule := range rules {
					inA.Set(rule)
					time.Sleep(duration / time.Duration(len(rules)))
				}
			}()
			ctx, cancel := context.WithTimeout(t.Context(), duration)
			defer cancel()
			writers.write(ctx, original, all, 0)
			successesBefore := writers.successes
			require.Greater(t, successesBefore, count, "some writes succeeded")

			// Half of the writers write while storeB is the primary. The objects of the others stay as they were.
			swapped := engine.New(storeB, retry, driver.WithLayer(newLayer(t, bucketA, config)))
			ctx, cancel = context.WithTimeout(t.Context(), duration)
			defer cancel()
			const firstRound = 1000 // more than before the swap, so that the texts are new
			writers.write(ctx, swapped, half, firstRound)
			require.Greater(t, writers.successes, successesBefore+count, "some writes succeeded")

			// When storeA is back, RepairAll makes both stores equal.
			inA.Set()
			time.Sleep(2 * time.Hour) // longer than notes of writes in progress are kept
			_, err = mirror.RepairAll(t.Context(), swapped)
			require.NoError(t, err)
			state, err := mirror.Status(t.Context(), swapped)
			require.NoError(t, err)
			require.Equal(t, mirror.State{}, state)
			objects := contentsOf(t, engine.New(storeB))
			require.Equal(t, objects, contentsOf(t, engine.New(storeA)), "seed %d", seed)

			// Each object is as its writer has left it.
			for writer, texts := range writers.possibleTexts {
				require.Contains(t, texts, objects[fmt.Sprintf("own/%d", writer)], "seed %d", seed)
			}
		})
	}
}
