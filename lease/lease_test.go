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

// A process is the Core of a handle of a bucket that dies at a call, or stalls. Its later calls have no effect.
type process struct {
	storage.Core
	bucket  storage.Bucket // the handle
	mu      sync.Mutex
	calls   int
	dieAt   int  // the number of the call; 0: never
	after   bool // it dies after that call has taken effect
	lost    bool // only the response of that call is lost
	dead    bool
	stalled chan struct{} // calls wait until it is closed, or for the end of ctx
}

// of makes the handle, of b.
func (p *process) of(t *testing.T, b storage.Bucket) *process {
	p.bucket = wrapped.Bucket(t, b, func(c storage.Core) storage.Core {
		p.Core = c
		return p
	})
	return p
}

var errDead = &storage.Error{Code: storage.Unavailable, Unknown: true, Err: errors.New("connection reset")}

func (p *process) call(ctx context.Context, do func() error) error {
	p.mu.Lock()
	p.calls++
	current := p.calls == p.dieAt
	dead := p.dead
	stalled := p.stalled
	p.dead = dead || current && !p.lost
	p.mu.Unlock()
	if stalled != nil {
		select {
		case <-stalled:
		case <-ctx.Done():
			return &storage.Error{Code: storage.CodeOf(context.Cause(ctx)), Unknown: true, Err: ctx.Err()}
		}
	}
	if dead || current && !p.after {
		return errDead
	}
	err := do()
	if current {
		return errDead
	}
	return err
}

func (p *process) die() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = true
}

func (p *process) stall() (resume func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	stalled := make(chan struct{})
	p.stalled = stalled
	return func() {
		close(stalled)
	}
}

func (p *process) Upload(
	ctx context.Context, key string, body io.Reader, o *storage.UploadOptions,
) (attrs *storage.Attrs, err error) {
	err = p.call(ctx, func() error {
		attrs, err = p.Core.Upload(ctx, key, body, o)
		return err
	})
	return attrs, err
}

func (p *process) Download(ctx context.Context, key string, o *storage.DownloadOptions) (r *storage.Reader, err error) {
	err = p.call(ctx, func() error {
		r, err = p.Core.Download(ctx, key, o)
		return err
	})
	return r, err
}

func (p *process) Remove(ctx context.Context, key string, o *storage.RemoveOptions) error {
	return p.call(ctx, func() error { return p.Core.Remove(ctx, key, o) })
}

// A judge checks that no holder begins before the context of each earlier one has ended, and that
// tokens grow.
type judge struct {
	t       *testing.T
	real    bool // time is that of the machine, which may be too busy to run a timer
	mu      sync.Mutex
	held    context.Context // of the last holder
	token   int64
	holders int
}

func (j *judge) begins(l *lease.Lease) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.real && j.held != nil && j.held.Err() == nil {
		j.t.Error("two hold the lease")
	}
	if l.Token() <= j.token {
		j.t.Errorf("token %d after %d", l.Token(), j.token)
	}
	j.held, j.token = l.Context(), l.Token()
	j.holders++
}

// stores opens a bucket. Each call of the result is another handle of it.
var stores = []struct {
	name string
	open func(t *testing.T) func() storage.Bucket
}{
	{"memory", func(*testing.T) func() storage.Bucket {
		b := memstore.New()
		return func() storage.Bucket { return b }
	}},
	{"directory", func(t *testing.T) func() storage.Bucket {
		dir := filepath.Join(t.TempDir(), "bucket")
		return func() storage.Bucket {
			b, err := local.Open(dir, local.Config{Create: true, NoSync: true})
			require.NoError(t, err)
			return b
		}
	}},
}

func readText(t *testing.T, b storage.Bucket) string {
	data, _, err := storage.ReadAll(context.WithoutCancel(t.Context()), b, key)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return ""
	}
	require.NoError(t, err)
	return string(data)
}

// Processes release, die and stall at random while others wait.
func TestLeaseHasOneHolder(t *testing.T) {
	for _, store := range stores {
		for seed := range uint64(3) {
			t.Run(store.name, func(t *testing.T) {
				open := store.open(t)
				synctest.Test(t, func(t *testing.T) {
					j := &judge{t: t}
					var all sync.WaitGroup
					for n := range uint64(6) {
						random := rand.New(rand.NewPCG(seed, n))
						all.Go(func() {
							for range 8 {
								p := new(process).of(t, open())
								l, err := lease.Acquire(t.Context(), p.bucket, key,
									lease.WithTTL(12*time.Second))
								if err != nil {
									t.Error(err)
									return
								}
								j.begins(l)
								switch random.IntN(4) {
								case 0:
									p.die()
									<-l.Context().Done()
								case 1:
									resume := p.stall()
									time.Sleep(time.Duration(random.IntN(30)) * time.Second)
									resume()
								default:
									time.Sleep(time.Duration(random.IntN(30_000)) * time.Millisecond)
								}
								_ = l.Release()
							}
						})
					}
					all.Wait()
					require.Equal(t, 48, j.holders)
				})
			})
		}
	}
}

// If a process is killed at any of its calls, or a response is lost, another one acquires the lease within 66
// seconds. Its token is greater, except with WithRemoval.
func TestLeaseKilledAtEveryCall(t *testing.T) {
	tests := []struct {
		name string
		opts []lease.Option
	}{
		{"plain", nil},
		{"with an interval", []lease.Option{lease.WithInterval(time.Second)}},
		{"with handover", []lease.Option{lease.WithHandover()}},
		{"with removal", []lease.Option{lease.WithRemoval()}},
	}
	for _, tt := range tests {
		for _, kind := range []struct{ after, lost bool }{{}, {after: true}, {after: true, lost: true}, {lost: true}} {
			t.Run(tt.name, func(t *testing.T) {
				for n, killed := 1, true; killed; n++ {
					synctest.Test(t, func(t *testing.T) {
						b := memstore.New()
						p := (&process{dieAt: n, after: kind.after, lost: kind.lost}).of(t, b)
						var token int64
						l, err := lease.Acquire(t.Context(), p.bucket, key, tt.opts...)
						if err == nil {
							token = l.Token()
							select {
							case <-l.Context().Done():
								require.ErrorIs(t, context.Cause(l.Context()), storage.Changed)
							case <-time.After(50 * time.Second):
							}
							err = l.Release()
						}
						killed = p.calls >= n
						if !killed || kind.lost && token > 0 {
							require.NoError(t, err, "call %d", n)
						}
						start := time.Now()

						next, err := lease.Acquire(t.Context(), b, key, tt.opts...)
						require.NoError(t, err)
						require.LessOrEqual(t, time.Since(start), 66*time.Second, "call %d", n)

						if tt.name != "with removal" {
							require.Greater(t, next.Token(), token)
						}
						require.NoError(t, next.Release())
					})
				}
			})
		}
	}
}

// If a holder stalls for too long, it loses its lease.
func TestHoldStalledLosesTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memstore.New()
		p := new(process).of(t, b)
		j := &judge{t: t}
		stalled, err := lease.Acquire(t.Context(), p.bucket, key)
		require.NoError(t, err)
		j.begins(stalled)
		resume := p.stall()
		other, err := lease.Acquire(t.Context(), b, key)
		require.NoError(t, err)
		j.begins(other)

		require.ErrorIs(t, context.Cause(stalled.Context()), storage.Changed)
		resume()
		textBefore := readText(t, b)
		require.ErrorIs(t, stalled.Release(), storage.Changed)
		require.ErrorIs(t, stalled.Release(), storage.Changed, "again")
		require.Equal(t, textBefore, readText(t, b), "it is the other's")
		require.NoError(t, other.Release())
	})
}

// A fenced resource refuses a former holder. A paused process runs none of its timers, and the resource refuses
// its token when it wakes up.
func TestTokenFencesAFormerHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memstore.New()
		highest := int64(0)
		write := func(token int64) bool {
			highest = max(highest, token)
			return token == highest
		}
		p := new(process).of(t, b)
		paused, err := lease.Acquire(t.Context(), p.bucket, key)
		require.NoError(t, err)
		p.die()

		require.NoError(t, lease.Hold(t.Context(), b, key, func(ctx context.Context) error {
			require.True(t, write(lease.FromContext(ctx).Token()))
			return nil
		}))
		require.False(t, write(paused.Token()))
		_ = paused.Release()
	})
}

// Nothing that a process writes has a time of its own clock, and it reads none: only the store's
// clock measures the interval, and that may be wrong by a year.
func TestWithIntervalIgnoresClocks(t *testing.T) {
	for name, years := range map[string]int{"a year behind": -1, "right": 0, "a year ahead": 1} {
		t.Run("the store's clock is "+name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := engine.New(memstore.NewDriver(memstore.Config{Now: func() time.Time {
					return time.Now().AddDate(years, 0, 0)
				}}))
				start := time.Now()
				first, err := lease.Acquire(t.Context(), b, key, lease.WithInterval(time.Hour))
				require.NoError(t, err)
				time.Sleep(10 * time.Minute)
				require.NoError(t, first.Release())
				time.Sleep(30 * time.Minute)

				second, err := lease.Acquire(t.Context(), b, key, lease.WithInterval(time.Hour))
				require.NoError(t, err)
				require.Equal(t, time.Hour, time.Since(start))

				waiting, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
				defer cancel()
				_, err = lease.Acquire(waiting, b, key)
				require.ErrorIs(t, err, storage.DeadlineExceeded, "nobody takes it from a holder that lives")
				require.NoError(t, second.Release())
			})
		})
	}
}

// A store whose clock was set back delays a run by the interval at most, also if the process that waits is
// replaced by another one again and again.
func TestWithIntervalClockSetBack(t *testing.T) {
	for name, lives := range map[string]time.Duration{"one process waits": 2 * time.Hour, "each process waits 25 minutes": 25 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var shift time.Duration
				b := engine.New(memstore.NewDriver(memstore.Config{Now: func() time.Time {
					return time.Now().Add(shift)
				}}))
				run := func(ctx context.Context) error {
					return lease.Hold(ctx, b, key, func(context.Context) error {
						return nil
					}, lease.WithInterval(time.Hour))
				}
				require.NoError(t, run(t.Context()))
				shift = -1000 * time.Hour
				start := time.Now()
				for err := errors.New("not run yet"); err != nil && time.Since(start) < 24*time.Hour; {
					ctx, cancel := context.WithTimeout(t.Context(), lives)
					err = run(ctx)
					cancel()
				}

				require.Equal(t, time.Hour, time.Since(start))
			})
		})
	}
}

// If the holder has died, another process with the same WithInterval acquires the lease after the TTL. It does not
// wait for the interval.
func TestWithIntervalAfterADeath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memstore.New()
		p := new(process).of(t, b)
		dead, err := lease.Acquire(t.Context(), p.bucket, key, lease.WithInterval(time.Hour))
		require.NoError(t, err)
		p.die()
		start := time.Now()
		l, err := lease.Acquire(t.Context(), b, key, lease.WithInterval(time.Hour))
		require.NoError(t, err)
		require.Equal(t, time.Minute, time.Since(start))
		require.NoError(t, l.Release())
		_ = dead.Release()
	})
}

func TestHoldEndsTheJobIfTheLeaseIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := new(process).of(t, memstore.New())
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
		require.Equal(t, 45*time.Second, time.Since(start))
	})
}

// A job that returns the cause of its context does not make Hold return the same error twice.
func TestHoldReturnsTheCauseOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := new(process).of(t, memstore.New())
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

func TestHoldRenewsUntilTheJobHasReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memstore.New()
		j := &judge{t: t}
		ctx, cancel := context.WithCancel(t.Context())
		var jobs sync.WaitGroup
		jobs.Go(func() {
			err := lease.Hold(ctx, b, key, func(ctx context.Context) error {
				j.begins(lease.FromContext(ctx))
				<-ctx.Done()
				time.Sleep(time.Hour) // it cleans up
				return ctx.Err()
			})
			require.Equal(t, context.Canceled, err)
		})
		time.Sleep(time.Second)
		cancel()
		l, err := lease.Acquire(t.Context(), b, key)
		require.NoError(t, err)
		j.begins(l)
		require.NoError(t, l.Release())
		jobs.Wait()
	})
}

func TestHoldReleasesAfterAPanic(t *testing.T) {
	b := memstore.New()
	require.PanicsWithValue(t, "job", func() {
		_ = lease.Hold(t.Context(), b, key, func(context.Context) error {
			panic("job")
		})
	})
	require.NotContains(t, readText(t, b), "holder")
}

func TestWithHandover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memstore.New()
		holder, err := lease.Acquire(t.Context(), b, key, lease.WithHandover())
		require.NoError(t, err)
		waiting, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()

		_, err = lease.Acquire(waiting, b, key)
		require.ErrorIs(t, err, storage.DeadlineExceeded)
		select {
		case <-holder.Wanted():
			t.Error("nobody has asked")
		default:
		}
		start := time.Now()
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				l, err := lease.Acquire(t.Context(), b, key, lease.WithHandover())
				require.NoError(t, err)
				require.NoError(t, l.Release())
			})
		}

		<-holder.Wanted()
		require.LessOrEqual(t, time.Since(start), 5*time.Second)
		require.NoError(t, holder.Release())
		all.Wait()
	})
}

// If a process requests the handover of a lease, that does not renew the lease for its dead holder.
func TestWithHandoverOfADeadHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memstore.New()
		p := new(process).of(t, b)
		dead, err := lease.Acquire(t.Context(), p.bucket, key)
		require.NoError(t, err)
		p.die()
		start := time.Now()

		l, err := lease.Acquire(t.Context(), b, key, lease.WithHandover())
		require.NoError(t, err)
		require.Equal(t, time.Minute, time.Since(start))

		require.NoError(t, l.Release())
		_ = dead.Release()
	})
}

func TestWithRemoval(t *testing.T) {
	for name, lacking := range map[string]storage.Features{"conditionally": 0, "without a condition": storage.ConditionalRemove} {
		t.Run(name, func(t *testing.T) {
			b := memstore.New(driver.WithLayer(faults.WithLimits(faults.Limits{Disable: lacking})))
			p := new(process).of(t, b)
			for range 2 {
				l, err := lease.Acquire(t.Context(), p.bucket, key, lease.WithRemoval())
				require.NoError(t, err)
				require.Equal(t, int64(1), l.Token())
				require.NoError(t, l.Release())
				require.Empty(t, readText(t, b))
			}
			require.Equal(t, 4, p.calls, "two requests, if nobody else wants it")
		})
	}
}

// A request to remove the object must not arrive when another process may hold the lease.
func TestWithRemovalSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memstore.New(driver.WithLayer(faults.WithLimits(faults.Limits{Disable: storage.ConditionalRemove})))
		p := new(process).of(t, b)
		l, err := lease.Acquire(t.Context(), p.bucket, key, lease.WithRemoval(), lease.WithTTL(4*time.Second))
		require.NoError(t, err)
		resume := p.stall()
		var released error
		var group sync.WaitGroup
		group.Go(func() {
			time.Sleep(2900 * time.Millisecond) // just before it is lost
			released = l.Release()
		})
		next, err := lease.Acquire(t.Context(), b, key, lease.WithRemoval())
		require.NoError(t, err)
		resume()
		group.Wait()
		rest := readText(t, b)

		require.NoError(t, next.Release())
		require.NotEmpty(t, rest)
		require.ErrorIs(t, released, storage.Changed)
	})
}

func TestReleaseLeavesTheCounter(t *testing.T) {
	b := memstore.New()
	for want := range int64(3) {
		l, err := lease.Acquire(t.Context(), b, key)
		require.NoError(t, err)
		require.Equal(t, want+1, l.Token())
		require.NoError(t, l.Release())
		require.ErrorIs(t, context.Cause(l.Context()), context.Canceled)
	}
}

// A lease in the form of an earlier release of package transfer, or of adapters/tus.
func TestAcquireFormsOfEarlierReleases(t *testing.T) {
	tests := []struct {
		name, text string
		after      time.Duration
	}{
		{"held", `{"holder":"A","until":"2999-01-01T00:00:00Z","began":"2999-01-01T00:00:00Z","nonce":"N"}`, time.Minute},
		{"free", `{"began":"1999-01-01T00:00:00Z","nonce":"N"}`, 0},
		{"of tus", `{"Holder":"dead","Wanted":true,"Beat":3}`, time.Minute},
		{"a TTL that no option sets", `{"holder":"A","ttl":1,"nonce":"N"}`, time.Second},
		{"a TTL below zero", `{"holder":"A","ttl":-1,"nonce":"N"}`, time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := memstore.New()
				_, err := b.Upload(t.Context(), key, strings.NewReader(tt.text))
				require.NoError(t, err)
				start := time.Now()

				l, err := lease.Acquire(t.Context(), b, key)
				require.NoError(t, err)
				require.Equal(t, tt.after, time.Since(start))
				require.Equal(t, int64(1), l.Token())
				require.NoError(t, l.Release())
			})
		})
	}
}

// An object that is not a lease is refused.
func TestAcquireRefusesOtherObjects(t *testing.T) {
	for _, foreign := range []string{`{"database":"x"}`, `{}`, `null`, `[]`, `text`, ``, `{"holder":"a","token":-1}`, `{"holder":"` + strings.Repeat("a", 1<<17) + `"}`} {
		b := memstore.New()
		_, err := b.Upload(t.Context(), key, strings.NewReader(foreign))
		require.NoError(t, err)

		err = lease.Check(t.Context(), b, key)
		require.ErrorIs(t, err, storage.InvalidArgument)
		require.Equal(t, "Check", err.(*storage.Error).Op)

		_, err = lease.Acquire(t.Context(), b, key)
		require.ErrorIs(t, err, storage.InvalidArgument)
		require.Equal(t, foreign, readText(t, b))
	}
}

// If the object of a lease is replaced or removed, its holder has lost the lease.
func TestHoldObjectReplacedOrRemoved(t *testing.T) {
	for _, foreign := range []string{"", "text", `{"holder":"thief"}`} {
		t.Run(foreign, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := memstore.New()
				l, err := lease.Acquire(t.Context(), b, key)
				require.NoError(t, err)
				if foreign == "" {
					require.NoError(t, b.Remove(t.Context(), key))
				} else {
					_, err = b.Upload(t.Context(), key, strings.NewReader(foreign))
					require.NoError(t, err)
				}
				<-l.Context().Done()
				require.ErrorIs(t, l.Release(), storage.Changed)
				require.Equal(t, foreign, readText(t, b))
			})
		})
	}
}

func TestAcquireArguments(t *testing.T) {
	b := memstore.New()
	job := func(context.Context) error {
		t.Error("it ran")
		return nil
	}

	for name, opts := range map[string][]lease.Option{
		"no option": {nil},
		"TTL":       {lease.WithTTL(time.Second - 1)},
		"interval":  {lease.WithInterval(-1)},
	} {
		err := lease.Check(t.Context(), b, key, opts...)
		require.ErrorIs(t, err, storage.InvalidArgument, name)
		require.Equal(t, "Check", err.(*storage.Error).Op, name)
		require.ErrorIs(t, lease.Hold(t.Context(), b, key, job, opts...), storage.InvalidArgument, name)
	}
	require.ErrorIs(t, lease.Hold(t.Context(), b, key, nil), storage.InvalidArgument)
	require.ErrorIs(t, lease.Hold(t.Context(), nil, key, job), storage.InvalidArgument)

	other := lease.Check(t.Context(), struct{ storage.Bucket }{b}, key)
	require.ErrorIs(t, other, storage.Unsupported)
	require.ErrorContains(t, other, "needs a bucket of this library")
	require.Empty(t, readText(t, b))

	require.NoError(t, lease.Check(t.Context(), b, key))
	require.Empty(t, readText(t, b), "nothing was written")
	require.Nil(t, lease.FromContext(t.Context()))
}

func TestAcquireWithoutConditions(t *testing.T) {
	for _, features := range []storage.Features{storage.ConditionalCreate, storage.ConditionalUpdate} {
		inj := faults.New()
		b := memstore.New(driver.WithLayer(inj.Layer()),
			driver.WithLayer(faults.WithLimits(faults.Limits{Disable: features})))
		_, err := lease.Acquire(t.Context(), b, key)
		require.ErrorIs(t, err, storage.Unsupported)
		require.Zero(t, inj.Count(faults.Any), "no request was made")
	}
}

func TestAcquireEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memstore.New()
		l, err := lease.Acquire(t.Context(), b, key)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)

		_, err = lease.Acquire(ctx, b, key)
		require.ErrorIs(t, err, context.Canceled)
		require.NoError(t, l.Release())
	})
}

// If ctx ends while Acquire writes, no lease without a holder remains.
func TestAcquireThatEndsDuringItsWrite(t *testing.T) {
	b := memstore.New()
	ctx, cancel := context.WithCancel(t.Context())
	canceled := wrapped.Bucket(t, b, func(c storage.Core) storage.Core { return &canceling{c, cancel} })
	_, err := lease.Acquire(ctx, canceled, key)
	require.ErrorIs(t, err, context.Canceled)
	require.NotContains(t, readText(t, b), "holder")
}

// A canceling bucket cancels a ctx when a write has taken effect.
type canceling struct {
	storage.Core
	cancel func()
}

func (b *canceling) Upload(
	ctx context.Context, key string, body io.Reader, o *storage.UploadOptions,
) (*storage.Attrs, error) {
	attrs, err := b.Core.Upload(ctx, key, body, o)
	if ctx.Err() == nil && err == nil {
		b.cancel()
		if ctx.Err() != nil {
			return nil, &storage.Error{Code: storage.Canceled, Unknown: true, Err: ctx.Err()}
		}
	}
	return attrs, err
}

// A waiter makes at most one read per twelfth of the TTL, and a holder four writes per TTL.
func TestLeaseRequestsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memstore.New()
		holder := new(process).of(t, b)
		waiter := new(process).of(t, b)
		l, err := lease.Acquire(t.Context(), holder.bucket, key)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()

		_, err = lease.Acquire(ctx, waiter.bucket, key)
		require.ErrorIs(t, err, storage.DeadlineExceeded)
		require.NoError(t, l.Release()) // ends what counts the holder's calls
		require.LessOrEqual(t, waiter.calls, 60*12+1)
		require.LessOrEqual(t, holder.calls, 60*4+3)
	})
}

// A lease that was copied with its bucket, or restored from a snapshot, has no holder that renews it. Nobody takes it from
// a holder that lives, and a process that waits gets it after a TTL.
func TestAcquireLeaseOfAnotherPlaceOrTime(t *testing.T) {
	t.Run("copied with its bucket while it is held", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := memstore.New()
			dst := memstore.New()
			l, err := lease.Acquire(t.Context(), b, key)
			require.NoError(t, err)
			_, err = storage.Copy(t.Context(), dst, key, b, key)
			require.NoError(t, err)
			start := time.Now()

			other, err := lease.Acquire(t.Context(), dst, key)
			require.NoError(t, err)
			require.Equal(t, time.Minute, time.Since(start))

			require.NoError(t, other.Release())
			require.NoError(t, l.Context().Err(), "the original has its holder")
			require.NoError(t, l.Release())
		})
	})
	t.Run("restored from a snapshot in which another one held it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := memstore.New()
			former, err := lease.Acquire(t.Context(), b, key)
			require.NoError(t, err)
			snapshot, _, err := storage.ReadAll(t.Context(), b, key)
			require.NoError(t, err)
			require.NoError(t, former.Release())
			l, err := lease.Acquire(t.Context(), b, key)
			require.NoError(t, err)
			_, err = b.Upload(t.Context(), key, bytes.NewReader(snapshot))
			require.NoError(t, err)
			restored := time.Now()

			next, err := lease.Acquire(t.Context(), b, key)
			require.NoError(t, err)
			require.Equal(t, time.Minute, time.Since(restored))
			require.ErrorIs(t, context.Cause(l.Context()), storage.Changed, "it has stopped before")

			require.NoError(t, next.Release())
			require.ErrorIs(t, l.Release(), storage.Changed)
		})
	})
}
