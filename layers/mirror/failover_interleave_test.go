package mirror_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/explored"
	"github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/storagetest/interleave"
	"github.com/omnibucket/storage/transfer"
)

// failing are the budgets of scenes in which stores do not answer.
var failing = []interleave.Budget{{Failures: 2}, {Outages: 1}}

// provenRemoval are the features by which a removal can be limited to the object of one particular
// write.
const provenRemoval = storage.ConditionalRemove | storage.UniqueRevisions

// A lagging is a mirror whose second store has an older object "k" than the primary, and lacks the
// object "only".
type lagging struct {
	exploredPair
}

// recent is the content of all objects of the primary when a scene begins. The second store has
// "old" as the object "k".
const recent = "newer"

// newLagging returns a mirror whose second store lags by two days.
func newLagging(s *interleave.Scene) *lagging {
	l := &lagging{exploredPair: exploredPair{
		Scene:   s,
		primary: s.Store("primary"),
		second:  s.Store("second"),
	}}
	put := func(b storage.Bucket, key, text string) {
		_, err := b.Upload(s.Context(), key, strings.NewReader(text))
		require.NoError(s, err)
	}
	put(l.open(), "k", "old")
	time.Sleep(48 * time.Hour)
	put(l.primary.Bucket(), "k", recent)
	put(l.primary.Bucket(), "only", recent)
	return l
}

// A laggingCall is a call that changes the key "k", or moves it away.
type laggingCall struct {
	name  string
	do    func(ctx context.Context, b, other storage.Bucket) error
	after string // text of "k" if the call succeeds; "" means that it is gone
}

// laggingCalls are the calls that need no other bucket. They run while the second store lags.
var laggingCalls = []laggingCall{
	{
		name: "append",
		do: func(ctx context.Context, b, _ storage.Bucket) error {
			_, err := storage.Append(ctx, b, "k", []byte("+"))
			return err
		},
		after: recent + "+",
	},
	{
		name: "update",
		do: func(ctx context.Context, b, _ storage.Bucket) error {
			_, err := storage.Update(ctx, b, "k", func(text []byte, _ *storage.Attrs) ([]byte, error) {
				return append(text, '+'), nil
			})
			return err
		},
		after: recent + "+",
	},
	{
		name: "copy onto itself",
		do: func(ctx context.Context, b, _ storage.Bucket) error {
			_, err := storage.Copy(ctx, b, "k", b, "k", storage.WithMetadata(map[string]string{"by": "copy"}))
			return err
		},
		after: recent,
	},
	{
		name: "move there and back",
		do: func(ctx context.Context, b, _ storage.Bucket) error {
			if _, err := storage.Move(ctx, b, "k", "l"); err != nil {
				return err
			}
			_, err := storage.Move(ctx, b, "l", "k")
			return err
		},
		after: recent,
	},
	{
		name: "set tags",
		do: func(ctx context.Context, b, _ storage.Bucket) error {
			return storage.SetTags(ctx, b, "k", map[string]string{"t": "t"})
		},
		after: recent,
	},
}

// A write that depends on an object, such as an append, uses only what the primary has. While the primary does not
// respond, it never uses an object of the second store, which may be old. Neither does a removal.
func TestExploredWritesDuringFailover(t *testing.T) {
	// Each call gets the mirror b and another bucket. If it succeeds, the object "k" of the mirror
	// has the content of the field after.
	newEnd := transfer.Bucket
	tests := slices.Concat(laggingCalls, []laggingCall{
		{
			name: "compose",
			do: func(ctx context.Context, b, _ storage.Bucket) error {
				_, err := storage.Compose(ctx, b, "k", []string{"k", "k"})
				return err
			},
			after: recent + recent,
		},
		{
			name: "remove what matches",
			do: func(ctx context.Context, b, _ storage.Bucket) error {
				_, err := storage.RemoveMatching(ctx, b,
					func(e storage.ListEntry) bool { return e.Size == int64(len("old")) })
				return err
			},
			after: recent,
		},
		{
			name: "expire",
			do: func(ctx context.Context, b, _ storage.Bucket) error {
				_, err := transfer.Expire(ctx, b, []transfer.ExpireRule{{Age: 24 * time.Hour}})
				return err
			},
			after: recent,
		},
		{
			name: "sync with delete",
			do: func(ctx context.Context, b, other storage.Bucket) error {
				_, err := transfer.Sync(ctx, newEnd(other), newEnd(b), transfer.WithDelete(),
					transfer.WithConcurrency(1))
				return err
			},
			after: recent,
		},
		{
			name: "move to another bucket",
			do: func(ctx context.Context, b, other storage.Bucket) error {
				_, err := transfer.Sync(ctx, newEnd(other), newEnd(b), transfer.WithMove(),
					transfer.WithConcurrency(1))
				return err
			},
			after: "",
		},
	})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The scene runs many times, with failures of other requests each time.
			explored.EachOrderWithin(t, failing, func(s *interleave.Scene) {
				// The primary has recent objects "k" and "only". The second store has "old" as "k", and lacks "only".
				// The other bucket has old copies of both.
				m := newLagging(s)
				third := s.Store("other")
				for _, key := range []string{"k", "only"} {
					_, err := third.Bucket().Upload(s.Context(), key, strings.NewReader("before"))
					require.NoError(s, err)
				}

				// A process makes the call.
				process := s.Process("x")
				mirrored := process.Bucket(m.primary, m.layer(process.Bucket(m.second)))
				other := process.Bucket(third)
				call := process.Go("x", func(ctx context.Context) error { return tt.do(ctx, mirrored, other) })

				s.Check(func() {
					// The recent content of "k" is still there, or was moved to "l" or to the third store.
					inPrimary := m.text(m.primary.Bucket(), "k")
					texts := inPrimary + m.text(m.primary.Bucket(), "l") + m.text(third.Bucket(), "k")
					require.NotContains(s, texts, "old")
					require.Contains(s, texts, recent)

					// The recent content of "only" is still there, too, or was moved to the third
					// store.
					onlyInThird := m.text(third.Bucket(), "only")
					require.Contains(s, m.text(m.primary.Bucket(), "only")+onlyInThird, recent)
					require.NotEmpty(s, onlyInThird, "a job removed the object because the second store lacks it")

					// A call that fails must say that it may be repeated, or that its outcome is not known.
					if explored.Succeeded(call) {
						require.Equal(s, tt.after, inPrimary)
						return
					}
					require.True(s, explored.Unknown(call) || storage.IsTemporary(call.Err()), "%v", call.Err())
				})
			})
		})
	}
}

// An overlay reads objects from its old store until they have moved to its new one. If the old store is a mirror whose
// primary fails, a write through the overlay never uses an old object of the mirror's second store.
func TestExploredWritesOfAnOverlayDuringFailover(t *testing.T) {
	// If a call succeeds, the object "k" of the overlay has the content of the field after.
	tests := slices.Concat(laggingCalls, []laggingCall{
		{
			name: "read with a copy",
			do: func(ctx context.Context, b, _ storage.Bucket) error {
				_, _, err := storage.ReadAll(ctx, b, "k")
				return err
			},
			after: recent,
		},
		{
			name: "finish",
			do: func(ctx context.Context, b, _ storage.Bucket) error {
				_, err := overlay.Finish(ctx, b, overlay.FinishConfig{Concurrency: 1})
				return err
			},
			after: recent,
		},
	})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			explored.EachOrderWithin(t, failing, func(s *interleave.Scene) {
				// The primary of the mirror has a recent object "k". In the second store, this
				// object has the content "old".
				m := newLagging(s)
				newStore := s.Store("new")
				withOverlay := func(oldStore storage.Bucket) storage.OpenOption {
					layer, err := overlay.New(oldStore, overlay.Config{CopyOnRead: true})
					require.NoError(s, err)
					return driver.WithLayer(layer)
				}

				// A process makes the call through the overlay, while requests to the stores fail.
				process := s.Process("x")
				oldStore := process.Bucket(m.primary, m.layer(process.Bucket(m.second)))
				overlaid := process.Bucket(newStore, withOverlay(oldStore))
				call := process.Go("x", func(ctx context.Context) error { return tt.do(ctx, overlaid, nil) })

				// Afterwards, readers see the recent content, under "k" or moved to "l".
				s.Check(func() {
					reader := newStore.Bucket(withOverlay(m.open()))
					atKey := m.text(reader, "k")
					texts := atKey + m.text(reader, "l")
					require.NotContains(s, texts, "old")
					require.Contains(s, texts, recent)

					if explored.Succeeded(call) {
						require.Equal(s, tt.after, atKey)
						return
					}

					// In a store without conditional removal, a move compares revisions. It fails with Changed, because
					// the overlay has given the object a new revision.
					err := call.Err()
					revisionChanged := errors.Is(err, storage.Changed) &&
						!storage.Supports(newStore.Bucket(), provenRemoval)
					require.True(s, explored.Unknown(call) || revisionChanged || storage.IsTemporary(err), "%v", err)
				})
			})
		})
	}
}
