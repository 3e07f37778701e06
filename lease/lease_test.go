package lease_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/wrapped"
	"github.com/omnibucket/storage/lease"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/storagetest/faults"
)

const key = "locks/a"

// A leaseProcess is the Core of a bucket that is opened by one process. It dies at a call, or stalls. A call of a dead
// process has no effect.
type leaseProcess struct {
	storage.Core
	bucket storage.Bucket // through this Core

	dieAt       int  // the number of the call at which it dies; 0 for never
	afterEffect bool // it dies after that call has taken effect
	lost        bool // it does not die: only the response of that call is lost

	mu      sync.Mutex
	calls   int
	dead    bool
	stalled chan struct{} // calls wait until it is closed, or for the end of ctx
}

// newProcess returns a process that uses b and dies only by die.
func newProcess(t *testing.T, b storage.Bucket) *leaseProcess {
	t.Helper()
	return (&leaseProcess{}).open(t, b)
}

// open opens b for the process, whose calls then count.
func (p *leaseProcess) open(t *testing.T, b storage.Bucket) *leaseProcess {
	t.Helper()
	p.bucket = wrapped.Bucket(t, b, func(c storage.Core) storage.Core {
		p.Core = c
		return p
	})
	return p
}

var errDead = &storage.Error{Code: storage.Unavailable, Unknown: true, Err: errors.New("connection reset")}

// call makes one call, unless the process is dead. A call of a stalled process waits until the process resumes.
func (p *leaseProcess) call(ctx context.Context, do func() error) error {
	p.mu.Lock()
	p.calls++
	isFatal := p.calls == p.dieAt
	wasDead := p.dead
	if isFatal && !p.lost {
		p.dead = true
	}
	stalled := p.stalled
	p.mu.Unlock()

	if stalled != nil {
		select {
		case <-stalled:
		case <-ctx.Done():
			return &storage.Error{Code: storage.CodeOf(context.Cause(ctx)), Unknown: true, Err: ctx.Err()}
		}
	}
	if wasDead {
		return errDead
	}

	if !isFatal {
		return do()
	}
	if p.afterEffect {
		_ = do() // its response is lost
	}
	return errDead
}

// die kills the process.
func (p *leaseProcess) die() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = true
}

// stall makes each call of the process wait until resume is called.
func (p *leaseProcess) stall() (resume func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	stalled := make(chan struct{})
	p.stalled = stalled
	return func() {
		close(stalled)
	}
}

// Upload uploads as the Core does, unless the process is dead.
func (p *leaseProcess) Upload(
	ctx context.Context, key string, body io.Reader, o *storage.UploadOptions,
) (*storage.Attrs, error) {
	var attrs *storage.Attrs
	err := p.call(ctx, func() (err error) {
		attrs, err = p.Core.Upload(ctx, key, body, o)
		return err
	})
	return attrs, err
}

// Download downloads as the Core does, unless the process is dead.
func (p *leaseProcess) Download(ctx context.Context, key string, o *storage.DownloadOptions) (*storage.Reader, error) {
	var r *storage.Reader
	err := p.call(ctx, func() (err error) {
		r, err = p.Core.Download(ctx, key, o)
		return err
	})
	return r, err
}

// Remove removes as the Core does, unless the process is dead.
func (p *leaseProcess) Remove(ctx context.Context, key string, o *storage.RemoveOptions) error {
	return p.call(ctx, func() error { return p.Core.Remove(ctx, key, o) })
}

// A holderChecker checks that no holder begins before the context of each earlier one has ended, and that tokens
// grow.
type holderChecker struct {
	t        *testing.T
	realTime bool // the machine may be too busy to end a context in time

	mu      sync.Mutex
	last    context.Context // of the last holder
	token   int64
	holders int
}

// begin records that a process has acquired the lease l.
func (c *holderChecker) begin(l *lease.Lease) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.realTime && c.last != nil && c.last.Err() == nil {
		c.t.Error("two hold the lease")
	}
	if l.Token() <= c.token {
		c.t.Errorf("token %d after %d", l.Token(), c.token)
	}
	c.last = l.Context()
	c.token = l.Token()
	c.holders++
}

// stores has a function for each kind of store. The function makes a bucket, and returns a function that opens this
// bucket again.
var stores = []struct {
	name string
	open func(t *testing.T) func() storage.Bucket
}{
	{
		name: "memory",
		open: func(*testing.T) func() storage.Bucket {
			bucket := memstore.New()
			return func() storage.Bucket { return bucket }
		},
	},
	{
		name: "directory",
		open: func(t *testing.T) func() storage.Bucket {
			dir := filepath.Join(t.TempDir(), "bucket")
			return func() storage.Bucket {
				bucket, err := local.Open(dir, local.Config{Create: true, NoSync: true})
				require.NoError(t, err)
				return bucket
			}
		},
	},
}

// readText returns the content of the object of the lease, or "" without one.
func readText(t *testing.T, bucket storage.Bucket) string {
	data, _, err := storage.ReadAll(context.WithoutCancel(t.Context()), bucket, key)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return ""
	}
	require.NoError(t, err)
	return string(data)
}

// There is one holder at a time while processes release, die and stall at random, and others wait.
func TestLeaseHasOneHolder(t *testing.T) {
	const workers, rounds, seeds = 6, 8, 3
	for _, store := range stores {
		for seed := range uint64(seeds) {
			t.Run(store.name, func(t *testing.T) {
				openAgain := store.open(t) // opens one bucket for each process
				synctest.Test(t, func(t *testing.T) {
					checker := &holderChecker{t: t} // fails the test if two hold the lease
					var group sync.WaitGroup
					for worker := range uint64(workers) {
						random := rand.New(rand.NewPCG(seed, worker))
						group.Go(func() {
							for range rounds {
								holdAtRandom(t, newProcess(t, openAgain()), checker, random)
							}
						})
					}
					group.Wait()

					// Each worker was the holder in each round.
					require.Equal(t, workers*rounds, checker.holders)
				})
			})
		}
	}
}

// holdAtRandom acquires the lease. The process then dies, or it stalls or works for up to 30 seconds and releases the
// lease.
func holdAtRandom(t *testing.T, process *leaseProcess, checker *holderChecker, random *rand.Rand) {
	const ttl = 12 * time.Second
	l, err := lease.Acquire(t.Context(), process.bucket, key, lease.WithTTL(ttl))
	if err != nil {
		t.Error(err)
		return
	}
	checker.begin(l)

	switch random.IntN(4) {
	case 0:
		process.die()
		<-l.Context().Done()
	case 1:
		resume := process.stall()
		time.Sleep(time.Duration(random.IntN(30)) * time.Second)
		resume()
	default:
		time.Sleep(time.Duration(random.IntN(30_000)) * time.Millisecond)
	}
	// Release fails if the lease is lost.
	_ = l.Release()
}

// After a process was killed at any of its calls, or a request or response was lost, another process acquires the lease
// within 66 seconds. Its token is greater, except with WithRemoval.
func TestLeaseKilledAtEveryCall(t *testing.T) {
	options := []struct {
		name          string
		opts          []lease.Option
		tokensRestart bool // whether tokens start over, because Release removes the object
	}{
		{name: "plain"},
		{name: "with an interval", opts: []lease.Option{lease.WithInterval(time.Second)}},
		{name: "with handover", opts: []lease.Option{lease.WithHandover()}},
		{name: "with removal", opts: []lease.Option{lease.WithRemoval()}, tokensRestart: true},
	}
	deaths := []struct {
		name        string
		afterEffect bool // whether the call has taken effect
		lost        bool // whether only the request or the response is lost, and the process lives on
	}{
		{name: "before the call"},
		{name: "after the call", afterEffect: true},
		{name: "the request is lost", lost: true},
		{name: "the response is lost", afterEffect: true, lost: true},
	}
	for _, tt := range options {
		for _, death := range deaths {
			t.Run(tt.name+"/"+death.name, func(t *testing.T) {
				// The process dies at each of its calls in turn, until it ends before that call.
				for dieAt := 1; ; dieAt++ {
					process := &leaseProcess{
						dieAt:       dieAt,
						afterEffect: death.afterEffect,
						lost:        death.lost,
					}
					requireNextHolder(t, process, tt.tokensRestart, tt.opts)
					hasEndedBefore := process.calls < dieAt
					if hasEndedBefore {
						break
					}
				}
			})
		}
	}
}

// requireNextHolder requires that another process acquires the lease within 66 seconds after process has held it, and
// may have died. Its token must be greater, unless tokensRestart is true.
func requireNextHolder(t *testing.T, process *leaseProcess, tokensRestart bool, opts []lease.Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		bucket := memstore.New()
		process.open(t, bucket)
		token, err := holdUntilLost(t, process, opts...)

		// A process that met no fault must have succeeded, and one that has got the lease and did not die.
		metFault := process.calls >= process.dieAt
		survivedAsHolder := process.lost && token > 0
		if !metFault || survivedAsHolder {
			require.NoError(t, err, "call %d", process.dieAt)
		}

		start := time.Now()
		next, err := lease.Acquire(t.Context(), bucket, key, opts...)
		require.NoError(t, err)
		require.LessOrEqual(t, time.Since(start), 66*time.Second, "call %d", process.dieAt)
		if !tokensRestart {
			require.Greater(t, next.Token(), token)
		}
		require.NoError(t, next.Release())
	})
}

// holdUntilLost holds the lease for 50 seconds or until it is lost. The token is 0 if it was not acquired.
func holdUntilLost(t *testing.T, process *leaseProcess, opts ...lease.Option) (token int64, err error) {
	t.Helper()
	l, err := lease.Acquire(t.Context(), process.bucket, key, opts...)
	if err != nil {
		return 0, err
	}
	select {
	case <-l.Context().Done():
		require.ErrorIs(t, context.Cause(l.Context()), storage.Changed)
	case <-time.After(50 * time.Second):
	}
	return l.Token(), l.Release()
}

// A holder that stalls for too long loses its lease, and cannot release it.
func TestHoldStalledLosesTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bucket := memstore.New()
		p := newProcess(t, bucket)
		checker := &holderChecker{t: t}
		stalled, err := lease.Acquire(t.Context(), p.bucket, key)
		require.NoError(t, err)
		checker.begin(stalled)

		// Another process acquires the lease while the holder stalls.
		resume := p.stall()
		other, err := lease.Acquire(t.Context(), bucket, key)
		require.NoError(t, err)
		checker.begin(other)
		require.ErrorIs(t, context.Cause(stalled.Context()), storage.Changed)

		// The former holder cannot release the lease of the other process.
		resume()
		textBefore := readText(t, bucket)
		require.ErrorIs(t, stalled.Release(), storage.Changed)
		require.ErrorIs(t, stalled.Release(), storage.Changed, "a second call must return the same error")
		require.Equal(t, textBefore, readText(t, bucket), "the lease of the other process must stay")
		require.NoError(t, other.Release())
	})
}

// The token of a former holder is too low for a resource that accepts only the highest token. The former holder was
// paused, and does not know that it has lost the lease.
func TestTokenFencesAFormerHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bucket := memstore.New()

		// The resource refuses each token that is lower than one it has accepted.
		highest := int64(0)
		write := func(token int64) bool {
			highest = max(highest, token)
			return token == highest
		}

		// The first holder is paused: none of its calls reaches the bucket any more.
		process := newProcess(t, bucket)
		paused, err := lease.Acquire(t.Context(), process.bucket, key)
		require.NoError(t, err)
		process.die()

		// Another one acquires the lease, and writes.
		require.NoError(t, lease.Hold(t.Context(), bucket, key, func(ctx context.Context) error {
			require.True(t, write(lease.FromContext(ctx).Token()))
			return nil
		}))

		// The former holder wakes up, and its token is now too low.
		require.False(t, write(paused.Token()))

		// Release ends the goroutine of the lease, which is lost.
		_ = paused.Release()
	})
}

// Only the store's clock measures the interval of WithInterval, so that it may be wrong by a year. The clocks of the
// processes have no effect.
func TestWithIntervalIgnoresClocks(t *testing.T) {
	for name, years := range map[string]int{"a year behind": -1, "right": 0, "a year ahead": 1} {
		t.Run("the store's clock is "+name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bucket := engine.New(memstore.NewDriver(memstore.Config{Now: func() time.Time {
					return time.Now().AddDate(years, 0, 0)
				}}))

				// The first holder has the lease for 10 minutes, and another process asks 30 minutes later.
				const interval = time.Hour
				start := time.Now()
				first, err := lease.Acquire(t.Context(), bucket, key, lease.WithInterval(interval))
				require.NoError(t, err)
				time.Sleep(10 * time.Minute)
				require.NoError(t, first.Release())
				time.Sleep(30 * time.Minute)

				// The other process waits until the interval has passed since the first acquisition.
				second, err := lease.Acquire(t.Context(), bucket, key, lease.WithInterval(interval))
				require.NoError(t, err)
				require.Equal(t, interval, time.Since(start))

				// While the second holder lives, no other process gets the lease.
				waiting, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
				defer cancel()
				_, err = lease.Acquire(waiting, bucket, key)
				require.ErrorIs(t, err, storage.DeadlineExceeded, "nobody may take the lease from a holder that lives")
				require.NoError(t, second.Release())
			})
		})
	}
}

// If the clock of the store is set back, the next run comes after one interval of WithInterval, even if new processes
// replace the one that waits.
func TestWithIntervalClockSetBack(t *testing.T) {
	tests := []struct {
		name     string
		lifetime time.Duration // of each process that waits
	}{
		{name: "one process waits", lifetime: 2 * time.Hour},
		{name: "each process waits 25 minutes", lifetime: 25 * time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const interval = time.Hour
				var shift time.Duration // of the store's clock
				bucket := engine.New(memstore.NewDriver(memstore.Config{Now: func() time.Time {
					return time.Now().Add(shift)
				}}))
				run := func(ctx context.Context) error {
					doNothing := func(context.Context) error { return nil }
					return lease.Hold(ctx, bucket, key, doNothing, lease.WithInterval(interval))
				}

				// The first run begins the interval.
				require.NoError(t, run(t.Context()))

				// The clock is set back. Processes wait one after another, each for its lifetime, until one of them runs.
				shift = -1000 * time.Hour
				start := time.Now()
				hasRun := false
				for !hasRun && time.Since(start) < 24*time.Hour {
					ctx, cancel := context.WithTimeout(t.Context(), tt.lifetime)
					hasRun = run(ctx) == nil
					cancel()
				}

				// The next run comes after one interval, however often the processes were replaced.
				require.Equal(t, interval, time.Since(start))
			})
		})
	}
}

// A process acquires the lease of a dead holder after the TTL, without waiting for the longer interval of
// WithInterval.
func TestWithIntervalAfterADeath(t *testing.T) {
	const (
		ttl      = time.Minute // the default
		interval = time.Hour
	)
	synctest.Test(t, func(t *testing.T) {
		bucket := memstore.New()
		process := newProcess(t, bucket)
		dead, err := lease.Acquire(t.Context(), process.bucket, key, lease.WithInterval(interval))
		require.NoError(t, err)

		process.die()
		start := time.Now()
		l, err := lease.Acquire(t.Context(), bucket, key, lease.WithInterval(interval))
		require.NoError(t, err)
		require.Equal(t, ttl, time.Since(start))

		require.NoError(t, l.Release())
		_ = dead.Release() // ends the goroutine of the lost lease
	})
}

// Hold ends the job when the process could not renew the lease for three quarters of the TTL.
func TestHoldEndsTheJobIfTheLeaseIsLost(t *testing.T) {
	const (
		ttl       = time.Minute // the default
		lostAfter = ttl * 3 / 4
	)
	synctest.Test(t, func(t *testing.T) {
		p := newProcess(t, memstore.New())
		start := time.Now()
		err := lease.Hold(t.Context(), p.bucket, key, func(ctx context.Context) error {
			require.Equal(t, int64(1), lease.FromContext(ctx).Token())
			p.die()
			<-ctx.Done()
			require.ErrorIs(t, context.Cause(ctx), storage.Changed)
			return errors.New("job stopped")
		})
		require.ErrorIs(t, err, storage.Changed)
		require.ErrorContains(t, err, "job stopped")
		require.Equal(t, lostAfter, time.Since(start))
	})
}

// If the lease is lost, Hold returns the cause, which is also the cause of the job's context. If the job returns it
// too, the error has it only once.
func TestHoldReturnsTheCauseOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProcess(t, memstore.New())

		var cause error
		err := lease.Hold(t.Context(), p.bucket, key, func(ctx context.Context) error {
			p.die()
			<-ctx.Done()
			cause = context.Cause(ctx)
			return cause
		})
		require.ErrorIs(t, cause, storage.Changed)
		require.Equal(t, cause, err)
	})
}

// Hold renews the lease until the job has returned, even after ctx has ended.
func TestHoldRenewsUntilTheJobHasReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bucket := memstore.New()
		checker := &holderChecker{t: t} // fails the test if two hold the lease

		// The job cleans up for an hour after its ctx has ended.
		ctx, cancel := context.WithCancel(t.Context())
		job := func(ctx context.Context) error {
			checker.begin(lease.FromContext(ctx))
			<-ctx.Done()
			time.Sleep(time.Hour)
			return ctx.Err()
		}
		holdErr := make(chan error, 1)
		go func() {
			holdErr <- lease.Hold(ctx, bucket, key, job)
		}()
		time.Sleep(time.Second)
		cancel()

		// Another process can acquire the lease only after the job has returned.
		l, err := lease.Acquire(t.Context(), bucket, key)
		require.NoError(t, err)
		checker.begin(l)
		require.NoError(t, l.Release())
		require.Equal(t, context.Canceled, <-holdErr)
	})
}

// Hold releases the lease if the job panics.
func TestHoldReleasesAfterAPanic(t *testing.T) {
	bucket := memstore.New()
	require.PanicsWithValue(t, "job", func() {
		_ = lease.Hold(t.Context(), bucket, key, func(context.Context) error {
			panic("job")
		})
	})
	require.NotContains(t, readText(t, bucket), "holder")
}

// With WithHandover, a waiting process asks for the lease within five seconds, and Wanted tells the
// holder.
func TestWithHandover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bucket := memstore.New()
		holder, err := lease.Acquire(t.Context(), bucket, key, lease.WithHandover())
		require.NoError(t, err)
		waiting, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()

		// A process without WithHandover does not ask for the lease.
		_, err = lease.Acquire(waiting, bucket, key)
		require.ErrorIs(t, err, storage.DeadlineExceeded)
		select {
		case <-holder.Wanted():
			t.Error("a process without the option must not ask")
		default:
		}

		// Three processes with WithHandover ask for the lease.
		start := time.Now()
		const waiters = 3
		errs := make(chan error, waiters)
		for range waiters {
			go func() {
				l, err := lease.Acquire(t.Context(), bucket, key, lease.WithHandover())
				if err != nil {
					errs <- err
					return
				}
				errs <- l.Release()
			}()
		}

		// The holder learns that others wait, and releases the lease. The others then hold it one after another.
		<-holder.Wanted()
		require.LessOrEqual(t, time.Since(start), 5*time.Second)
		require.NoError(t, holder.Release())
		for range waiters {
			require.NoError(t, <-errs)
		}
	})
}

// A request for the handover of a lease does not renew the lease for its dead holder.
func TestWithHandoverOfADeadHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bucket := memstore.New()
		p := newProcess(t, bucket)
		dead, err := lease.Acquire(t.Context(), p.bucket, key)
		require.NoError(t, err)

		p.die()
		start := time.Now()
		l, err := lease.Acquire(t.Context(), bucket, key, lease.WithHandover())
		require.NoError(t, err)
		const ttl = time.Minute // the default
		require.Equal(t, ttl, time.Since(start))

		require.NoError(t, l.Release())
		_ = dead.Release() // ends the goroutine of the lost lease
	})
}

// With WithRemoval, Release removes the object with the counter, so that each lease has the token 1.
func TestWithRemoval(t *testing.T) {
	tests := []struct {
		name  string
		lacks storage.Features
	}{
		{name: "store with conditional removal"},
		{name: "store without conditional removal", lacks: storage.ConditionalRemove},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := memstore.New(driver.WithLayer(faults.WithLimits(faults.Limits{Disable: tt.lacks})))
			p := newProcess(t, bucket)
			const leases = 2
			for range leases {
				l, err := lease.Acquire(t.Context(), p.bucket, key, lease.WithRemoval())
				require.NoError(t, err)
				require.Equal(t, int64(1), l.Token())
				require.NoError(t, l.Release())
				require.Empty(t, readText(t, bucket))
			}

			// Without competitors, a lease takes one request to acquire it and one to release it.
			require.Equal(t, 2*leases, p.calls)
		})
	}
}

// With WithRemoval, a Release that stalls does not remove the object of the process that has acquired the lease since.
func TestWithRemovalSlow(t *testing.T) {
	const (
		ttl       = 4 * time.Second
		lostAfter = ttl * 3 / 4 // when the holder cannot renew the lease
	)
	synctest.Test(t, func(t *testing.T) {
		limits := faults.Limits{Disable: storage.ConditionalRemove}
		bucket := memstore.New(driver.WithLayer(faults.WithLimits(limits)))
		p := newProcess(t, bucket)
		l, err := lease.Acquire(t.Context(), p.bucket, key, lease.WithRemoval(), lease.WithTTL(ttl))
		require.NoError(t, err)

		// The holder releases the lease just before it counts as lost. The request that removes the object stalls.
		resume := p.stall()
		var releaseErr error
		var group sync.WaitGroup
		group.Go(func() {
			time.Sleep(lostAfter - 100*time.Millisecond)
			releaseErr = l.Release()
		})

		// While the removal stalls, another process acquires the lease.
		next, err := lease.Acquire(t.Context(), bucket, key, lease.WithRemoval())
		require.NoError(t, err)
		resume()
		group.Wait()

		// The object of the new holder is still there, and the former holder learns of its loss.
		require.NotEmpty(t, readText(t, bucket))
		require.NoError(t, next.Release())
		require.ErrorIs(t, releaseErr, storage.Changed)
	})
}

// Release ends the context of the lease. It keeps the object, so that the next lease has a larger token.
func TestReleaseLeavesTheCounter(t *testing.T) {
	bucket := memstore.New()
	for want := int64(1); want <= 3; want++ {
		l, err := lease.Acquire(t.Context(), bucket, key)
		require.NoError(t, err)
		require.Equal(t, want, l.Token())
		require.NoError(t, l.Release())
		require.ErrorIs(t, context.Cause(l.Context()), context.Canceled)
	}
}

// Acquire understands the objects that earlier releases wrote as leases. It waits for the TTL of their holder, and then
// takes over the lease.
func TestAcquireFormsOfEarlierReleases(t *testing.T) {
	tests := []struct {
		name     string
		text     string        // of the object of the lease
		wantWait time.Duration // until the lease is acquired
	}{
		{
			name:     "held, by package transfer",
			text:     `{"holder":"A","until":"2999-01-01T00:00:00Z","began":"2999-01-01T00:00:00Z","nonce":"N"}`,
			wantWait: time.Minute,
		},
		{name: "free, by package transfer", text: `{"began":"1999-01-01T00:00:00Z","nonce":"N"}`},
		{name: "held, by adapters/tus", text: `{"Holder":"dead","Wanted":true,"Beat":3}`, wantWait: time.Minute},
		{name: "a TTL that no option sets", text: `{"holder":"A","ttl":1,"nonce":"N"}`, wantWait: time.Second},
		{name: "a TTL below zero", text: `{"holder":"A","ttl":-1,"nonce":"N"}`, wantWait: time.Minute},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bucket := memstore.New()
				_, err := bucket.Upload(t.Context(), key, strings.NewReader(tt.text))
				require.NoError(t, err)

				start := time.Now()
				l, err := lease.Acquire(t.Context(), bucket, key)
				require.NoError(t, err)
				require.Equal(t, tt.wantWait, time.Since(start))
				require.Equal(t, int64(1), l.Token(), "the earlier forms have no tokens")
				require.NoError(t, l.Release())
			})
		})
	}
}

// Acquire and Check refuse an object that is not a lease, and do not change it.
func TestAcquireRefusesOtherObjects(t *testing.T) {
	tests := []struct {
		name    string
		content string
	}{
		{name: "another object of JSON", content: `{"database":"x"}`},
		{name: "an empty object", content: `{}`},
		{name: "null", content: `null`},
		{name: "an array", content: `[]`},
		{name: "a text", content: `text`},
		{name: "nothing"},
		{name: "a token below zero", content: `{"holder":"a","token":-1}`},
		{name: "too long", content: `{"holder":"` + strings.Repeat("a", 1<<17) + `"}`},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := memstore.New()
			_, err := bucket.Upload(t.Context(), key, strings.NewReader(tt.content))
			require.NoError(t, err)

			err = lease.Check(t.Context(), bucket, key)
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.Equal(t, "Check", err.(*storage.Error).Op)

			_, err = lease.Acquire(t.Context(), bucket, key)
			require.ErrorIs(t, err, storage.InvalidArgument)

			// The object is unchanged.
			require.Equal(t, tt.content, readText(t, bucket))
		})
	}
}

// A holder loses the lease if its object is replaced or removed.
func TestHoldObjectReplacedOrRemoved(t *testing.T) {
	tests := []struct {
		name    string
		content string // of the new object, or "" to remove the object
	}{
		{name: "removed"},
		{name: "replaced by a text", content: "text"},
		{name: "replaced by another lease", content: `{"holder":"thief"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bucket := memstore.New()
				l, err := lease.Acquire(t.Context(), bucket, key)
				require.NoError(t, err)

				// Another client removes or replaces the object.
				if tt.content == "" {
					require.NoError(t, bucket.Remove(t.Context(), key))
				} else {
					_, err = bucket.Upload(t.Context(), key, strings.NewReader(tt.content))
					require.NoError(t, err)
				}

				// The next renewal notices the change. Release then leaves the new object as it is.
				<-l.Context().Done()
				require.ErrorIs(t, l.Release(), storage.Changed)
				require.Equal(t, tt.content, readText(t, bucket))
			})
		})
	}
}

// Hold and Check fail for arguments that are nil or out of range. Then Hold does not run the job, and Check writes
// nothing in any case.
func TestAcquireArguments(t *testing.T) {
	bucket := memstore.New()
	job := func(context.Context) error {
		t.Error("the job must not run")
		return nil
	}

	tests := []struct {
		name string
		opts []lease.Option
	}{
		{name: "an option that is nil", opts: []lease.Option{nil}},
		{name: "a TTL below a second", opts: []lease.Option{lease.WithTTL(time.Second - 1)}},
		{name: "an interval below zero", opts: []lease.Option{lease.WithInterval(-1)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := lease.Check(t.Context(), bucket, key, tt.opts...)
			require.ErrorIs(t, err, storage.InvalidArgument)
			require.Equal(t, "Check", err.(*storage.Error).Op)

			err = lease.Hold(t.Context(), bucket, key, job, tt.opts...)
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}

	// Hold needs a job and a bucket.
	require.ErrorIs(t, lease.Hold(t.Context(), bucket, key, nil), storage.InvalidArgument, "no job")
	require.ErrorIs(t, lease.Hold(t.Context(), nil, key, job), storage.InvalidArgument, "no bucket")

	// A Bucket that is not of this library cannot hold a lease.
	foreign := struct{ storage.Bucket }{Bucket: bucket}
	err := lease.Check(t.Context(), foreign, key)
	require.ErrorIs(t, err, storage.Unsupported)
	require.ErrorContains(t, err, "needs a bucket of this library")
	require.Empty(t, readText(t, bucket), "Check must write nothing")

	// Valid arguments pass the check.
	require.NoError(t, lease.Check(t.Context(), bucket, key))
	require.Empty(t, readText(t, bucket), "Check must write nothing")

	// Only the context of a job has a lease.
	require.Nil(t, lease.FromContext(t.Context()))
}

// Acquire fails with Unsupported if the store lacks IfAbsent or IfRevision.
func TestAcquireWithoutConditions(t *testing.T) {
	tests := []struct {
		name  string
		lacks storage.Features
	}{
		{name: "IfAbsent", lacks: storage.ConditionalCreate},
		{name: "IfRevision", lacks: storage.ConditionalUpdate},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			counter := faults.New()
			limits := faults.WithLimits(faults.Limits{Disable: tt.lacks})
			bucket := memstore.New(driver.WithLayer(counter.Layer()), driver.WithLayer(limits))

			_, err := lease.Acquire(t.Context(), bucket, key)
			require.ErrorIs(t, err, storage.Unsupported)
			require.Zero(t, counter.Count(faults.Any), "no request may be made")
		})
	}
}

// Acquire ends its wait with ctx.
func TestAcquireEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bucket := memstore.New()
		l, err := lease.Acquire(t.Context(), bucket, key)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)

		_, err = lease.Acquire(ctx, bucket, key)
		require.ErrorIs(t, err, context.Canceled)
		require.NoError(t, l.Release())
	})
}

// Acquire leaves no lease without a holder if ctx ends while it writes.
func TestAcquireThatEndsDuringItsWrite(t *testing.T) {
	bucket := memstore.New()
	ctx, cancel := context.WithCancel(t.Context())
	canceling := wrapped.Bucket(t, bucket, func(c storage.Core) storage.Core {
		return &cancelingCore{Core: c, cancel: cancel}
	})

	_, err := lease.Acquire(ctx, canceling, key)
	require.ErrorIs(t, err, context.Canceled)
	require.NotContains(t, readText(t, bucket), "holder")
}

// A cancelingCore calls cancel after each write. If that ends the ctx of the write, its response is lost.
type cancelingCore struct {
	storage.Core
	cancel func()
}

// Upload uploads as the Core does, and then calls cancel.
func (c *cancelingCore) Upload(
	ctx context.Context, key string, body io.Reader, o *storage.UploadOptions,
) (*storage.Attrs, error) {
	attrs, err := c.Core.Upload(ctx, key, body, o)
	if err != nil || ctx.Err() != nil {
		return attrs, err
	}

	c.cancel()
	if ctx.Err() != nil {
		return nil, &storage.Error{Code: storage.Canceled, Unknown: true, Err: ctx.Err()}
	}
	return attrs, nil
}

// In each TTL, a process that waits makes at most twelve reads, and the holder at most four writes.
func TestLeaseRequestsAreBounded(t *testing.T) {
	const (
		ttl          = time.Minute // the default
		ttls         = 60          // for which the waiter waits
		readsPerTTL  = 12
		writesPerTTL = 4
	)
	synctest.Test(t, func(t *testing.T) {
		bucket := memstore.New()
		holder := newProcess(t, bucket)
		waiter := newProcess(t, bucket)
		l, err := lease.Acquire(t.Context(), holder.bucket, key)
		require.NoError(t, err)

		// The holder keeps the lease, so that the waiter does not get it.
		ctx, cancel := context.WithTimeout(t.Context(), ttls*ttl)
		defer cancel()
		_, err = lease.Acquire(ctx, waiter.bucket, key)
		require.ErrorIs(t, err, storage.DeadlineExceeded)

		// Release also ends the goroutine that changes holder.calls.
		require.NoError(t, l.Release())
		require.LessOrEqual(t, waiter.calls, readsPerTTL*ttls+1, "the waiter may make one more call at the start")
		require.LessOrEqual(t, holder.calls, writesPerTTL*ttls+3, "Acquire and Release may make three more calls")
	})
}

// If a lease is copied with its bucket while it is held, a process acquires the copy after a TTL.
// The original keeps its holder.
func TestAcquireLeaseCopiedWithItsBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := memstore.New()
		dst := memstore.New()
		original, err := lease.Acquire(t.Context(), src, key)
		require.NoError(t, err)
		_, err = storage.Copy(t.Context(), dst, key, src, key)
		require.NoError(t, err)

		// Nobody renews the copy, so that its TTL ends.
		const ttl = time.Minute // the default
		start := time.Now()
		copied, err := lease.Acquire(t.Context(), dst, key)
		require.NoError(t, err)
		require.Equal(t, ttl, time.Since(start))
		require.NoError(t, copied.Release())

		// The original is still held.
		require.NoError(t, original.Context().Err())
		require.NoError(t, original.Release())
	})
}

// After a lease was restored from a snapshot, in which a former process holds it, the present holder loses it. Another
// process can acquire it after a TTL.
func TestAcquireLeaseRestoredFromSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// In the snapshot, a former holder has the lease.
		bucket := memstore.New()
		former, err := lease.Acquire(t.Context(), bucket, key)
		require.NoError(t, err)
		snapshot, _, err := storage.ReadAll(t.Context(), bucket, key)
		require.NoError(t, err)
		require.NoError(t, former.Release())

		// The snapshot is restored while another process holds the lease.
		holder, err := lease.Acquire(t.Context(), bucket, key)
		require.NoError(t, err)
		_, err = bucket.Upload(t.Context(), key, bytes.NewReader(snapshot))
		require.NoError(t, err)

		// The restored lease names a holder that does not renew it, so it is free after a TTL.
		const ttl = time.Minute // the default
		restored := time.Now()
		next, err := lease.Acquire(t.Context(), bucket, key)
		require.NoError(t, err)
		require.Equal(t, ttl, time.Since(restored))
		require.ErrorIs(t, context.Cause(holder.Context()), storage.Changed, "the holder must have stopped before")

		require.NoError(t, next.Release())
		require.ErrorIs(t, holder.Release(), storage.Changed)
	})
}
