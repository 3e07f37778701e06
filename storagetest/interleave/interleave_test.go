package interleave_test

import (
	"context"
	"errors"
	"flag"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/storagetest/interleave"
)

const counter = "counter"

var noWeakness = interleave.Weaknesses()[0]

// weakness returns the kind of store with this name.
func weakness(t *testing.T, name string) interleave.Weakness {
	t.Helper()
	for _, w := range interleave.Weaknesses() {
		if w.Name == name {
			return w
		}
	}
	t.Fatalf("no weakness %q", name)
	return interleave.Weakness{}
}

func put(s *interleave.Scene, b storage.Bucket, key, text string) {
	_, err := b.Upload(s.Context(), key, strings.NewReader(text))
	require.NoError(s, err)
}

// read returns the content of an object, or "" if there is none.
func read(s *interleave.Scene, b storage.Bucket, key string) string {
	data, _, err := storage.ReadAll(s.Context(), b, key)
	if errors.Is(err, storage.ObjectNotFound) {
		return ""
	}
	require.NoError(s, err)
	return string(data)
}

// An update says how an actor writes an object that it has read.
type update int

const (
	unconditional update = iota // an upload that may overwrite an update of another actor
	byRevision                  // an upload if the object has the revision that was read, and otherwise once more
)

// appendToCounter appends text to the object of the key counter.
func appendToCounter(ctx context.Context, b storage.Bucket, text string, how update) error {
	for {
		data, attrs, err := storage.ReadAll(ctx, b, counter)
		if err != nil {
			return err
		}
		var opts []storage.UploadOption
		if how == byRevision {
			opts = append(opts, storage.IfRevision(attrs.Revision))
		}
		_, err = b.Upload(ctx, counter, strings.NewReader(string(data)+text), opts...)
		if !errors.Is(err, storage.PreconditionFailed) {
			return err
		}
	}
}

// sceneOfUpdates returns a scene in which each actor adds its name to one object. The scene fails
// if an update is lost.
func sceneOfUpdates(how update, names ...string) func(s *interleave.Scene) {
	return func(s *interleave.Scene) {
		store := s.Store("numbers")
		put(s, store.Bucket(), counter, "")
		var effects []interleave.Effect[string]
		for _, name := range names {
			p := s.Process(name)
			b := p.Bucket(store)
			a := p.Go(name, func(ctx context.Context) error {
				return appendToCounter(ctx, b, name, how)
			})
			effects = append(effects, interleave.Effect[string]{
				Actor: a,
				Apply: func(text string) (string, bool) {
					return text + name, true
				},
			})
		}

		s.Check(func() {
			text := read(s, store.Bucket(), counter)
			if !interleave.SomeOrder("", text, effects...) {
				s.Errorf("no order of the operations gives %q", text)
			}
		})
	}
}

// Explore finds, in its second schedule, that two writers without conditions lose an update.
func TestExploreFindsALostUpdate(t *testing.T) {
	report := interleave.Explore(t, interleave.Config{}, noWeakness, sceneOfUpdates(unconditional, "a", "b"))
	require.NotNil(t, report.Failure)
	require.Equal(t, 2, report.Failure.Number)
	require.Equal(t, []int{0, 1}, report.Failure.Schedule)
	require.Equal(t, `schedule 2 fails: no order of the operations gives "a"
      1 a        Get numbers "counter"
      2 b        Get numbers "counter"
      3 b        Put numbers "counter" "b"
      4 a        Put numbers "counter" "a"
repeat it: go test -run '^TestExploreFindsALostUpdate$' . -args -replay 0,1`, report.Failure.String())
}

// If updates have a condition on the revision, no interleaving loses an update.
func TestRunOfUpdatesByRevision(t *testing.T) {
	interleave.Run(t, interleave.Config{}, sceneOfUpdates(byRevision, "a", "b"))
}

// Run explores three actors with a larger budget and with random schedules.
func TestRunOfThreeActors(t *testing.T) {
	interleave.Run(t, interleave.Config{
		Weaknesses: []interleave.Weakness{noWeakness},
		Budgets:    []interleave.Budget{{Interruptions: 1, Losses: 1, Deaths: 1}},
		Random:     100,
	}, sceneOfUpdates(byRevision, "a", "b", "c"))
}

// Random schedules ignore the budget, and find a failure that an empty budget hides.
func TestExploreAtRandom(t *testing.T) {
	scene := sceneOfUpdates(unconditional, "a", "b")
	config := interleave.Config{Budgets: []interleave.Budget{{}}}
	require.Nil(t, interleave.Explore(t, config, noWeakness, scene).Failure)

	config.Random = 100
	require.NotNil(t, interleave.Explore(t, config, noWeakness, scene).Failure)
}

// A schedule is one order of the requests. Explore skips a schedule only if another schedule has
// the same result.
func TestExploreCutsOffWhatCommutes(t *testing.T) {
	results := make(map[string]bool)
	scene := func(s *interleave.Scene) {
		store := s.Store("s")
		for _, name := range []string{"a", "b"} {
			p := s.Process(name)
			b := p.Bucket(store)
			p.Go(name, func(ctx context.Context) error {
				for _, key := range []string{name + "1", name + "2", "shared"} {
					if _, err := b.Upload(ctx, key, strings.NewReader(name)); err != nil {
						return err
					}
				}
				return nil
			})
		}
		s.Check(func() {
			results[read(s, store.Bucket(), "shared")] = true
		})
	}

	onlyInterruptions := interleave.Budgets()[:1]
	report := interleave.Explore(t, interleave.Config{Budgets: onlyInterruptions}, noWeakness, scene)
	require.Nil(t, report.Failure)

	// Some runs were cut off, because only the order of the writes of "shared" matters. Each of the two results was
	// still seen in some run.
	require.Positive(t, report.Cut)
	require.Equal(t, map[string]bool{"a": true, "b": true}, results)
}

// A request whose response is lost still has its effect, and the bucket sends it again.
func TestExploreLosesResponses(t *testing.T) {
	runs := 0
	scene := func(s *interleave.Scene) {
		store := s.Store("s")
		p := s.Process("a")
		b := p.Bucket(store)
		a := p.Go("a", func(ctx context.Context) error {
			_, err := b.Upload(ctx, "k", strings.NewReader("text"), storage.IfAbsent())
			return err
		})
		s.Check(func() {
			require.NoError(s, a.Err())
			require.Equal(s, "text", read(s, store.Bucket(), "k"))
			runs++
		})
	}

	// Explore runs the scene once for each way in which at most one response is lost.
	config := interleave.Config{Budgets: []interleave.Budget{{Losses: 1}}}
	report := interleave.Explore(t, config, noWeakness, scene)
	require.Nil(t, report.Failure, "%v", report.Failure)
	require.Equal(t, 2, runs, "one run must be without a loss, and one with a loss")
	require.Equal(t, 3, report.Points, "the longest run has a Put whose response is lost, a Put, and a Head")
}

// Explore runs a scene once for each moment at which its process may die. No request of a dead process has an effect,
// even if the request ignores the end of its context.
func TestExploreLetsProcessesDie(t *testing.T) {
	outcomes := make(map[string]bool) // the keys that exist after a run
	scene := func(s *interleave.Scene) {
		// The process uploads "1" and "2", and then "cleaned" in a deferred call. A dead process
		// must not upload "cleaned".
		store := s.Store("s")
		p := s.Process("a")
		b := p.Bucket(store)
		a := p.Go("a", func(ctx context.Context) error {
			put := func(ctx context.Context, key string) error {
				_, err := b.Upload(ctx, key, strings.NewReader("text"))
				return err
			}
			defer func() {
				_ = put(context.WithoutCancel(ctx), "cleaned")
			}()
			return errors.Join(put(ctx, "1"), put(ctx, "2"))
		})

		// If an object is missing after a run, the process has died in this run.
		s.Check(func() {
			var keys []string
			for _, key := range []string{"1", "2", "cleaned"} {
				if read(s, store.Bucket(), key) != "" {
					keys = append(keys, key)
				}
			}
			outcomes[strings.Join(keys, " ")] = true
			hasAll := len(keys) == 3
			require.Equal(s, a.Died(), !hasAll)
			require.Equal(s, a.Died(), p.Died())
		})
	}

	config := interleave.Config{Budgets: []interleave.Budget{{Deaths: 1}}}
	report := interleave.Explore(t, config, noWeakness, scene)
	require.Nil(t, report.Failure, "%v", report.Failure)

	// A process dies before one of its requests, but not before the first one of the run.
	require.Equal(t, map[string]bool{
		"1":           true,
		"1 2":         true,
		"1 2 cleaned": true,
	}, outcomes)
}

// A budget limits what the explorer may do in a run. For example, it may let time pass while a
// request is pending. If the budget has no Ticks, an upload takes almost no time in each run.
// Otherwise, it takes a tick in some run.
func TestExploreLetsTimePass(t *testing.T) {
	const tick = time.Hour

	// longestUpload explores all runs that a budget permits, each with one upload. It returns the
	// time of the longest upload.
	longestUpload := func(budget interleave.Budget) time.Duration {
		longest := time.Duration(0)
		config := interleave.Config{Budgets: []interleave.Budget{budget}}
		interleave.Explore(t, config, noWeakness, func(s *interleave.Scene) {
			s.Tick(tick)
			store := s.Store("s")
			p := s.Process("a")
			b := p.Bucket(store)
			p.Go("a", func(ctx context.Context) error {
				start := time.Now()
				_, err := b.Upload(ctx, "k", strings.NewReader("text"))
				longest = max(longest, time.Since(start))
				return err
			})
		})
		return longest
	}

	hasTicks := false
	for _, budget := range interleave.Budgets() {
		longest := longestUpload(budget)
		if budget.Ticks == 0 {
			require.Less(t, longest, time.Minute, "%+v", budget)
		} else {
			hasTicks = true
			require.GreaterOrEqual(t, longest, tick, "%+v", budget)
		}
	}
	require.True(t, hasTicks, "a budget must have Ticks")
}

// A pending request ends when the deadline of its context passes.
func TestExploreHeedsContexts(t *testing.T) {
	timeouts := 0 // in all runs
	scene := func(s *interleave.Scene) {
		// In one of the runs, an hour passes while the upload is pending.
		s.Tick(time.Hour)
		store := s.Store("s")
		p := s.Process("a")
		b := p.Bucket(store)
		p.Go("a", func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			_, err := b.Upload(ctx, "k", strings.NewReader("text"))
			if errors.Is(err, storage.DeadlineExceeded) && errors.Is(err, storage.OutcomeUnknown) {
				timeouts++
			}
			return err
		})
	}
	interleave.Explore(t, interleave.Config{}, noWeakness, scene)
	require.Equal(t, 1, timeouts)
}

// Explore splits a copy into a read and a write. Another actor may replace the source before,
// between or after these requests.
func TestExploreSplitsCopies(t *testing.T) {
	type outcome struct{ src, dst string } // contents after a run
	outcomes := make(map[outcome]bool)
	onlyInterruptions := interleave.Budgets()[:1]
	report := interleave.Explore(t, interleave.Config{Budgets: onlyInterruptions}, noWeakness,
		func(s *interleave.Scene) {
			store := s.Store("s")
			put(s, store.Bucket(), "src", "first")

			copier := s.Process("copies")
			copierBucket := copier.Bucket(store)
			copier.Go("copies", func(ctx context.Context) error {
				_, err := storage.Copy(ctx, copierBucket, "dst", copierBucket, "src")
				return err
			})
			writer := s.Process("writes")
			writerBucket := writer.Bucket(store)
			writer.Go("writes", func(ctx context.Context) error {
				_, err := writerBucket.Upload(ctx, "src", strings.NewReader("second"))
				return err
			})

			s.Check(func() {
				outcomes[outcome{
					src: read(s, store.Bucket(), "src"),
					dst: read(s, store.Bucket(), "dst"),
				}] = true
			})
		})
	require.Nil(t, report.Failure, "%v", report.Failure)
	require.Equal(t, map[outcome]bool{
		{src: "second", dst: "first"}:  true,
		{src: "second", dst: "second"}: true,
		{src: "second", dst: ""}:       true, // the source changed between the request for its attributes and the read
	}, outcomes)
}

// A store may give equal content equal revisions. Then neither a listing nor a condition shows that
// an equal object replaced an object.
func TestEqualRevisionsHideAChange(t *testing.T) {
	tests := []struct {
		weakness  string
		isVisible bool // whether an equal object has another revision
	}{
		{weakness: "full", isVisible: true},
		{weakness: "equal-revisions", isVisible: false},
	}
	for _, tt := range tests {
		t.Run(tt.weakness, func(t *testing.T) {
			scene := func(s *interleave.Scene) {
				b := s.Store("s").Bucket()
				put(s, b, "k", "equal")
				attrs, err := b.Attrs(s.Context(), "k")
				require.NoError(s, err)
				ifFirst := storage.IfRevision(attrs.Revision)

				// Other content has another revision.
				put(s, b, "k", "other")
				require.ErrorIs(s, b.Remove(s.Context(), "k", ifFirst), storage.PreconditionFailed)

				// Equal content has another revision in a listing only if the change is visible.
				put(s, b, "k", "equal")
				page, err := storage.ListPage(s.Context(), b, "")
				require.NoError(s, err)
				require.Equal(s, tt.isVisible, page.Entries[0].Revision != attrs.Revision)

				// An upload with a condition on the revision fails only if the change is visible.
				_, err = b.Upload(s.Context(), "k", strings.NewReader("newer"), ifFirst)
				require.Equal(s, tt.isVisible, err != nil)

				// A removal with the same condition also fails only if the change is visible.
				put(s, b, "k", "equal")
				_ = b.Remove(s.Context(), "k", ifFirst)
				want := ""
				if tt.isVisible {
					want = "equal"
				}
				require.Equal(s, want, read(s, b, "k"))
			}

			report := interleave.Explore(t, interleave.Config{}, weakness(t, tt.weakness), scene)
			require.Nil(t, report.Failure, "%v", report.Failure)
		})
	}
}

// If an operation waits for ever, Explore reports it.
func TestExploreFindsWhoWaitsForEver(t *testing.T) {
	report := interleave.Explore(t, interleave.Config{}, noWeakness, func(s *interleave.Scene) {
		p := s.Process("a")
		p.Go("a", func(ctx context.Context) error {
			<-ctx.Done() // ends when the run has failed
			return ctx.Err()
		})
	})
	require.NotNil(t, report.Failure)
	require.Contains(t, report.Failure.Message, "waits for ever: a")
}

// If an operation leaves a goroutine behind, Explore reports it.
func TestExploreFindsGoroutinesThatRemain(t *testing.T) {
	report := interleave.Explore(t, interleave.Config{}, noWeakness, func(s *interleave.Scene) {
		never := make(chan struct{})
		p := s.Process("a")
		p.Go("a", func(context.Context) error {
			go func() {
				<-never
			}()
			return nil
		})
	})
	require.NotNil(t, report.Failure)
	require.Contains(t, report.Failure.Message, "goroutines remain")
}

// If an operation panics, Explore reports it.
func TestExploreFindsPanics(t *testing.T) {
	report := interleave.Explore(t, interleave.Config{}, noWeakness, func(s *interleave.Scene) {
		s.Process("a").Go("a", func(context.Context) error {
			panic("oh")
		})
	})
	require.NotNil(t, report.Failure)
	require.Contains(t, report.Failure.Message, "a panics: oh")
}

// If an operation makes calls without an end, Explore reports it.
func TestExploreFindsWhoNeverEnds(t *testing.T) {
	report := interleave.Explore(t, interleave.Config{}, noWeakness, func(s *interleave.Scene) {
		store := s.Store("s")
		p := s.Process("a")
		b := p.Bucket(store)
		p.Go("a", func(ctx context.Context) error {
			for ctx.Err() == nil {
				_, _ = b.Attrs(ctx, "k")
			}
			return nil
		})
	})
	require.NotNil(t, report.Failure)
	require.Contains(t, report.Failure.Message, "no end after")
}

// The actors of one process, like its goroutines, share its buckets. They lose no update if a lock orders their
// requests.
func TestActorsOfOneProcess(t *testing.T) {
	report := interleave.Explore(t, interleave.Config{}, noWeakness, func(s *interleave.Scene) {
		store := s.Store("s")
		put(s, store.Bucket(), counter, "")
		p := s.Process("p")
		b := p.Bucket(store)

		// The channel is the lock. One actor at a time holds it.
		lock := make(chan struct{}, 1)
		for _, name := range []string{"a", "b"} {
			p.Go(name, func(ctx context.Context) error {
				lock <- struct{}{}
				defer func() {
					<-lock
				}()
				return appendToCounter(ctx, b, name, unconditional)
			})
		}
		s.Check(func() {
			// Each actor has appended one letter, unless the process has died in this run.
			if !p.Died() {
				require.Len(s, read(s, store.Bucket(), counter), 2)
			}
		})
	})
	require.Nil(t, report.Failure, "%v", report.Failure)
}

// If the budget lets one read fail, the bucket repeats it, and the operation succeeds.
func TestExploreLetsReadsFail(t *testing.T) {
	failedReads := 0 // in all runs
	scene := func(s *interleave.Scene) {
		// A process reads an object, and writes it again with "a" at its end.
		store := s.Store("s")
		put(s, store.Bucket(), counter, "")
		p := s.Process("a")
		b := p.Bucket(store)
		a := p.Go("a", func(ctx context.Context) error { return appendToCounter(ctx, b, "a", byRevision) })

		s.Check(func() {
			require.NoError(s, a.Err())
			require.Equal(s, "a", read(s, store.Bucket(), counter))
			if a.Unanswered() {
				failedReads++
			}
		})
	}

	config := interleave.Config{Budgets: []interleave.Budget{{Failures: 1}}}
	report := interleave.Explore(t, config, noWeakness, scene)
	require.Nil(t, report.Failure, "%v", report.Failure)
	require.Equal(t, 1, failedReads)
	require.Equal(t, 3, report.Points, "the longest run has a Get that fails, a Get, and a Put")
}

// appendAfterOutage appends text to the object of the key counter. If the store does not answer, it tries again a minute
// later, when the outage has ended.
func appendAfterOutage(ctx context.Context, b storage.Bucket, text string) error {
	err := appendToCounter(ctx, b, text, byRevision)
	if errors.Is(err, storage.Unavailable) {
		time.Sleep(time.Minute)
		return appendToCounter(ctx, b, text, byRevision)
	}
	return err
}

// If a store stops responding to one process, it still responds to the others. Later, it also
// responds to that process again.
func TestExploreLetsStoresStopAnswering(t *testing.T) {
	// Explore runs the scene once for each order of the requests and each outage. There is at most
	// one outage, and one process cannot reach the store then.
	oneOutage := interleave.Config{Budgets: []interleave.Budget{{Outages: 1}}}
	unanswered := make(map[string]bool) // the names of processes without answers in one of the runs
	report := interleave.Explore(t, oneOutage, noWeakness,
		func(s *interleave.Scene) {
			store := s.Store("s")
			put(s, store.Bucket(), counter, "")

			// Two processes each append their name to an object.
			var actors []*interleave.Actor
			for _, name := range []string{"a", "b"} {
				p := s.Process(name)
				b := p.Bucket(store)
				actors = append(actors, p.Go(name, func(ctx context.Context) error {
					return appendAfterOutage(ctx, b, name)
				}))
			}
			s.Check(func() {
				for _, a := range actors {
					require.NoError(s, a.Err())
					if a.Unanswered() {
						unanswered[a.Name()] = true
					}
				}
				require.Len(s, read(s, store.Bucket(), counter), len(actors), "a letter of each")
			})
		})
	require.Nil(t, report.Failure, "%v", report.Failure)

	// Each process was without answers in at least one run.
	require.Equal(t, map[string]bool{"a": true, "b": true}, unanswered)
}

// With -interleave.verify, Explore runs each schedule twice, and fails if the second run differs.
func TestExploreComparesRuns(t *testing.T) {
	require.NoError(t, flag.Set("interleave.verify", "true"))
	defer func() {
		require.NoError(t, flag.Set("interleave.verify", "false"))
	}()

	equalRuns := sceneOfUpdates(byRevision, "a", "b")
	require.Nil(t, interleave.Explore(t, interleave.Config{}, noWeakness, equalRuns).Failure)

	// The second run of a schedule removes another key than the first one.
	runs := 0
	report := interleave.Explore(t, interleave.Config{}, noWeakness, func(s *interleave.Scene) {
		runs++
		key := strconv.Itoa(runs)
		store := s.Store("s")
		p := s.Process("a")
		b := p.Bucket(store)
		p.Go("a", func(ctx context.Context) error { return b.Remove(ctx, key) })
	})
	require.NotNil(t, report.Failure)
	require.Contains(t, report.Failure.Message, "the same schedule has another run")
}
