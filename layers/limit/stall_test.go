package limit_test

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/layers/limit"
	"github.com/omnibucket/storage/memstore"
)

// A farDriver says that it is not on this machine. So the engine limits the time that its bodies may take.
type farDriver struct{ driver.Driver }

func (d farDriver) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Local = false
	return desc
}

// A transfer that waits for the limit longer than RetryPolicy.Stall does not count as stalled.
func TestLimitIsNoStall(t *testing.T) {
	// Together the transfers take 96 seconds, so each one waits much longer than Stall.
	const (
		rate      = 64 << 10  // bytes in a second
		size      = 256 << 10 // bytes of each transfer
		transfers = 24
	)
	synctest.Test(t, func(t *testing.T) {
		layer := newLayer(t, limit.Config{Bytes: limit.Constant(limit.Rates{Download: rate})})
		policy := storage.RetryPolicy{Attempts: 1, Stall: time.Second}
		b := engine.New(farDriver{memstore.NewDriver(memstore.Config{})},
			driver.WithLayer(layer), storage.WithRetry(policy))
		_, err := b.Upload(t.Context(), "a", strings.NewReader(strings.Repeat("x", size)))
		require.NoError(t, err)

		start := time.Now()
		errs := make([]error, transfers)
		var reads sync.WaitGroup
		for i := range transfers {
			reads.Go(func() {
				_, _, errs[i] = storage.ReadAll(t.Context(), b, "a")
			})
		}
		reads.Wait()

		for _, err := range errs {
			require.NoError(t, err)
		}
		const tolerance = 1 // seconds
		require.InDelta(t, transfers*size/rate, time.Since(start).Seconds(), tolerance)
	})
}
