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

var full = interleave.Weaknesses()[0]

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

func read(s *interleave.Scene, b storage.Bucket, key string) string {
	data, _, err := storage.ReadAll(s.Context(), b, key)
	if errors.Is(err, storage.ObjectNotFound) {
		return ""
	}
	require.NoError(s, err)
	return string(data)
}

// add adds a text to an object. If careless is true, it does not use the revision that it has read.
func add(ctx context.Context, b storage.Bucket, text string, careless bool) error {
	for {
		data, attrs, err := storage.ReadAll(ctx, b, counter)
		if err != nil {
			return err
		}
		var opts []storage.UploadOption
		if !careless {
			opts = append(opts, storage.IfRevision(attrs.Revision))
		}
		_, err = b.Upload(ctx, counter, strings.NewReader(string(data)+text), opts...)
		if !errors.Is(err, storage.PreconditionFailed) {
			return err
		}
	}
}

// adding is a scene of actors that each add their name to an object.
func adding(careless bool, names ...string) func(s *interleave.Scene) {
	return func(s *interleave.Scene) {
		store := s.Store("numbers")
		put(s, store.Bucket(), counter, "")
		var effects []interleave.Effect[string]
		for _, name := range names {
			p := s.Process(name)
			b := p.Bucket(store)
			a := p.Go(name, func(ctx context.Context) error { return add(ctx, b, name, careless) })
			effects = append(effects, interleave.Effect[string]{
				Actor: a,
				Apply: func(text string) (string, bool) { return text + name, true },
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

// Two writers without conditions lose an update. Explore finds it in the second schedule.
func TestExploreFindsALostUpdate(t *testing.T) {
	report := interleave.Explore(t, interleave.Config{}, full, adding(true, "a", "b"))
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

// Updates by revision pass under all interleavings.
func TestRunOfUpdatesByRevision(t *testing.T) {
	interleave.Run(t, interleave.Config{}, adding(false, "a", "b"))
}

// Run explores three actors with a larger budget and with random schedules.
func TestRunOfThreeActors(t *testing.T) {
	interleave.Run(t, interleave.Config{
		Weaknesses: []interleave.Weakness{full},
		Budgets:    []interleave.Budget{{Interruptions: 1, Losses: 1, Deaths: 1}},
		Random:     100,
	}, adding(false, "a", "b", "c"))
}

// With an empty budget, Explore finds no failure. With random schedules, it finds one, because they ignore the
// budget.
func TestExploreAtRandom(t *testing.T) {
	none := []interleave.Budget{{}}
	require.Nil(t,
		interleave.Explore(t, interleave.Config{Budgets: none}, full, adding(true, "a", "b")).Failure)
	failure := interleave.Explore(t, interleave.Config{
		Budgets: none,
		Random:  100,
	}, full, adding(true, "a", "b")).Failure
	require.NotNil(t, failure)
}

// If Explore skips a schedule, it has run another one with the same result.
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

	report := interleave.Explore(t, interleave.Config{Budgets: interleave.Budgets()[:1]}, full, scene)
	require.Nil(t, report.Failure)
	require.Positive(t, report.Cut)
	require.Equal(t, map[string]bool{"a": true, "b": true}, results)
}

// If the response to a request is lost, the request still has its effect, and the bucket sends it again.
func TestExploreLosesResponses(t *testing.T) {
	var attempts []int
	report := interleave.Explore(t, interleave.Config{Budgets: []interleave.Budget{{Losses: 1}}}, full,
		func(s *interleave.Scene) {
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
				attempts = append(attempts, 1)
			})
		})
	require.Nil(t, report.Failure, "%v", report.Failure)
	require.Len(t, attempts, 2)
	require.Equal(t, 3, report.Points) // Put, whose response is lost, Put, Head
}

// If a process dies, it sends no more requests, and its context ends.
func TestExploreLetsProcessesDie(t *testing.T) {
	outcomes := make(map[string]bool)
	report := interleave.Explore(t, interleave.Config{Budgets: []interleave.Budget{{Deaths: 1}}}, full,
		func(s *interleave.Scene) {
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
			s.Check(func() {
				have := ""
				for _, key := range []string{"1", "2", "cleaned"} {
					if read(s, store.Bucket(), key) != "" {
						have += key + " "
					}
				}
				outcomes[have] = true
				require.Equal(s, a.Died(), have != "1 2 cleaned ")
				require.Equal(s, a.Died(), p.Died())
			})
		})
	require.Nil(t, report.Failure, "%v", report.Failure)
	require.Equal(t, map[string]bool{"1 2 cleaned ": true, "1 ": true, "1 2 ": true}, outcomes)
}

// While a request is pending, time passes only as often as the budget's Ticks permit.
func TestExploreLetsTimePass(t *testing.T) {
	var longest time.Duration
	scene := func(s *interleave.Scene) {
		s.Tick(time.Hour)
		store := s.Store("s")
		p := s.Process("a")
		b := p.Bucket(store)
		p.Go("a", func(ctx context.Context) error {
			start := time.Now()
			_, err := b.Upload(ctx, "k", strings.NewReader("text"))
			longest = max(longest, time.Since(start))
			return err
		})
	}

	interleave.Explore(t, interleave.Config{Budgets: interleave.Budgets()[:3]}, full, scene)
	require.Less(t, longest, time.Minute)
	interleave.Explore(t, interleave.Config{Budgets: interleave.Budgets()[3:]}, full, scene)
	require.GreaterOrEqual(t, longest, time.Hour)
}

// If the deadline of a pending request passes, the request ends.
func TestExploreHeedsContexts(t *testing.T) {
	count := 0
	interleave.Explore(t, interleave.Config{}, full, func(s *interleave.Scene) {
		s.Tick(time.Hour)
		store := s.Store("s")
		p := s.Process("a")
		b := p.Bucket(store)
		p.Go("a", func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			_, err := b.Upload(ctx, "k", strings.NewReader("text"))
			if errors.Is(err, storage.DeadlineExceeded) && errors.Is(err, storage.OutcomeUnknown) {
				count++
			}
			return err
		})
	})
	require.Equal(t, 1, count)
}

// Explore splits a copy into a read and a write. Another actor may replace the source before, between or after
// them.
func TestExploreSplitsCopies(t *testing.T) {
	outcomes := make(map[string]bool)
	report := interleave.Explore(t, interleave.Config{Budgets: interleave.Budgets()[:1]}, full,
		func(s *interleave.Scene) {
			store := s.Store("s")
			put(s, store.Bucket(), "src", "first")
			copies := s.Process("copies")
			writes := s.Process("writes")
			b := copies.Bucket(store)
			copies.Go("copies", func(ctx context.Context) error {
				_, err := storage.Copy(ctx, b, "dst", b, "src")
				return err
			})
			c := writes.Bucket(store)
			writes.Go("writes", func(ctx context.Context) error {
				_, err := c.Upload(ctx, "src", strings.NewReader("second"))
				return err
			})
			s.Check(func() {
				outcomes[read(s, store.Bucket(), "dst")+" of "+read(s, store.Bucket(), "src")] = true
			})
		})
	require.Nil(t, report.Failure, "%v", report.Failure)
	require.Equal(t, map[string]bool{
		"first of second":  true,
		"second of second": true,
		" of second":       true,
	}, outcomes)
}

// If a store gives equal content equal revisions, replacing an object by an equal one is not visible.
func TestEqualRevisionsHideAChange(t *testing.T) {
	for _, tt := range []struct {
		weakness string
		want     string
	}{
		{weakness: "full", want: "equal"},
		{weakness: "equal-revisions", want: ""},
	} {
		report := interleave.Explore(t, interleave.Config{}, weakness(t,
			tt.weakness), func(s *interleave.Scene) {
			b := s.Store("s").Bucket()
			put(s, b, "k", "equal")
			attrs, err := b.Attrs(s.Context(), "k")
			require.NoError(s, err)
			put(s, b, "k", "other")

			require.ErrorIs(s, b.Remove(s.Context(), "k", storage.IfRevision(attrs.Revision)),
				storage.PreconditionFailed)
			put(s, b, "k", "equal")
			entries, err := storage.ListPage(s.Context(), b, "")
			require.NoError(s, err)
			listed := entries.Entries[0].Revision == attrs.Revision
			require.Equal(s, tt.want == "", listed)

			_, err = b.Upload(s.Context(), "k", strings.NewReader("newer"),
				storage.IfRevision(attrs.Revision))
			require.Equal(s, tt.want == "", err == nil)
			put(s, b, "k", "equal")
			_ = b.Remove(s.Context(), "k", storage.IfRevision(attrs.Revision))
			require.Equal(s, tt.want, read(s, b, "k"))
		})
		require.Nil(t, report.Failure, "%v", report.Failure)
	}
}

// Explore reports an operation that waits for ever.
func TestExploreFindsWhoWaitsForEver(t *testing.T) {
	report := interleave.Explore(t, interleave.Config{}, full, func(s *interleave.Scene) {
		p := s.Process("a")
		p.Go("a", func(ctx context.Context) error {
			<-ctx.Done() // ends when the run has failed
			return ctx.Err()
		})
	})
	require.NotNil(t, report.Failure)
	require.Contains(t, report.Failure.Message, "waits for ever: a")
}

// Explore reports goroutines that remain after the operations.
func TestExploreFindsGoroutinesThatRemain(t *testing.T) {
	stop := make(chan struct{})
	defer close(stop)
	report := interleave.Explore(t, interleave.Config{}, full, func(s *interleave.Scene) {
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

// Explore reports an operation that panics.
func TestExploreFindsPanics(t *testing.T) {
	report := interleave.Explore(t, interleave.Config{}, full, func(s *interleave.Scene) {
		s.Process("a").Go("a", func(context.Context) error {
			panic("oh")
		})
	})
	require.NotNil(t, report.Failure)
	require.Contains(t, report.Failure.Message, "a panics: oh")
}

// Explore reports an operation that makes calls without an end.
func TestExploreFindsWhoNeverEnds(t *testing.T) {
	report := interleave.Explore(t, interleave.Config{}, full, func(s *interleave.Scene) {
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

// The actors of one process share its buckets, and can order their requests by a lock.
func TestActorsOfOneProcess(t *testing.T) {
	report := interleave.Explore(t, interleave.Config{}, full, func(s *interleave.Scene) {
		store := s.Store("s")
		put(s, store.Bucket(), counter, "")
		p := s.Process("p")
		b := p.Bucket(store)
		lock := make(chan struct{}, 1)
		for _, name := range []string{"a", "b"} {
			p.Go(name, func(ctx context.Context) error {
				lock <- struct{}{}
				defer func() {
					<-lock
				}()
				return add(ctx, b, name, true)
			})
		}
		s.Check(func() {
			if !p.Died() {
				require.Len(s, read(s, store.Bucket(), counter), 2)
			}
		})
	})
	require.Nil(t, report.Failure, "%v", report.Failure)
}

// If a read fails, the bucket repeats it. The budget's Failures limit how many reads fail.
func TestExploreLetsReadsFail(t *testing.T) {
	failures := 0
	report := interleave.Explore(t, interleave.Config{Budgets: []interleave.Budget{{Failures: 1}}}, full,
		func(s *interleave.Scene) {
			store := s.Store("s")
			put(s, store.Bucket(), counter, "")
			p := s.Process("a")
			b := p.Bucket(store)
			a := p.Go("a", func(ctx context.Context) error { return add(ctx, b, "a", false) })
			s.Check(func() {
				require.NoError(s, a.Err())
				require.Equal(s, "a", read(s, store.Bucket(), counter))
				if a.Unanswered() {
					failures++
				}
			})
		})
	require.Nil(t, report.Failure, "%v", report.Failure)
	require.Equal(t, 1, failures)
	require.Equal(t, 3, report.Points) // Get, which fails, Get, Put
}

// If a store stops responding to one process, it still responds to others, and later to that process again.
func TestExploreLetsStoresStopAnswering(t *testing.T) {
	unanswered := make(map[string]bool)
	report := interleave.Explore(t, interleave.Config{Budgets: []interleave.Budget{{Outages: 1}}}, full,
		func(s *interleave.Scene) {
			store := s.Store("s")
			put(s, store.Bucket(), counter, "")
			var actors []*interleave.Actor
			for _, name := range []string{"a", "b"} {
				p := s.Process(name)
				b := p.Bucket(store)
				actors = append(actors, p.Go(name, func(ctx context.Context) error {
					err := add(ctx, b, name, false)
					if errors.Is(err, storage.Unavailable) {
						time.Sleep(time.Minute)
						err = add(ctx, b, name, false)
					}
					return err
				}))
			}
			s.Check(func() {
				for _, a := range actors {
					require.NoError(s, a.Err())
					if a.Unanswered() {
						unanswered[a.Name()] = true
					}
				}
				require.Len(s, read(s, store.Bucket(), counter), 2)
			})
		})
	require.Nil(t, report.Failure, "%v", report.Failure)
	require.Equal(t, map[string]bool{"a": true, "b": true}, unanswered)
}

// With -interleave.verify, Explore runs each schedule twice, and fails if the second run differs.
func TestExploreComparesRuns(t *testing.T) {
	require.NoError(t, flag.Set("interleave.verify", "true"))
	defer func() {
		require.NoError(t, flag.Set("interleave.verify", "false"))
	}()

	require.Nil(t, interleave.Explore(t, interleave.Config{}, full, adding(false, "a", "b")).Failure)
	runs := 0
	report := interleave.Explore(t, interleave.Config{}, full, func(s *interleave.Scene) {
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
