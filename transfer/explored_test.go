package transfer_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/explored"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/interleave"
	"github.com/omnibucket/storage/transfer"
)

// ends is a scene of the package interleave with two stores. Jobs transfer the object "k" from src
// to dst.
type ends struct {
	*interleave.Scene
	src *interleave.Store
	dst *interleave.Store
}

// upload stores a text at once. The explorer does not schedule its request.
func (e *ends) upload(store *interleave.Store, key, text string) {
	_, err := store.Bucket().Upload(e.Context(), key, strings.NewReader(text))
	require.NoError(e, err)
}

// contents returns the texts that a store has, by their keys.
func (e *ends) contents(store *interleave.Store) map[string]string {
	b := store.Bucket()
	files := make(map[string]string)
	for entry, err := range b.List(e.Context()) {
		require.NoError(e, err)
		data, _, err := storage.ReadAll(e.Context(), b, entry.Key)
		require.NoError(e, err)
		files[entry.Key] = string(data)
	}
	return files
}

// has reports whether the object "k" has this text in either store.
func (e *ends) has(text string) bool {
	return e.contents(e.src)["k"] == text || e.contents(e.dst)["k"] == text
}

// job adds a process that runs one job from src to dst. The job sends one request at a time.
func (e *ends) job(name string, dst, src *interleave.Store, opts ...transfer.Option) *interleave.Actor {
	process := e.Process(name)
	dstEnd := transfer.Bucket(process.Bucket(dst))
	srcEnd := transfer.Bucket(process.Bucket(src))
	return process.Go(name, func(ctx context.Context) error {
		opts := append(slices.Clip(opts), transfer.WithConcurrency(1))
		_, err := transfer.Sync(ctx, dstEnd, srcEnd, opts...)
		return err
	})
}

// writer adds a process that calls the function do once.
func (e *ends) writer(store *interleave.Store, do func(ctx context.Context, b storage.Bucket) error) *interleave.Actor {
	process := e.Process("writer")
	b := process.Bucket(store)
	return process.Go("writer", func(ctx context.Context) error { return do(ctx, b) })
}

// uploading returns an operation of a writer that stores a text under a key.
func uploading(key, text string) func(ctx context.Context, b storage.Bucket) error {
	return func(ctx context.Context, b storage.Bucket) error {
		_, err := b.Upload(ctx, key, strings.NewReader(text))
		return err
	}
}

// removing returns an operation of a writer that removes the object under a key.
func removing(key string) func(ctx context.Context, b storage.Bucket) error {
	return func(ctx context.Context, b storage.Bucket) error { return b.Remove(ctx, key) }
}

// A layout is what the stores have when a scene begins.
type layout struct {
	name  string
	inDst bool          // dst has the file, too
	later time.Duration // how long after that of src it was written
	ahead time.Duration // how much the clock of dst is ahead
}

var layouts = []layout{
	{name: "only src has the file"},
	{name: "both have it", inDst: true},
	{name: "both, dst for less time", inDst: true, later: 2 * time.Hour},
	{name: "both, the clock of dst is ahead", inDst: true, ahead: 30 * time.Minute},
	{name: "only src, the clock of dst is behind", ahead: -30 * time.Minute},
}

// newEnds makes the stores of a scene as a layout says. The file has the text "first".
func newEnds(s *interleave.Scene, l layout) *ends {
	e := &ends{Scene: s, src: s.Store("src"), dst: s.Store("dst")}
	if l.ahead != 0 {
		now := func() time.Time { return time.Now().Add(l.ahead) }
		e.dst = s.StoreWith("dst", memstore.Config{Now: now})
	}

	e.upload(e.src, "k", "first")
	time.Sleep(l.later)
	if l.inDst {
		e.upload(e.dst, "k", "first")
	}
	return e
}

// eachOrderBetweenEnds runs a scene once for each layout of its two stores and each order of the requests of its actors.
// Without explored.All, it leaves out the layouts with wrong clocks.
func eachOrderBetweenEnds(t *testing.T, scene func(e *ends)) {
	for _, l := range layouts {
		if l.ahead != 0 && !explored.All() {
			continue
		}
		t.Run(l.name, func(t *testing.T) {
			explored.EachOrderOnSome(t, func(s *interleave.Scene) {
				scene(newEnds(s, l))
			})
		})
	}
}

// If the stores have the features that WithMove requires, two moves in opposite directions lose no file, even if a
// clock is wrong.
func TestExploredMovesInOppositeDirections(t *testing.T) {
	config := explored.Config()
	// Explore only the kinds of stores in which a removal can name the write that it removes.
	config.Weaknesses = provenRemovals()
	for _, l := range layouts {
		t.Run(l.name, func(t *testing.T) {
			// Run runs the scene once for each order of the requests of its two jobs. At the end of
			// each run, it makes the check.
			interleave.Run(t, config, func(s *interleave.Scene) {
				e := newEnds(s, l)
				e.job("there", e.dst, e.src, transfer.WithMove())
				e.job("back", e.src, e.dst, transfer.WithMove())

				e.Check(func() {
					require.True(e, e.has("first"), "nobody has the file")
					// A store has the whole file or none.
					for _, store := range []*interleave.Store{e.src, e.dst} {
						require.Contains(e, []string{"first", ""}, e.contents(store)["k"])
					}
				})
			})
		})
	}
}

// Two runs of the same move at the same time do not lose the file. If the first run succeeds, the
// destination has the file.
func TestExploredMoveAndTheSameMove(t *testing.T) {
	eachOrderBetweenEnds(t, func(e *ends) {
		first := e.job("a", e.dst, e.src, transfer.WithMove())
		e.job("b", e.dst, e.src, transfer.WithMove())

		e.Check(func() {
			require.True(e, e.has("first"), "nobody has the file")
			if explored.Succeeded(first) {
				require.Equal(e, "first", e.contents(e.dst)["k"])
			}
		})
	})
}

// During a move, a program writes the file at the source. Afterwards, this file is at the source or
// at the destination. In a store without ConditionalRemove, the older file may be there in its
// place.
func TestExploredMoveAndAWriterOfTheSource(t *testing.T) {
	eachOrderBetweenEnds(t, func(e *ends) {
		e.job("moves", e.dst, e.src, transfer.WithMove())
		writer := e.writer(e.src, uploading("k", "new"))

		e.Check(func() {
			if explored.Succeeded(writer) && storage.Supports(e.src.Bucket(), storage.ConditionalRemove) {
				require.True(e, e.has("new"), "nobody has the new file")
			}
			require.True(e, e.has("new") || e.has("first"), "nobody has a file")
		})
	})
}

// During a move, a program replaces or removes the file at the destination. If the program fails, the file remains. If
// the move fails, the file or the program's replacement remains.
func TestExploredMoveAndAWriterOfTheDestination(t *testing.T) {
	tests := []struct {
		name    string
		write   func(context.Context, storage.Bucket) error
		removes bool
	}{
		{name: "replaces", write: uploading("k", "new")},
		{name: "removes", write: removing("k"), removes: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The scene runs for each order of the requests of the move and of the program. Its
			// file is "k", with the text "first" at the source.
			eachOrderBetweenEnds(t, func(e *ends) {
				dstHadFile := e.contents(e.dst)["k"] != ""
				mover := e.job("moves", e.dst, e.src, transfer.WithMove())
				writer := e.writer(e.dst, tt.write)

				// After the move and the program have ended, e.has looks for a text at the source
				// and the destination.
				e.Check(func() {
					writerFailed := !explored.Succeeded(writer) && !explored.Unknown(writer)
					if writerFailed {
						require.True(e, e.has("first"), "nobody has the file")
					}
					moveFailed := !explored.Succeeded(mover)
					mayBeGone := tt.removes
					if dstHadFile && moveFailed && !mayBeGone {
						require.True(e, e.has("first") || e.has("new"), "nobody has the file or its replacement")
					}
				})
			})
		})
	}
}

// Two runs of the same Sync at the same time make the destination equal to the source.
func TestExploredSyncAndTheSameSync(t *testing.T) {
	explored.EachOrderOnSome(t, func(s *interleave.Scene) {
		e := &ends{Scene: s, src: s.Store("src"), dst: s.Store("dst")}
		e.upload(e.src, "k", "first")
		e.upload(e.src, "l", "second")
		e.upload(e.dst, "superfluous", "")
		first := e.job("a", e.dst, e.src, transfer.WithDelete())
		second := e.job("b", e.dst, e.src, transfer.WithDelete())

		e.Check(func() {
			srcFiles := map[string]string{"k": "first", "l": "second"}
			require.Equal(e, srcFiles, e.contents(e.src))
			if explored.Succeeded(first) || explored.Succeeded(second) {
				require.Equal(e, srcFiles, e.contents(e.dst))
			}
		})
	})
}

// A job with a journal may die, or run twice at the same time. When it is repeated, it transfers
// all files.
func TestExploredSyncWithAJournal(t *testing.T) {
	explored.EachOrderOnSome(t, func(s *interleave.Scene) {
		e := &ends{Scene: s, src: s.Store("src"), dst: s.Store("dst")}
		e.upload(e.src, "k", "first")
		e.upload(e.src, "l", "second")
		journals := e.Store("journals")

		// Two processes run the job with one journal.
		for _, name := range []string{"a", "b"} {
			process := e.Process(name)
			dst := transfer.Bucket(process.Bucket(e.dst))
			src := transfer.Bucket(process.Bucket(e.src))
			journal := transfer.WithJournal(process.Bucket(journals), "j")
			process.Go(name, func(ctx context.Context) error {
				_, err := transfer.Sync(ctx, dst, src, transfer.WithConcurrency(1), journal)
				return err
			})
		}

		// Then the job is repeated.
		e.Check(func() {
			dst := transfer.Bucket(e.dst.Bucket())
			src := transfer.Bucket(e.src.Bucket())
			_, err := transfer.Sync(e.Context(), dst, src, transfer.WithJournal(journals.Bucket(), "j"))
			require.NoError(e, err)
			require.Equal(e, e.contents(e.src), e.contents(e.dst))
		})
	})
}

// The backup of Sync has the old content of each file that Sync replaces or removes.
func TestExploredSyncWithABackup(t *testing.T) {
	// The scene runs once for each order of the requests of its processes.
	explored.EachOrder(t, func(s *interleave.Scene) {
		e := &ends{Scene: s, src: s.Store("src"), dst: s.Store("dst")}
		backups := s.Store("backup")
		e.upload(e.src, "k", "replacement")
		e.upload(e.src, "l", "")
		e.upload(e.dst, "k", "first")

		// One process syncs with a backup.
		process := e.Process("job")
		dst := transfer.Bucket(process.Bucket(e.dst))
		src := transfer.Bucket(process.Bucket(e.src))
		backup := transfer.WithBackup(transfer.Bucket(process.Bucket(backups)))
		process.Go("job", func(ctx context.Context) error {
			_, err := transfer.Sync(ctx, dst, src, transfer.WithConcurrency(1), transfer.WithDelete(), backup)
			return err
		})

		// If this writer is first, the job removes "k" from the destination instead of replacing
		// it.
		e.writer(e.src, removing("k"))

		e.Check(func() {
			// The old content "first" is still at the destination, or it was saved.
			inDst := e.contents(e.dst)["k"]
			inBackup := e.contents(backups)["k"]
			require.Contains(e, []string{inDst, inBackup}, "first")
		})
	})
}

// Undelete does not replace an object that a program writes meanwhile.
func TestExploredUndeleteAndAWriter(t *testing.T) {
	// The scene runs once for each order of the requests of its processes.
	explored.EachOrder(t, func(s *interleave.Scene) {
		// The object "k" was removed.
		store := s.StoreWith("versions", memstore.Config{Versioned: true})
		e := &ends{Scene: s, src: store}
		e.upload(store, "k", "first")
		require.NoError(e, store.Bucket().Remove(e.Context(), "k"))

		// One process undeletes the object "k", and another one writes it.
		process := e.Process("undeletes")
		b := process.Bucket(store)
		process.Go("undeletes", func(ctx context.Context) error {
			_, err := transfer.Undelete(ctx, b, transfer.WithConcurrency(1))
			return err
		})
		writer := e.writer(store, uploading("k", "new"))

		// If the write has succeeded, the object has the written text. Undelete has not replaced it
		// by "first".
		e.Check(func() {
			if explored.Succeeded(writer) {
				require.Equal(e, "new", e.contents(store)["k"])
			}
		})
	})
}

// While Expire or Remove removes the objects that it has selected, a program uploads another
// object. Expire keeps the new object.
func TestExploredRemovalsAndAWriter(t *testing.T) {
	tests := []struct {
		name        string
		run         func(ctx context.Context, b storage.Bucket) error
		wantNewFile bool // whether the job must keep the new object
	}{
		{
			name: "expire",
			run: func(ctx context.Context, b storage.Bucket) error {
				_, err := transfer.Expire(ctx, b, []transfer.ExpireRule{{Age: time.Hour}})
				return err
			},
			wantNewFile: true,
		},
		{
			// Remove also selects the new object if the listing of Remove shows it.
			name: "remove",
			run: func(ctx context.Context, b storage.Bucket) error {
				_, err := transfer.Remove(ctx, b)
				return err
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The scene runs once for each order of the requests of its processes.
			explored.EachOrder(t, func(s *interleave.Scene) {
				store := s.Store("objects")
				e := &ends{Scene: s, src: store}
				e.upload(store, "k", "first")
				time.Sleep(2 * time.Hour)

				// One process removes objects, and another one uploads "l".
				process := e.Process("job")
				b := process.Bucket(store)
				remover := process.Go("job", func(ctx context.Context) error { return tt.run(ctx, b) })
				writer := e.writer(store, uploading("l", "new"))

				e.Check(func() {
					if explored.Succeeded(remover) {
						require.Empty(e, e.contents(store)["k"])
					}
					if explored.Succeeded(writer) && tt.wantNewFile {
						require.Equal(e, "new", e.contents(store)["l"])
					}
				})
			})
		})
	}
}

// RestoreAt keeps a new object that a program writes at the same time. If RestoreAt was
// interrupted, a second call completes the restore.
func TestExploredRestoreAtAndAWriter(t *testing.T) {
	// EachOrder runs the scene once for each order of the requests of both processes, and also with
	// interruptions. The time of a scene is simulated.
	explored.EachOrder(t, func(s *interleave.Scene) {
		// The object "k" has two versions.
		store := s.StoreWith("versions", memstore.Config{Versioned: true})
		e := &ends{Scene: s, src: store}
		e.upload(store, "k", "first")
		time.Sleep(time.Hour)
		timeOfFirst := time.Now()
		time.Sleep(time.Hour)
		e.upload(store, "k", "second")

		// One process restores the first version, while another one writes the object "l".
		restorer := e.Process("restores")
		b := restorer.Bucket(store)
		restorer.Go("restores", func(ctx context.Context) error {
			_, err := transfer.RestoreAt(ctx, b, timeOfFirst, transfer.WithConcurrency(1))
			return err
		})
		writer := e.writer(store, uploading("l", "new"))

		e.Check(func() {
			require.Contains(e, []string{"first", "second"}, e.contents(store)["k"])
			if explored.Succeeded(writer) {
				require.Equal(e, "new", e.contents(store)["l"])
			}

			// A repeated restore completes the first one.
			_, err := transfer.RestoreAt(e.Context(), store.Bucket(), timeOfFirst)
			require.NoError(e, err)
			require.Equal(e, "first", e.contents(store)["k"])
		})
	})
}
