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

// Programs write with Sync until the primary is gone; others then write with swapped roles. When the first store
// is back, RepairAll makes both equal, and no successful write is lost.
func TestSwapLosesNoWrite(t *testing.T) {
	for _, seed := range []uint64{1, 2, 3} {
		synctest.Test(t, func(t *testing.T) {
			const writers = 20
			former := memstore.NewDriver(memstore.Config{})
			latter := memstore.NewDriver(memstore.Config{})
			ofFormer := faults.New()
			patience := storage.WithRetry(storage.RetryPolicy{Attempts: 3})
			mirrorOf := func(first, second driver.Driver, inFirst, inSecond *faults.Injector) storage.Bucket {
				other := engine.New(second, patience, driver.WithLayer(inSecond.Layer()))
				layer := newLayer(t, other, mirror.Config{
					Sync:  inFirst == ofFormer,
					Stall: time.Second,
					Probe: 2 * time.Second,
				})
				return engine.New(first, patience, driver.WithLayer(inFirst.Layer()), driver.WithLayer(layer))
			}
			texts := make([][]string, writers) // what each writer's object may be; "" is gone
			for writer := range texts {
				texts[writer] = []string{""}
			}

			// write lets one writer in each step write for 30 seconds, and calls the function during in the meantime.
			// The rounds of a writer begin with firstRound.
			succeeded := 0
			write := func(b storage.Bucket, firstRound, step int, during func()) {
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				var all sync.WaitGroup
				var mu sync.Mutex
				for writer := 0; writer < writers; writer += step {
					all.Go(func() {
						for round := firstRound; ctx.Err() == nil; round++ {
							texts[writer] = writeOwn(ctx, b, writer, round, texts[writer])
							mu.Lock()
							if len(texts[writer]) == 1 {
								succeeded++
							}
							mu.Unlock()
							time.Sleep(time.Duration(150+writer) * time.Millisecond)
						}
					})
				}
				during()
				all.Wait()
			}

			// Programs write while the primary breaks, until it is gone.
			ofBoth := mirrorOf(former, latter, ofFormer, faults.New())
			_, err := mirror.RepairAll(t.Context(), ofBoth)
			require.NoError(t, err)
			write(ofBoth, 0, 1, func() {
				rules := []faults.Rule{
					faults.DropResponse(faults.Any).Chance(0.3, seed),
					faults.Fail(faults.Any).Chance(0.3, seed),
					faults.Stall(faults.Any).Chance(0.1, seed),
					faults.Fail(faults.Get),
					faults.Fail(faults.Any),
				}
				for _, rule := range rules {
					ofFormer.Set(rule)
					time.Sleep(6 * time.Second)
				}
			})
			writes := succeeded
			require.Greater(t, writes, writers, "some writes succeeded")

			// Half of the writers write while primary and second store have swapped roles. The objects of the other
			// writers stay as they were.
			swapped := mirrorOf(latter, former, faults.New(), ofFormer)
			write(swapped, 1000, 2, func() {})
			require.Greater(t, succeeded, writes+writers, "some writes succeeded")

			// The first store is back.
			ofFormer.Set()
			time.Sleep(2 * time.Hour)
			_, err = mirror.RepairAll(t.Context(), swapped)
			require.NoError(t, err)

			state, err := mirror.Status(t.Context(), swapped)
			require.NoError(t, err)
			require.Equal(t, mirror.State{}, state)

			objects := contentsOf(t, engine.New(latter))
			require.Equal(t, objects, contentsOf(t, engine.New(former)), "seed %d", seed)
			for writer := range writers {
				require.Contains(t, texts[writer], objects[fmt.Sprintf("own/%d", writer)], "seed %d", seed)
			}
		})
	}
}
