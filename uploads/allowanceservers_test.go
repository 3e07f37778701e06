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

// killerKey is the key of a *processKiller in the context of a process.
type killerKey struct{}

// killProcessOfContext is a layer of a bucket that several processes share. A call whose context
// has a processKiller counts as a call of the process that it kills.
func killProcessOfContext(next driver.Driver) driver.Driver {
	return driver.Intercept(next, func(ctx context.Context, _ string, next func(context.Context) error) error {
		if killer, ok := ctx.Value(killerKey{}).(*processKiller); ok {
			return killer.call(ctx, next)
		}
		return next(ctx)
	})
}

// Fifty processes accept and remove files of one user at the same time, in every way, and are
// killed at random. The user's files never exceed the allowance, and one Sweep makes the count of
// files exact. This holds on each store.
func TestAllowanceOfManyProcessesOnStores(t *testing.T) {
	for _, store := range append(backends, furtherBackends...) {
		for _, record := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, records: %v", store.name, record), func(t *testing.T) {
				bucket := store.open(
					t,
					driver.WithLayer(killProcessOfContext),
					storage.WithRetry(storage.RetryPolicy{Attempts: 1}),
				)
				acct := &account{t: t, shared: bucket, clock: &clock{}, hasRecords: record}
				acct.changeConfig = func(c *uploads.Config) {
					c.Rules = rules.Any(20_000)
				}

				// Run the processes at the same time, each with its own random numbers.
				const processes = 50
				var group running.Group
				for n := range processes {
					group.Go(func() {
						acct.runKilledProcesses(rand.New(rand.NewPCG(1, uint64(n))))
					}, nil)
				}
				group.Wait()

				// After one Sweep, the count is exact.
				late := acct.startProcess()
				acct.requireExactAfterSweep(late)

				// The user removes a file, and can store another one in its place.
				if keys, _ := acct.files(); len(keys) > 0 {
					require.NoError(t, late.service.Delete(t.Context(), keys[0], uploads.User{ID: alice}))
				}
				late.storeFile(t, content(1))
			})
		}
	}
}

// runKilledProcesses runs four processes, one after the other. Each starts one random operation, and is killed at a
// random call to the store, unless the operation ends before that call.
func (acct *account) runKilledProcesses(random *rand.Rand) {
	for range 4 {
		const mostCalls = 60 // about as many as the longest operation makes
		p := acct.startProcess()
		killer := &processKiller{atCall: 1 + random.IntN(mostCalls), afterCall: random.IntN(2) == 0}
		p.ctx = context.WithValue(p.ctx, killerKey{}, killer)

		keys, _ := acct.files()
		switch {
		case len(keys) > 2 && random.IntN(3) > 0:
			key := keys[random.IntN(len(keys))]
			_ = p.service.Delete(p.ctx, key, uploads.User{ID: alice})
		case random.IntN(10) == 0:
			_, _ = p.service.Sweep(p.ctx)
		default:
			method := sendMethods[random.IntN(len(sendMethods))]
			method.send(acct.t, p, content(500+random.IntN(3000)))
		}

		keys, bytes := acct.files()
		if bytes > allowedBytes || len(keys) > allowedFiles {
			acct.t.Errorf("%d bytes in %d files", bytes, len(keys))
		}
	}
}

// If a process is killed at any of its calls while it takes a file, the stored bytes stay within
// the allowance. One Sweep makes the count of files exact. This holds on real servers, too.
func TestFurtherAllowancesSurviveKillsOnServers(t *testing.T) {
	testserver.Further(t)
	minio := backends[2]
	for _, store := range append(furtherBackends, minio) {
		bucket := store.open(t, driver.WithLayer(killProcessOfContext), storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
		for _, method := range sendMethods {
			for _, afterCall := range []bool{killBefore, killAfter} {
				t.Run(fmt.Sprintf("%s, %s, after the call: %v", store.name, method.name, afterCall), func(t *testing.T) {
					acct := &account{t: t, shared: bucket}

					// Kill the process at call 1, 2 and so on, until a run ends before that call.
					for call, killer := range killAtEachCall(t, afterCall) {
						acct.useEmptyStore()
						other := acct.startProcess()
						other.storeFile(t, content(1000))

						// The process is killed while it takes a file. All processes have the same
						// bucket, so the killer is in the context of the process.
						victim := acct.startProcess()
						victim.ctx = context.WithValue(victim.ctx, killerKey{}, killer)
						method.send(t, victim, content(3000))
						acct.requireWithinAllowance(other, "killed at call %d", call)

						// Another process stores files until there is no room.
						for range 5 {
							tryToStore(t, other, content(2500))
						}
						acct.requireWithinAllowance(other, "killed at call %d", call)
						acct.requireExactAfterSweep(other, "killed at call %d", call)
					}
				})
			}
		}
	}
}
