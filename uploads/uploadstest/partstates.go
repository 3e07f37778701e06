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
	{"a stored state is returned", testState},
	{"a missing state is not found", testStateMissing},
	{"a state is replaced only if it has the revision", testSetState},
	{"a removed state does not come back", testRemoveState},
	{"a state belongs to the caller", testStateCopies},
	{"states are listed in pages, by key", testListStates},
	{"a state that is stored again is not idle", testStateIdle},
	{"one of several that create a state succeeds", testConcurrentCreateState},
	{"each of several that replace a state replaces another one", testConcurrentSetState},
	{"nothing happens if ctx has ended", testStatesCanceledContext},
}

const (
	firstKey  = "files/parts/client/aaaa/state.json"
	secondKey = "files/parts/client/bbbb/state.json"
)

// setState sets a state, requires that this changes its revision, and returns the new one.
func setState(t *testing.T, s uploads.States, key, state, revision string) string {
	t.Helper()
	newRevision, err := s.SetState(t.Context(), key, []byte(state), revision)
	require.NoError(t, err)
	require.NotEmpty(t, newRevision)
	require.NotEqual(t, revision, newRevision)
	return newRevision
}

// requireState requires that a key has the state and the revision.
func requireState(t *testing.T, s uploads.States, key, wantState, wantRevision string) {
	t.Helper()
	state, revision, err := s.State(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, wantState, string(state))
	require.Equal(t, wantRevision, revision)
}

// testState tests that State returns a state as it was set, whatever its characters and its size.
func testState(t *testing.T, s uploads.States) {
	const mebibyte = 1 << 20
	tests := []struct {
		name  string
		state string
	}{
		{name: "an empty object", state: `{}`},
		{name: "special characters", state: `{"originalFileName":"Größe ☕ 'it' \"?\" $1 🦄"}`},
		{name: "many escapes", state: `{"originalFileName":"` + strings.Repeat(`\u003c`, 1000) + `"}`},
		{name: "a mebibyte", state: `{"etags":["` + strings.Repeat("x", mebibyte-len(`{"etags":[""]}`)) + `"]}`},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			key := fmt.Sprintf("files/parts/client/%d/state.json", i)
			revision := setState(t, s, key, tt.state, "")
			requireState(t, s, key, tt.state, revision)
		})
	}
}

// testStateMissing tests that State does not find a missing state, even under a key that no store
// can keep, and that SetState does not replace it.
func testStateMissing(t *testing.T, s uploads.States) {
	setState(t, s, firstKey, `{}`, "")
	for _, key := range []string{secondKey, "files/parts/client/a\x00b/state.json"} {
		state, revision, err := s.State(t.Context(), key)
		requireNotFound(t, err)
		require.Empty(t, state, "%q", key)
		require.Empty(t, revision)
	}

	_, err := s.SetState(t.Context(), secondKey, []byte(`{}`), "another")
	require.ErrorIs(t, err, storage.PreconditionFailed)
	_, _, err = s.State(t.Context(), secondKey)
	requireNotFound(t, err)
}

// testSetState tests that SetState replaces a state only if it gets the state's current revision,
// and that every write has a revision of its own.
func testSetState(t *testing.T, s uploads.States) {
	first := setState(t, s, firstKey, `{"count":1}`, "")
	ofSecondKey := setState(t, s, secondKey, `{"count":1}`, "")
	require.NotEqual(t, first, ofSecondKey, "no two writes have the same revision")

	// Revisions that the state does not have are refused.
	for _, revision := range []string{"", ofSecondKey, "another"} {
		_, err := s.SetState(t.Context(), firstKey, []byte(`{"count":3}`), revision)
		require.ErrorIs(t, err, storage.PreconditionFailed, "revision %q", revision)
	}
	requireState(t, s, firstKey, `{"count":1}`, first)

	second := setState(t, s, firstKey, `{"count":2}`, first)
	requireState(t, s, firstKey, `{"count":2}`, second)

	// If the old state is set again, its old revision is still refused.
	third := setState(t, s, firstKey, `{"count":1}`, second)
	require.NotEqual(t, first, third)
	_, err := s.SetState(t.Context(), firstKey, []byte(`{"count":4}`), first)
	require.ErrorIs(t, err, storage.PreconditionFailed)
	requireState(t, s, secondKey, `{"count":1}`, ofSecondKey)
}

// testRemoveState tests that RemoveState removes a state only if it gets the current revision, and
// that the removed state can be set again, but not replaced.
func testRemoveState(t *testing.T, s uploads.States) {
	revision := setState(t, s, firstKey, `{}`, "")
	ofSecondKey := setState(t, s, secondKey, `{}`, "")
	// With another revision, RemoveState does nothing.
	require.NoError(t, s.RemoveState(t.Context(), firstKey, ofSecondKey))
	requireState(t, s, firstKey, `{}`, revision)

	// A removal may be repeated.
	for range 2 {
		require.NoError(t, s.RemoveState(t.Context(), firstKey, revision))
		_, _, err := s.State(t.Context(), firstKey)
		requireNotFound(t, err)
	}

	_, err := s.SetState(t.Context(), firstKey, []byte(`{}`), revision)
	require.ErrorIs(t, err, storage.PreconditionFailed)
	requireState(t, s, secondKey, `{}`, ofSecondKey)
	require.NotEqual(t, revision, setState(t, s, firstKey, `{}`, ""))
}

// testStateCopies tests that a state does not change with the slice that was passed to SetState, or
// with the one that State returned.
func testStateCopies(t *testing.T, s uploads.States) {
	text := []byte(`{"count":1}`)
	revision, err := s.SetState(t.Context(), firstKey, text, "")
	require.NoError(t, err)
	clear(text) // sets all bytes to 0

	got, _, err := s.State(t.Context(), firstKey)
	require.NoError(t, err)
	clear(got)

	requireState(t, s, firstKey, `{"count":1}`, revision)
}

// testListStates tests that the pages of ListStates together have every key after the given one, sorted by
// bytes.
func testListStates(t *testing.T, s uploads.States) {
	// These characters are in the order of their bytes.
	var keys []string
	for _, client := range "-.0Zaz~" {
		keys = append(keys, fmt.Sprintf("files/parts/client/%c/state.json", client))
	}
	// Set the states in another order than that of their keys.
	for _, i := range []int{0, 3, 6, 2, 5, 1, 4} {
		setState(t, s, keys[i], `{}`, "")
	}

	// The key after which to begin need not exist.
	tests := []struct {
		after string
		limit int
		want  []string
	}{
		{after: "", limit: 1, want: keys},
		{after: "", limit: 3, want: keys},
		{after: "", limit: 7, want: keys},
		{after: "", limit: 1000, want: keys},
		{after: keys[2], limit: 2, want: keys[3:]},
		{after: "files/parts/client/0", limit: 10, want: keys[2:]},
		{after: keys[6], limit: 10, want: nil},
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
		for _, state := range states {
			keys = append(keys, state.Key)
		}
		if next == "" {
			return keys
		}
		require.Greater(t, next, startAfter)
		startAfter = next
	}
}

// testStateIdle tests that a state that was just set has been idle for less than a minute. The
// store measures Idle by its own clock, which a test cannot change.
func testStateIdle(t *testing.T, s uploads.States) {
	revision := setState(t, s, firstKey, `{}`, "")
	setState(t, s, firstKey, `{"count":1}`, revision)

	states, _, err := s.ListStates(t.Context(), "", 10)
	require.NoError(t, err)
	require.Len(t, states, 1)
	require.InDelta(t, 0, states[0].Idle.Seconds(), time.Minute.Seconds())
}

// testConcurrentCreateState tests that exactly one of several concurrent calls creates a state, and
// that the state is the one of this call.
func testConcurrentCreateState(t *testing.T, s uploads.States) {
	revisions := make([]string, racers)
	errs := make([]error, racers)
	stateOf := func(i int) string {
		return fmt.Sprintf(`{"count":%d}`, i)
	}
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
	require.Len(t, winners, 1)
	winner := winners[0]
	requireState(t, s, firstKey, stateOf(winner), revisions[winner])
}

// testConcurrentSetState tests that no write is lost when several goroutines replace a state, each
// of which adds 1 to the number in it several times.
func testConcurrentSetState(t *testing.T, s uploads.States) {
	const times = 5
	setState(t, s, firstKey, `0`, "")
	errs := make([]error, racers)
	race(racers, func(i int) {
		errs[i] = increment(t.Context(), s, times)
	})
	for _, err := range errs {
		require.NoError(t, err)
	}

	got, _, err := s.State(t.Context(), firstKey)
	require.NoError(t, err)
	require.Equal(t, fmt.Sprint(racers*times), string(got))
}

// increment adds 1 to the number in the state, and repeats this until it has succeeded the given
// number of times. A write that comes after another one with the same revision is tried again.
func increment(ctx context.Context, s uploads.States, times int) error {
	for succeeded := 0; succeeded < times; {
		state, revision, err := s.State(ctx, firstKey)
		if err != nil {
			return err
		}
		var count int
		if _, err := fmt.Sscan(string(state), &count); err != nil {
			return err
		}

		_, err = s.SetState(ctx, firstKey, fmt.Append(nil, count+1), revision)
		if storage.CodeOf(err) == storage.PreconditionFailed {
			continue
		}
		if err != nil {
			return err
		}
		succeeded++
	}
	return nil
}

// testStatesCanceledContext tests that every method fails with the error of a canceled context, and
// changes nothing.
func testStatesCanceledContext(t *testing.T, s uploads.States) {
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
