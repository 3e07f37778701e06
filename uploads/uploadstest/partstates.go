package uploadstest

import (
	"context"
	"fmt"
	"strings"
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

// setState sets a state and returns its new revision. It requires that the revision has changed.
func setState(t *testing.T, s uploads.States, key, state, revision string) string {
	t.Helper()
	text, err := s.SetState(t.Context(), key, []byte(state), revision)
	require.NoError(t, err)
	require.NotEmpty(t, text)
	require.NotEqual(t, revision, text)
	return text
}

// requireState requires that a key has a state with the revision.
func requireState(t *testing.T, s uploads.States, key, state, revision string) {
	t.Helper()
	got, current, err := s.State(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, state, string(got))
	require.Equal(t, revision, current)
}

// stateGivenBack tests that State returns a state as it was set: an empty object, one with special
// characters, one with many escapes, and one of a mebibyte.
func stateGivenBack(t *testing.T, s uploads.States) {
	states := []string{
		`{}`,
		`{"originalFileName":"Größe ☕ 'it' \"?\" $1 🦄"}`,
		`{"originalFileName":"` + strings.Repeat(`\u003c`, 1000) + `"}`,
		// The text around the letters has 14 bytes.
		`{"etags":["` + strings.Repeat("x", 1<<20-14) + `"]}`,
	}
	for i, state := range states {
		key := fmt.Sprintf("files/parts/client/%d/state.json", i)
		revision := setState(t, s, key, state, "")
		requireState(t, s, key, state, revision)
	}
}

// stateNotThere tests that a missing state is not found, also under a key that no store can keep,
// and that it cannot be replaced.
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

// stateSwapped tests that SetState replaces a state only if it gets the current revision of the
// state, and that each write has a revision of its own.
func stateSwapped(t *testing.T, s uploads.States) {
	first := setState(t, s, firstKey, `{"count":1}`, "")
	other := setState(t, s, secondKey, `{"count":1}`, "")
	require.NotEqual(t, first, other, "no two writes have one revision")

	// Revisions that the state does not have are refused.
	for _, revision := range []string{"", other, "another"} {
		_, err := s.SetState(t.Context(), firstKey, []byte(`{"count":3}`), revision)
		require.ErrorIs(t, err, storage.PreconditionFailed, "revision %q", revision)
	}
	requireState(t, s, firstKey, `{"count":1}`, first)

	second := setState(t, s, firstKey, `{"count":2}`, first)
	requireState(t, s, firstKey, `{"count":2}`, second)

	// The old state comes back. Its old revision is still refused.
	third := setState(t, s, firstKey, `{"count":1}`, second)
	require.NotEqual(t, first, third, "even if the state is equal to an earlier one")
	_, err := s.SetState(t.Context(), firstKey, []byte(`{"count":4}`), first)
	require.ErrorIs(t, err, storage.PreconditionFailed)
	requireState(t, s, secondKey, `{"count":1}`, other)
}

// stateRemoved tests that RemoveState removes a state only if it gets the current revision, and
// that a removed state cannot be replaced, but set again.
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

// stateCallersOwn tests that the states do not share memory with the caller. The caller clears the
// text that it has passed to SetState, and the text that State has returned.
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

// statesListed tests that the pages of ListStates together have each key after the given one, in
// the order of bytes.
func statesListed(t *testing.T, s uploads.States) {
	var keys []string
	for _, client := range "-.0Zaz~" {
		keys = append(keys, fmt.Sprintf("files/parts/client/%c/state.json", client))
	}
	// Set the states in another order than that of their keys.
	for i := range keys {
		setState(t, s, keys[(i*3)%len(keys)], `{}`, "")
	}

	tests := []struct {
		after string
		limit int
		want  []string
	}{
		{"", 1, keys},
		{"", 3, keys},
		{"", 7, keys},
		{"", 1000, keys},
		{keys[2], 2, keys[3:]},
		{"files/parts/client/0", 10, keys[2:]},
		{keys[6], 10, nil},
	}
	for _, tt := range tests {
		got := listStates(t, s, tt.after, tt.limit)
		require.Equal(t, tt.want, got, "after %q, %d at a time", tt.after, tt.limit)
	}
}

// listStates reads all pages of ListStates, and returns the keys.
func listStates(t *testing.T, s uploads.States, startAfter string, limit int) []string {
	t.Helper()
	var keys []string
	for {
		states, next, err := s.ListStates(t.Context(), startAfter, limit)
		require.NoError(t, err)
		require.LessOrEqual(t, len(states), limit)
		for _, one := range states {
			keys = append(keys, one.Key)
		}
		if next == "" {
			return keys
		}
		require.Greater(t, next, startAfter, "the pages have no end")
		startAfter = next
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

// oneStateCreator tests that exactly one of several calls that create a state succeeds, and that
// this call has made the state.
func oneStateCreator(t *testing.T, s uploads.States) {
	revisions := make([]string, racers)
	errs := make([]error, racers)
	stateOf := func(i int) string { return fmt.Sprintf(`{"count":%d}`, i) }
	race(racers, func(i int) {
		revisions[i], errs[i] = s.SetState(t.Context(), firstKey, []byte(stateOf(i)), "")
	})

	var winners []int
	for i, err := range errs {
		if err != nil {
			require.ErrorIs(t, err, storage.PreconditionFailed)
			continue
		}
		winners = append(winners, i)
	}
	require.Len(t, winners, 1, "one winner")
	winner := winners[0]
	requireState(t, s, firstKey, stateOf(winner), revisions[winner])
}

// statesAtOnce tests that no write is lost if several goroutines replace a state. Each of them adds
// 1 to the number in the state, several times.
func statesAtOnce(t *testing.T, s uploads.States) {
	const each = 5
	setState(t, s, firstKey, `0`, "")
	errs := make([]error, racers)
	race(racers, func(i int) {
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

// stateContextDone tests that every method fails with the error of its context after the context
// has ended, and changes nothing.
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
