package uploads_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

type endingKey struct{}

// ofItsProcess is a layer of a bucket that several processes share. Each has its ending in its context.
func ofItsProcess(next driver.Driver) driver.Driver {
	return driver.Intercept(next, func(ctx context.Context, _ string, next func(context.Context) error) error {
		if d, ok := ctx.Value(endingKey{}).(*ending); ok {
			return d.call(ctx, next)
		}
		return next(ctx)
	})
}

// On each store, fifty processes accept and remove files of one user in every way, and are killed at random. The files
// never exceed the allowance, and one Sweep makes the count exact.
func TestAllowanceOfManyProcessesOnStores(t *testing.T) {
	for _, store := range append(backends, furtherBackends...) {
		for _, record := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, records: %v", store.name, record), func(t *testing.T) {
				b := store.open(t, driver.WithLayer(ofItsProcess), storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
				a := &account{t: t, shared: b, now: &clock{}, record: record}
				a.change = func(c *uploads.Config) {
					c.Rules = rules.Any(20_000)
				}
				var processes running.Group
				for n := range 50 {
					processes.Go(func() {
						a.live(rand.New(rand.NewPCG(1, uint64(n))))
					}, nil)
				}
				processes.Wait()

				watcher := a.process()
				a.isExactAfterASweep(watcher)
				require.Empty(t, everyWay[0].send(t, watcher, content(1)))
			})
		}
	}
}

// live does what several processes do, one after the other.
func (a *account) live(random *rand.Rand) {
	for range 4 {
		p := a.process()
		p.ctx = context.WithValue(p.ctx, endingKey{}, &ending{at: 1 + random.IntN(60), after: random.IntN(2) == 0})
		listed, _ := a.files()
		switch {
		case len(listed) > 2 && random.IntN(3) > 0:
			_ = p.service.Delete(p.ctx, listed[random.IntN(len(listed))], uploads.User{ID: alice})
		case random.IntN(10) == 0:
			_, _ = p.service.Sweep(p.ctx)
		default:
			everyWay[random.IntN(len(everyWay))].send(a.t, p, content(500+random.IntN(3000)))
		}
		keys, bytes := a.files()
		if bytes > allowedBytes || len(keys) > allowedFiles {
			a.t.Errorf("%d bytes in %d files", bytes, len(keys))
		}
	}
}

// The tests that kill a process at each of its calls in turn also pass against real servers.
func TestFurtherAllowancesSurviveKillsOnServers(t *testing.T) {
	testserver.Further(t)
	for _, store := range append(furtherBackends, backends[2]) { // our S3 server and MinIO
		b := store.open(t, driver.WithLayer(ofItsProcess), storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
		for _, w := range everyWay {
			t.Run(store.name+", "+w.name, func(t *testing.T) {
				a := &account{t: t, shared: b}
				for i, alive := 1, false; !alive; i++ {
					require.Less(t, i, 160)
					a.renew()
					d := &ending{at: (i + 1) / 2, after: i%2 == 0} // before each call, and after it
					other := a.process()
					mortal := a.process()
					require.Empty(t, everyWay[0].send(t, other, content(1000)))

					mortal.ctx = context.WithValue(mortal.ctx, endingKey{}, d)
					w.send(t, mortal, content(3000))
					a.keepsWithin(other, "killed at call %d", i)

					for range 5 {
						everyWay[0].send(t, other, content(2500))
					}
					a.keepsWithin(other, "killed at call %d", i)
					a.isExactAfterASweep(other, "killed at call %d", i)
					alive = !d.reached()
				}
			})
		}
	}
}
