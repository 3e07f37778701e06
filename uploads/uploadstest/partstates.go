package uploadstest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
)

// RunStates tests that an implementation of [uploads.States] works as documented. For each test
// case, it calls open, which must return States without any entries. Test cases run in parallel.
// RunStates returns after the last one.
func RunStates(t *testing.T, open func(t *testing.T) uploads.States) {
	t.Helper()
	t.Run("states of parts", func(t *testing.T) {
		for _, c := range partStateCases {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.run(t, open(t))
			})
		}
	})
}

var partStateCases = []struct {
	name string
	run  func(t *testing.T, s uploads.States)
}{
	{"a stored state is returned", stateGivenBack},
	{"a missing state is not found", stateNotThere},
	{"a state is replaced only if it has the revision", stateSwapped},
	{"a removed state does not come back", stateRemoved},
	{"a state belongs to the caller", stateCallersOwn},
	{"states are listed in pages, by key", statesListed},
	{"a state that is stored again is not idle", stateIdle},
	{"one of several that create a state succeeds", oneStateCreator},
	{"each of several that replace a state replaces another one", statesAtOnce},
	{"nothing happens if ctx has ended", stateContextDone},
}

const (
	firstKey  = "files/parts/client/aaaa/state.json"
	secondKey = "files/parts/client/bbbb/state.json"
)

func setState(t *testing.T, s uploads.States, key, state, revision string) string {
	t.Helper()
	text, err := s.SetState(t.Context(), key, []byte(state), revision)
	require.NoError(t, err)
	require.NotEmpty(t, text)
	require.NotEqual(t, revision, text)
	return text
}

func requireState(t *testing.T, s uploads.States, key, state, revision string) {
	t.Helper()
	got, current, err := s.State(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, state, string(got))
	require.Equal(t, revision, current)
}

func stateGivenBack(t *testing.T, s uploads.States) {
	name := ""
	for range 1000 {
		name += `\u003c`
	}
	for i, state := range []string{`{}`, `{"originalFileName":"Größe ☕ 'it' \"?\" $1 🦄"}`, `{"originalFileName":"` + name + `"}`, `{"etags":["` + strings.Repeat("x", 1<<20-14) + `"]}`} {
		key := fmt.Sprintf("files/parts/client/%d/state.json", i)
		requireState(t, s, key, state, setState(t, s, key, state, ""))
	}
}

func stateNotThere(t *testing.T, s uploads.States) {
	setState(t, s, firstKey, `{}`, "")
	for _, key := range []string{secondKey, "files/parts/client/a\x00b/state.json"} {
		state, revision, err := s.State(t.Context(), key)
		absent(t, err)
		require.Empty(t, state, "%q", key)
		require.Empty(t, revision)
	}
	_, err := s.SetState(t.Context(), secondKey, []byte(`{}`), "another")
	require.ErrorIs(t, err, storage.PreconditionFailed)
	_, _, err = s.State(t.Context(), secondKey)
	absent(t, err)
}

func stateSwapped(t *testing.T, s uploads.States) {
	first := setState(t, s, firstKey, `{"count":1}`, "")
	other := setState(t, s, secondKey, `{"count":1}`, "")
	require.NotEqual(t, first, other, "no two writes have one revision")
	for _, revision := range []string{"", other, "another"} {
		_, err := s.SetState(t.Context(), firstKey, []byte(`{"count":3}`), revision)
		require.ErrorIs(t, err, storage.PreconditionFailed, "revision %q", revision)
	}
	requireState(t, s, firstKey, `{"count":1}`, first)
	second := setState(t, s, firstKey, `{"count":2}`, first)
	requireState(t, s, firstKey, `{"count":2}`, second)
	third := setState(t, s, firstKey, `{"count":1}`, second)
	require.NotEqual(t, first, third, "even if the state is equal to an earlier one")
	_, err := s.SetState(t.Context(), firstKey, []byte(`{"count":4}`), first)
	require.ErrorIs(t, err, storage.PreconditionFailed)
	requireState(t, s, secondKey, `{"count":1}`, other)
}

func stateRemoved(t *testing.T, s uploads.States) {
	revision := setState(t, s, firstKey, `{}`, "")
	other := setState(t, s, secondKey, `{}`, "")
	require.NoError(t, s.RemoveState(t.Context(), firstKey, other), "it has another revision")
	requireState(t, s, firstKey, `{}`, revision)
	for range 2 {
		require.NoError(t, s.RemoveState(t.Context(), firstKey, revision))
		_, _, err := s.State(t.Context(), firstKey)
		absent(t, err)
	}
	_, err := s.SetState(t.Context(), firstKey, []byte(`{}`), revision)
	require.ErrorIs(t, err, storage.PreconditionFailed)
	requireState(t, s, secondKey, `{}`, other)
	require.NotEqual(t, revision, setState(t, s, firstKey, `{}`, ""))
}

func stateCallersOwn(t *testing.T, s uploads.States) {
	text := []byte(`{"count":1}`)
	revision, err := s.SetState(t.Context(), firstKey, text, "")
	require.NoError(t, err)
	clear(text)
	got, _, err := s.State(t.Context(), firstKey)
	require.NoError(t, err)
	clear(got)
	requireState(t, s, firstKey, `{"count":1}`, revision)
}

func statesListed(t *testing.T, s uploads.States) {
	var want []string
	for i := range 7 {
		want = append(want, fmt.Sprintf("files/parts/client/%c/state.json", "-.0Zaz~"[i]))
	}
	for i := range want {
		setState(t, s, want[(i*3)%len(want)], `{}`, "")
	}
	for _, row := range []struct {
		after string
		limit int
		want  []string
	}{
		{"", 1, want}, {"", 3, want}, {"", 7, want}, {"", 1000, want},
		{want[2], 2, want[3:]}, {"files/parts/client/0", 10, want[2:]}, {want[6], 10, nil},
	} {
		var got []string
		for startAfter, hasMore := row.after, true; hasMore; hasMore = startAfter != "" {
			states, next, err := s.ListStates(t.Context(), startAfter, row.limit)
			require.NoError(t, err)
			require.LessOrEqual(t, len(states), row.limit)
			for _, one := range states {
				got = append(got, one.Key)
			}
			require.True(t, next == "" || next > startAfter, "the pages have no end")
			startAfter = next
		}
		require.Equal(t, row.want, got, "after %q, %d at a time", row.after, row.limit)
	}
}

// stateIdle requires that Idle is correct to within a minute. The database or bucket measures Idle
// by its own clock, which a test cannot change.
func stateIdle(t *testing.T, s uploads.States) {
	revision := setState(t, s, firstKey, `{}`, "")
	setState(t, s, firstKey, `{"count":1}`, revision)
	states, _, err := s.ListStates(t.Context(), "", 10)
	require.NoError(t, err)
	require.Len(t, states, 1)
	require.InDelta(t, 0, states[0].Idle.Seconds(), time.Minute.Seconds())
}

func oneStateCreator(t *testing.T, s uploads.States) {
	var mu sync.Mutex
	var won []string
	errs := make([]error, racers)
	race(func(i int) {
		var revision string
		revision, errs[i] = s.SetState(t.Context(), firstKey, fmt.Appendf(nil, `{"count":%d}`, i), "")
		if errs[i] == nil {
			mu.Lock()
			defer mu.Unlock()
			won = append(won, fmt.Sprintf(`{"count":%d}`, i), revision)
		}
	})
	for _, err := range errs {
		if err != nil {
			require.ErrorIs(t, err, storage.PreconditionFailed)
		}
	}
	require.Len(t, won, 2, "one winner")
	requireState(t, s, firstKey, won[0], won[1])
}

func statesAtOnce(t *testing.T, s uploads.States) {
	const each = 5
	setState(t, s, firstKey, `0`, "")
	errs := make([]error, racers)
	race(func(i int) {
		errs[i] = countUp(t.Context(), s, each)
	})
	for _, err := range errs {
		require.NoError(t, err)
	}
	got, _, err := s.State(t.Context(), firstKey)
	require.NoError(t, err)
	require.Equal(t, fmt.Sprint(racers*each), string(got), "no write was lost")
}

// countUp adds 1 to the number in the state, as many times as the caller asks.
func countUp(ctx context.Context, s uploads.States, times int) error {
	for times > 0 {
		state, revision, err := s.State(ctx, firstKey)
		if err != nil {
			return err
		}
		var count int
		if _, err := fmt.Sscan(string(state), &count); err != nil {
			return err
		}
		_, err = s.SetState(ctx, firstKey, fmt.Append(nil, count+1), revision)
		if err == nil {
			times--
		} else if storage.CodeOf(err) != storage.PreconditionFailed {
			return err
		}
	}
	return nil
}

func stateContextDone(t *testing.T, s uploads.States) {
	revision := setState(t, s, firstKey, `{}`, "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := s.State(ctx, firstKey)
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.SetState(ctx, secondKey, []byte(`{}`), "")
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.SetState(ctx, firstKey, []byte(`1`), revision)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, s.RemoveState(ctx, firstKey, revision), context.Canceled)
	_, _, err = s.ListStates(ctx, "", 10)
	require.ErrorIs(t, err, context.Canceled)
	requireState(t, s, firstKey, `{}`, revision)
}
