package storagetest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// A hookRecorder is a hook that records operations. If its function refuse returns an error, the
// hook refuses the operation.
type hookRecorder struct {
	mu       sync.Mutex
	begun    []storage.Operation
	ended    []storage.Outcome
	refuse   func(storage.Operation) error // nil if the hook refuses nothing
	ctxValue any                           // value that the hook adds to ctx, with the recorder as its key
}

// hook records the beginning of an operation, unless refuse returns an error for it. It returns a context with
// the value for the driver, and a function that records the end of the operation.
func (l *hookRecorder) hook(ctx context.Context, op storage.Operation) (context.Context, func(storage.Outcome), error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuse != nil {
		if err := l.refuse(op); err != nil {
			return nil, nil, err
		}
	}

	l.begun = append(l.begun, op)
	end := func(outcome storage.Outcome) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.ended = append(l.ended, outcome)
	}
	return context.WithValue(ctx, l, l.ctxValue), end, nil
}

// takeRecords returns the names and keys of the recorded operations and their outcomes, and clears
// the record.
func (l *hookRecorder) takeRecords() (names []string, ended []storage.Outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, op := range l.begun {
		name := op.Name + " " + op.Key
		if op.Keys != nil {
			name += "[" + strings.Join(op.Keys, " ") + "]"
		}
		names = append(names, name)
	}
	ended = l.ended
	l.begun = nil
	l.ended = nil
	return names, ended
}

var hookCases = []Case{
	{
		Name:        "hooks run around every operation",
		Rule:        "O2",
		Explanation: "a hook sees the name of the method or function and the whole key, and then the outcome, which for a download comes at Close",
		run:         hooksSeeEverything,
	},
	{
		Name:        "a hook refuses an operation",
		Rule:        "O2",
		Explanation: "nothing reaches the store, and the Code is the refusal's own, or PermissionDenied",
		run: func(t *T) {
			l := &hookRecorder{}
			b := t.open(storage.WithHook(l.hook))
			t.put(b, "key", "x")
			for want, refusal := range map[storage.Code]error{
				storage.PermissionDenied: errBoom,
				storage.Locked:           storage.Locked,
				storage.RateLimited:      &storage.Error{Code: storage.RateLimited, Err: errBoom},
			} {
				l.refuse = func(storage.Operation) error { return refusal }
				t.requireNoRequests(func() {
					for name, err := range everyOperation(t, b, "key") {
						if errors.Is(err, storage.Unsupported) || errors.Is(err, storage.NotPublic) {
							continue // the library refuses the operation anyway, and its own error stays
						}
						require.True(t, errors.Is(err, want), "%s: %v", name, err)
						require.True(t, errors.Is(err, refusal) || errors.Is(err, errBoom), "%s: the refusal is reachable: %v", name, err)
					}
				})
			}
			l.refuse = nil
			t.requireExists(b, "key")
		},
	},
	{
		Name:        "a hook refuses a batch as a whole",
		Rule:        "O2",
		Explanation: "a hook sees the keys of the batch, and if it refuses, none of them is removed",
		run: func(t *T) {
			l := &hookRecorder{}
			b := t.open(storage.WithHook(l.hook))
			t.puts(b, "a", "b", "secret")
			l.refuse = func(op storage.Operation) error {
				if op.Key == "secret" || slices.Contains(op.Keys, "secret") {
					return errBoom
				}
				return nil
			}
			n, err := storage.RemoveAll(t.Context(), b, slices.Values([]string{"a", "secret", "b"}))
			require.ErrorIs(t, err, storage.PermissionDenied)
			l.refuse = nil
			leftovers := t.keys(b)
			require.Contains(t, leftovers, "secret")
			require.Equal(t, 3-len(leftovers), n)
		},
	},
	{
		Name:        "hooks see the source of a copy",
		Rule:        "O2",
		Explanation: "a hook that refuses reading refuses the copy, inside the provider and streamed",
		run: func(t *T) {
			for path, open := range map[string]func(...storage.OpenOption) storage.Bucket{
				"inside": t.open,
				"streamed": func(opts ...storage.OpenOption) storage.Bucket {
					return t.open(append(opts, withoutFeatures(storage.ServerCopy|storage.ServerCompose))...)
				},
			} {
				l := &hookRecorder{}
				b := open(storage.WithHook(l.hook))
				t.puts(b, "secret", "plain")
				l.refuse = func(op storage.Operation) error {
					if op.Key == "secret" || slices.Contains(op.Keys, "secret") {
						return errBoom
					}
					return nil
				}
				_, err := storage.Copy(t.Context(), b, "out", b, "secret")
				require.ErrorIs(t, err, storage.PermissionDenied, path)
				_, err = storage.Compose(t.Context(), b, "out", []string{"plain", "secret"})
				require.ErrorIs(t, err, storage.PermissionDenied, path)
				t.requireMissing(b, "out")
			}
		},
	},
	{
		Name:        "a hook's context reaches the driver",
		Rule:        "O2",
		Explanation: "a value that a hook adds to ctx is visible to the driver",
		run: func(t *T) {
			l := &hookRecorder{ctxValue: "mark"}
			var mu sync.Mutex
			calls := map[string]bool{}
			b := t.open(storage.WithHook(l.hook), driver.WithLayer(func(next driver.Driver) driver.Driver {
				return driver.Intercept(next, func(ctx context.Context, call string, next func(context.Context) error) error {
					mu.Lock()
					calls[call] = ctx.Value(l) == "mark"
					mu.Unlock()
					return next(ctx)
				})
			}))
			t.put(b, "a", "x")
			t.requireContent(b, "a", "x")
			t.keys(b)
			require.NoError(t, b.Remove(t.Context(), "a"))
			require.Equal(t, map[string]bool{"Put": true, "Get": true, "List": true, "Delete": true}, calls)
		},
	},
}

// hooksSeeEverything checks which operations a hook sees for each kind of call, and their outcomes.
func hooksSeeEverything(t *T) {
	recorder := &hookRecorder{}
	b := t.open(storage.WithHook(recorder.hook))

	// The outcome of a call has its bytes and requests.
	t.put(b, "a", "12345")
	outcomes := recorder.requireNames(t, "Upload a")
	require.Equal(t, storage.Outcome{Bytes: 5, Requests: 1}, outcomes[0])

	// A download ends at Close.
	reader, err := b.Download(t.Context(), "a")
	require.NoError(t, err)
	require.Empty(t, recorder.ended, "a download ends at Close")
	_, err = reader.Read(make([]byte, 5))
	require.NoError(t, err)
	require.NoError(t, reader.Close())
	outcomes = recorder.requireNames(t, "Download a")
	require.Equal(t, int64(5), outcomes[0].Bytes)

	// Calls that read attributes.
	_, err = b.Attrs(t.Context(), "missing")
	outcomes = recorder.requireNames(t, "Attrs missing")
	require.Equal(t, err, outcomes[0].Err)
	t.requireExists(b, "a")
	recorder.requireNames(t, "Exists a")

	// The name of a call that lists ends in the prefix.
	t.keys(b, storage.WithPrefix("p"))
	recorder.requireNames(t, "List p")
	_, err = storage.ListPage(t.Context(), b, "", t.anyOrder(storage.WithPrefix("p"))...)
	require.NoError(t, err)
	recorder.requireNames(t, "ListPage p")

	require.NoError(t, b.Remove(t.Context(), "missing"))
	recorder.requireNames(t, "Remove missing")

	// A copy may also read its source, and Compose may upload.
	_, err = storage.Copy(t.Context(), b, "b", b, "a")
	require.NoError(t, err)
	names, _ := recorder.takeRecords()
	require.ElementsMatch(t, []string{"Copy b[a]", "Download a"}, names)

	_, err = storage.Compose(t.Context(), b, "c", []string{"a", "b"})
	require.NoError(t, err)
	names, _ = recorder.takeRecords()
	require.Contains(t, strings.Join(names, ","), "Compose c")

	// RemoveAll may make several batches. Each is an operation of its own.
	_, err = storage.RemoveAll(t.Context(), b, slices.Values([]string{"a", "b", "c"}))
	require.NoError(t, err)
	names, _ = recorder.takeRecords()
	require.NotEmpty(t, names)
	for _, name := range names {
		require.True(t, strings.HasPrefix(name, "RemoveAll "), name)
	}

	w := storage.NewWriter(t.Context(), b, "w")
	_, err = w.Commit()
	require.NoError(t, err)
	recorder.requireNames(t, "Upload w")
}

// requireNames requires that exactly these operations, by name and key, have begun and ended since
// the last call. It returns their outcomes.
func (l *hookRecorder) requireNames(t *T, want ...string) []storage.Outcome {
	t.Helper()
	names, outcomes := l.takeRecords()
	require.Equal(t, want, names)
	require.Len(t, outcomes, len(names), "each operation that begins must end")
	return outcomes
}
