package storagetest

import (
	"context"
	"io/fs"
	"slices"
	"strconv"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/storagetest/internal/observe"
)

// movePaths returns a bucket that moves objects in one step if the store can, and one that copies
// and removes them.
func (t *T) movePaths(opts ...storage.OpenOption) map[string]storage.Bucket {
	return map[string]storage.Bucket{"in one step": t.open(opts...), "by a copy": openCopiedMoves(t, opts...)}
}

// openCopiedMoves opens an empty bucket whose driver cannot move objects, so that Move copies and
// removes.
func openCopiedMoves(t *T, opts ...storage.OpenOption) storage.Bucket {
	return t.open(append(opts, withoutFeatures(storage.ServerMove))...)
}

var moveCases = []Case{
	{
		Name:        "a moved object is the object under another key",
		Rule:        "W15",
		Explanation: "bytes, headers and metadata are those of the source, which is gone, and an object at the destination is replaced",
		run: func(t *T) {
			for path, b := range t.movePaths() {
				t.puts(b, "folder/b")
				for _, keys := range [][2]string{{"a", "folder/b"}, {"folder/b", "c/d/e"}, {"c/d/e", "a"}} {
					if keys[0] == "a" {
						t.put(
							b, "a", "text", t.contentType("text/x-test"),
							t.optional(storage.ContentProperties, storage.WithCacheControl("no-store")),
							t.metadata(map[string]string{"k": "v", "two": "\u00e9"}),
						)
					}
					source := t.attrs(b, keys[0])
					returned, err := storage.Move(t.Context(), b, keys[0], keys[1])
					require.NoError(t, err, path)
					moved := t.attrs(b, keys[1])
					require.Equal(t, source.Properties, moved.Properties, path)
					require.Equal(t, source.Properties, returned.Properties, path)
					require.Equal(t, source.CRC32C, moved.CRC32C, path)
					require.Equal(t, moved.Revision, returned.Revision, path)
					require.Equal(t, keys[1], returned.Key)
					require.Equal(t, int64(4), returned.Size)
					t.requireContent(b, keys[1], "text")
					require.Equal(t, []string{keys[1]}, t.keys(b), path)
				}
			}
		},
	},
	{
		Name:        "a moved object keeps its tags",
		Rule:        "G2",
		Explanation: "the tags are those of the source, or of WithTags",
		Needs:       storage.ObjectTags,
		run: func(t *T) {
			for path, b := range t.movePaths() {
				t.put(b, "a", "x", storage.WithTags(map[string]string{"of": "source"}))
				_, err := storage.Move(t.Context(), b, "a", "b")
				require.NoError(t, err, path)
				t.requireTags(b, "b", map[string]string{"of": "source"})
				_, err = storage.Move(t.Context(), b, "b", "c", storage.WithTags(map[string]string{"of": "move"}))
				require.NoError(t, err, path)
				t.requireTags(b, "c", map[string]string{"of": "move"})
				require.Equal(t, []string{"c"}, t.keys(b), path)
			}
		},
	},
	{
		Name:        "a move in a bucket that keeps versions",
		Rule:        "W15",
		Explanation: "the old versions of both keys stay",
		Needs:       storage.Versioning,
		run: func(t *T) {
			paths := map[string]storage.Bucket{
				"in one step": t.openVersioned(),
				"by a copy":   t.openVersioned(withoutFeatures(storage.ServerMove)),
			}
			for path, b := range paths {
				first := t.put(b, "a", "one")
				second := t.put(b, "b", "two")
				moved, err := storage.Move(t.Context(), b, "a", "b")
				require.NoError(t, err, path)
				require.NotEqual(t, second.Version, moved.Version, path)
				require.Equal(t, []string{"b"}, t.keys(b), path)
				t.requireContent(b, "b", "one")
				require.Equal(t, "one", t.get(b, "a", storage.WithVersion(first.Version)), path)
				require.Equal(t, "two", t.get(b, "b", storage.WithVersion(second.Version)), path)
			}
		},
	},
	{
		Name:        "a move that is refused changes nothing",
		Rule:        "W15",
		Explanation: "a missing source is ObjectNotFound with its key; a version, the same key and a key that cannot be written are InvalidArgument, and a reference without the methods is PermissionDenied, before any request",
		run: func(t *T) {
			for path, b := range t.movePaths() {
				t.puts(b, "a", "b")
				_, err := storage.Move(t.Context(), b, "missing", "b")
				require.Equal(t, "missing", t.requireNothingDone(err, storage.ObjectNotFound).Key, path)
				_, err = storage.Move(t.Context(), storage.Prefixed(b, "p/"), "missing", "b")
				require.Equal(t, "missing", t.requireNothingDone(err, storage.ObjectNotFound).Key, path)
				t.requireNoRequests(func() {
					for _, dst := range []string{"a", "", "b/", "../b"} {
						_, err := storage.Move(t.Context(), b, "a", dst)
						require.Equal(t, "Move", t.requireNothingDone(err, storage.InvalidArgument).Op, path)
					}
					_, err = storage.Move(t.Context(), b, "a", "c", storage.WithVersion("1"))
					t.requireNothingDone(err, storage.InvalidArgument)
					_, err = storage.Move(t.Context(), storage.Prefixed(b, "p"), "a", "c")
					t.requireNothingDone(err, storage.InvalidArgument)
					_, err = storage.Move(t.Context(), storage.Ref[storage.Remover](b).(storage.ReadWriter), "a", "c")
					require.NotEqual(t, "a", t.requireNothingDone(err, storage.PermissionDenied).Key, path)
				})
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				_, err = storage.Move(ctx, b, "a", "b")
				require.Equal(
					t, "b", t.requireNothingDone(err, storage.Canceled).Key,
					"%s: the source's would say that the object is at both",
					path,
				)
				t.requireContent(b, "a", "a")
				t.requireContent(b, "b", "b")
			}
		},
	},
	{
		Name:        "IfAbsent guards the destination of a move",
		Rule:        "W15",
		Explanation: "an object there stays, and so does the source; of several moves to one key one succeeds",
		Needs:       storage.ConditionalCreate,
		run: func(t *T) {
			for path, b := range t.movePaths() {
				t.puts(b, "a", "b")
				_, err := storage.Move(t.Context(), b, "a", "b", storage.IfAbsent())
				t.requireNothingDone(err, storage.PreconditionFailed)
				require.ErrorIs(t, err, fs.ErrExist, path)
				require.Equal(t, []string{"a", "b"}, t.keys(b), path)
				t.requireContent(b, "b", "b")
				t.puts(b, "0", "1", "2", "3")
				t.requireOneWinner(4, func(i int) error {
					_, err := storage.Move(t.Context(), b, strconv.Itoa(i), "to", storage.IfAbsent())
					return err
				}, func(winner int) {
					t.requireContent(b, "to", strconv.Itoa(winner))
					require.Len(t, t.keys(b), 6, path)
				})
			}
		},
	},
	{
		Name:        "IfRevision guards the destination of a move",
		Rule:        "W15",
		Explanation: "another revision than the given one stays, and so does the source",
		Needs:       storage.ConditionalUpdate,
		run: func(t *T) {
			for path, b := range t.movePaths() {
				old := t.put(b, "b", "old")
				current := t.put(b, "b", "new")
				t.puts(b, "a")
				_, err := storage.Move(t.Context(), b, "a", "b", storage.IfRevision(old.Revision))
				t.requireNothingDone(err, storage.PreconditionFailed)
				require.Equal(t, []string{"a", "b"}, t.keys(b), path)
				_, err = storage.Move(t.Context(), b, "a", "b", storage.IfRevision(current.Revision))
				require.NoError(t, err, path)
				require.Equal(t, []string{"b"}, t.keys(b), path)
			}
		},
	},
	{
		Name:        "a source that is replaced while it is copied stays",
		Rule:        "W15",
		Explanation: "a move by a copy removes only what it has copied: the error is Changed with the source's key, and both are there",
		Needs:       storage.ConditionalRemove,
		run: func(t *T) {
			var other storage.Bucket
			b, other := t.openTwice(withoutFeatures(storage.ServerMove),
				observe.BeforeCall("Delete", 1, func() {
					t.put(other, "a", "newer")
				}))
			t.put(b, "a", "old")
			_, err := storage.Move(t.Context(), b, "a", "b")
			require.Equal(t, "a", t.requireCode(err, storage.Changed).Key)
			t.requireContent(b, "a", "newer")
			t.requireContent(b, "b", "old")
		},
	},
	{
		Name:        "a move whose response was lost is not repeated",
		Rule:        "W15",
		Explanation: "the source may be another object by then, which would replace the one that was moved; a missing source is OutcomeUnknown, and never ObjectNotFound",
		Needs:       storage.ServerMove,
		run: func(t *T) {
			for name, lost := range map[string]faults.Rule{
				"without a response":    faults.DropResponse(faults.Move).Nth(1),
				"as the store was busy": faults.DropResponse(faults.Move).Nth(1).WithError(storage.RateLimited),
			} {
				b := t.open()
				t.put(b, "a", "x")
				t.faults.Reset()
				t.faults.Set(lost)
				_, err := storage.Move(t.Context(), b, "a", "b")
				t.faults.Set()
				require.ErrorIs(t, err, storage.OutcomeUnknown, name)
				require.Equal(t, []string{"b"}, t.keys(b), name)
			}
			b := t.open()
			t.put(b, "a", "x")
			t.faults.Set(faults.Fail(faults.Move).Nth(1))
			_, err := storage.Move(t.Context(), b, "a", "b")
			require.NoError(t, err, "nothing was done, and the request is repeated")
			require.Equal(t, []string{"b"}, t.keys(b))
		},
	},
	{
		Name:        "hooks see a move",
		Rule:        "O2",
		Explanation: "in one step it is one operation with both keys, and a hook that refuses one of them refuses the move",
		Needs:       storage.ServerMove,
		run: func(t *T) {
			l := &hookRecorder{}
			b := t.open(storage.WithHook(l.hook))
			t.puts(b, "secret", "plain")
			l.refuse = func(op storage.Operation) error {
				if op.Name == "Move" && (op.Key == "secret" || slices.Contains(op.Keys, "secret")) {
					return errBoom
				}
				return nil
			}
			_, err := storage.Move(t.Context(), b, "secret", "out")
			t.requireNothingDone(err, storage.PermissionDenied)
			_, err = storage.Move(t.Context(), b, "plain", "secret")
			t.requireNothingDone(err, storage.PermissionDenied)
			require.Equal(t, []string{"plain", "secret"}, t.keys(b))
		},
	},
}
