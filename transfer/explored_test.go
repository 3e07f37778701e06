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

// Two stores between which jobs transfer, and what stands in them.
type ends struct {
	*interleave.Scene
	p, q *interleave.Store
}

// upload stores a text, without a schedule.
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

// has reports whether a store has a text under the key.
func (e *ends) has(text string) bool {
	return e.contents(e.p)["k"] == text || e.contents(e.q)["k"] == text
}

// job adds a process that makes one job from src to dst.
func (e *ends) job(name string, dst, src *interleave.Store, opts ...transfer.Option) *interleave.Actor {
	p := e.Process(name)
	dstBucket := p.Bucket(dst)
	srcBucket := p.Bucket(src)
	return p.Go(name, func(ctx context.Context) error {
		opts := append(slices.Clip(opts), transfer.WithConcurrency(1))
		_, err := transfer.Sync(ctx, transfer.Bucket(dstBucket), transfer.Bucket(srcBucket), opts...)
		return err
	})
}

// writer adds a process that makes one operation.
func (e *ends) writer(store *interleave.Store, do func(ctx context.Context, b storage.Bucket) error) *interleave.Actor {
	p := e.Process("writer")
	b := p.Bucket(store)
	return p.Go("writer", func(ctx context.Context) error { return do(ctx, b) })
}

func uploading(key, text string) func(ctx context.Context, b storage.Bucket) error {
	return func(ctx context.Context, b storage.Bucket) error {
		_, err := b.Upload(ctx, key, strings.NewReader(text))
		return err
	}
}

func removing(key string) func(ctx context.Context, b storage.Bucket) error {
	return func(ctx context.Context, b storage.Bucket) error { return b.Remove(ctx, key) }
}

// A layout is what the stores have when a scene begins.
type layout struct {
	name  string
	inQ   bool          // q has the file, too
	later time.Duration // how long after that of p it was written
	ahead time.Duration // how much the clock of q is ahead
}

var layouts = []layout{
	{name: "one"},
	{name: "both", inQ: true},
	{name: "both, q for less time", inQ: true, later: 2 * time.Hour},
	{name: "both, q's clock is ahead", inQ: true, ahead: 30 * time.Minute},
	{name: "one, q's clock is behind", ahead: -30 * time.Minute},
}

// newEnds makes the stores of a scene as a layout says.
func newEnds(s *interleave.Scene, l layout) *ends {
	e := &ends{Scene: s, p: s.Store("p"), q: s.Store("q")}
	if l.ahead != 0 {
		now := func() time.Time { return time.Now().Add(l.ahead) }
		e.q = s.StoreWith("q", memstore.Config{Now: now})
	}
	e.upload(e.p, "k", "first")
	time.Sleep(l.later)
	if l.inQ {
		e.upload(e.q, "k", "first")
	}
	return e
}

// exploreEnds explores a scene with each layout. Without explored.All, it leaves out those with wrong clocks.
func exploreEnds(t *testing.T, scene func(e *ends)) {
	for _, l := range layouts {
		if l.ahead != 0 && !explored.All() {
			continue
		}
		t.Run(l.name, func(t *testing.T) {
			explored.RunOnSome(t, func(s *interleave.Scene) {
				scene(newEnds(s, l))
			})
		})
	}
}

// Two moves in opposite directions lose no file, even if a clock is wrong. This holds for stores with the features
// that WithMove requires.
func TestExploredMovesInOppositeDirections(t *testing.T) {
	c := explored.Config()
	c.Weaknesses = provenRemovals()
	for _, l := range layouts {
		t.Run(l.name, func(t *testing.T) {
			interleave.Run(t, c, func(s *interleave.Scene) {
				e := newEnds(s, l)
				e.job("there", e.q, e.p, transfer.WithMove())
				e.job("back", e.p, e.q, transfer.WithMove())
				e.Check(func() {
					require.True(e, e.has("first"), "nobody has the file")
					for _, store := range []*interleave.Store{e.p, e.q} {
						require.Contains(e, []string{"first", ""}, e.contents(store)["k"])
					}
				})
			})
		})
	}
}

// If the same move runs twice at the same time, the file is not lost. If the first one succeeds, the destination
// has the file.
func TestExploredMoveAndTheSameMove(t *testing.T) {
	exploreEnds(t, func(e *ends) {
		a := e.job("a", e.q, e.p, transfer.WithMove())
		e.job("b", e.q, e.p, transfer.WithMove())
		e.Check(func() {
			require.True(e, e.has("first"), "nobody has the file")
			if explored.Succeeded(a) {
				require.Equal(e, "first", e.contents(e.q)["k"])
			}
		})
	})
}

// If a program writes a file to the source during a move, the file is at the source or at the destination
// afterwards.
func TestExploredMoveAndAWriterOfTheSource(t *testing.T) {
	exploreEnds(t, func(e *ends) {
		e.job("moves", e.q, e.p, transfer.WithMove())
		writes := e.writer(e.p, uploading("k", "new"))
		e.Check(func() {
			if explored.Succeeded(writes) && storage.Supports(e.p.Bucket(), storage.ConditionalRemove) {
				require.True(e, e.has("new"), "nobody has the new file")
			}
			require.True(e, e.has("new") || e.has("first"), "nobody has a file")
		})
	})
}

// During a move, a program replaces or removes the file at the destination. If the program fails, the file
// remains; if the move fails, the file or its replacement remains.
func TestExploredMoveAndAWriterOfTheDestination(t *testing.T) {
	for name, do := range map[string]func(context.Context, storage.Bucket) error{
		"replaces": uploading("k", "new"),
		"removes":  removing("k"),
	} {
		t.Run(name, func(t *testing.T) {
			exploreEnds(t, func(e *ends) {
				first := e.contents(e.q)["k"] != ""
				moves := e.job("moves", e.q, e.p, transfer.WithMove())
				writes := e.writer(e.q, do)
				e.Check(func() {
					if !explored.Succeeded(writes) && !explored.Unknown(writes) {
						require.True(e, e.has("first"))
					}
					if first && !explored.Succeeded(moves) {
						require.True(e, e.has("first") || e.has("new") || name == "removes")
					}
				})
			})
		})
	}
}

// If the same Sync runs twice at the same time, the source and the destination are equal afterwards.
func TestExploredSyncAndTheSameSync(t *testing.T) {
	explored.RunOnSome(t, func(s *interleave.Scene) {
		e := &ends{Scene: s, p: s.Store("p"), q: s.Store("q")}
		e.upload(e.p, "k", "first")
		e.upload(e.p, "l", "second")
		e.upload(e.q, "superfluous", "")
		a := e.job("a", e.q, e.p, transfer.WithDelete())
		b := e.job("b", e.q, e.p, transfer.WithDelete())
		e.Check(func() {
			require.Equal(e, map[string]string{"k": "first", "l": "second"}, e.contents(e.p))
			if explored.Succeeded(a) || explored.Succeeded(b) {
				require.Equal(e, e.contents(e.p), e.contents(e.q))
			}
		})
	})
}

// If a job with a journal dies or runs twice, repeating it transfers all files.
func TestExploredSyncWithAJournal(t *testing.T) {
	explored.RunOnSome(t, func(s *interleave.Scene) {
		e := &ends{Scene: s, p: s.Store("p"), q: s.Store("q")}
		e.upload(e.p, "k", "first")
		e.upload(e.p, "l", "second")
		journals := e.Store("journals")
		for _, name := range []string{"a", "b"} {
			p := e.Process(name)
			dst := p.Bucket(e.q)
			src := p.Bucket(e.p)
			journal := p.Bucket(journals)
			p.Go(name, func(ctx context.Context) error {
				_, err := transfer.Sync(
					ctx, transfer.Bucket(dst), transfer.Bucket(src), transfer.WithConcurrency(1), transfer.WithJournal(journal, "j"),
				)
				return err
			})
		}
		e.Check(func() {
			_, err := transfer.Sync(
				e.Context(), transfer.Bucket(e.q.Bucket()), transfer.Bucket(e.p.Bucket()),
				transfer.WithJournal(journals.Bucket(), "j"),
			)
			require.NoError(e, err)
			require.Equal(e, e.contents(e.p), e.contents(e.q))
		})
	})
}

// If Sync with WithBackup replaces or removes a file, the backup has the old file.
func TestExploredSyncWithABackup(t *testing.T) {
	explored.Run(t, func(s *interleave.Scene) {
		e := &ends{Scene: s, p: s.Store("p"), q: s.Store("q")}
		backup := s.Store("backup")
		e.upload(e.p, "k", "replacement")
		e.upload(e.p, "l", "")
		e.upload(e.q, "k", "first")
		p := e.Process("job")
		dst := p.Bucket(e.q)
		src := p.Bucket(e.p)
		saved := p.Bucket(backup)
		p.Go("job", func(ctx context.Context) error {
			_, err := transfer.Sync(
				ctx, transfer.Bucket(dst), transfer.Bucket(src), transfer.WithConcurrency(1), transfer.WithDelete(),
				transfer.WithBackup(transfer.Bucket(saved)),
			)
			return err
		})
		e.writer(e.p, removing("k"))
		e.Check(func() {
			require.Contains(e, []string{e.contents(e.q)["k"], e.contents(backup)["k"]}, "first")
		})
	})
}

// If a program writes an object during Undelete, Undelete does not replace it.
func TestExploredUndeleteAndAWriter(t *testing.T) {
	explored.Run(t, func(s *interleave.Scene) {
		e := &ends{Scene: s, p: s.StoreWith("p", memstore.Config{Versioned: true})}
		e.upload(e.p, "k", "first")
		require.NoError(e, e.p.Bucket().Remove(e.Context(), "k"))
		p := e.Process("undeletes")
		b := p.Bucket(e.p)
		p.Go("undeletes", func(ctx context.Context) error {
			_, err := transfer.Undelete(ctx, b, transfer.WithConcurrency(1))
			return err
		})
		writes := e.writer(e.p, uploading("k", "new"))
		e.Check(func() {
			if explored.Succeeded(writes) {
				require.Equal(e, "new", e.contents(e.p)["k"])
			}
		})
	})
}

// If a program uploads a new object while Expire runs, Expire keeps it. Expire and Remove still remove the object
// that they selected.
func TestExploredRemovalsAndAWriter(t *testing.T) {
	for name, job := range map[string]func(ctx context.Context, b storage.Bucket) error{
		"expire": func(ctx context.Context, b storage.Bucket) error {
			_, err := transfer.Expire(ctx, b, []transfer.ExpireRule{{Age: time.Hour}})
			return err
		},
		"remove": func(ctx context.Context, b storage.Bucket) error {
			_, err := transfer.Remove(ctx, b)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			explored.Run(t, func(s *interleave.Scene) {
				e := &ends{Scene: s, p: s.Store("p")}
				e.upload(e.p, "k", "first")
				time.Sleep(2 * time.Hour)
				p := e.Process("job")
				b := p.Bucket(e.p)
				removes := p.Go("job", func(ctx context.Context) error { return job(ctx, b) })
				writes := e.writer(e.p, uploading("l", "new"))
				e.Check(func() {
					if explored.Succeeded(removes) {
						require.Empty(e, e.contents(e.p)["k"])
					}
					// The job has seen a new file of Remove only if it came before the listing.
					if explored.Succeeded(writes) && name == "expire" {
						require.Equal(e, "new", e.contents(e.p)["l"])
					}
				})
			})
		})
	}
}

// If a program writes a new object during RestoreAt, RestoreAt keeps it. If RestoreAt was interrupted, repeating
// it completes the restore.
func TestExploredRestoreAtAndAWriter(t *testing.T) {
	explored.Run(t, func(s *interleave.Scene) {
		e := &ends{Scene: s, p: s.StoreWith("p", memstore.Config{Versioned: true})}
		e.upload(e.p, "k", "first")
		time.Sleep(time.Hour)
		when := time.Now()
		time.Sleep(time.Hour)
		e.upload(e.p, "k", "second")
		p := e.Process("restores")
		b := p.Bucket(e.p)
		p.Go("restores", func(ctx context.Context) error {
			_, err := transfer.RestoreAt(ctx, b, when, transfer.WithConcurrency(1))
			return err
		})
		writes := e.writer(e.p, uploading("l", "new"))
		e.Check(func() {
			require.Contains(e, []string{"first", "second"}, e.contents(e.p)["k"])
			if explored.Succeeded(writes) {
				require.Equal(e, "new", e.contents(e.p)["l"])
			}
			_, err := transfer.RestoreAt(e.Context(), e.p.Bucket(), when)
			require.NoError(e, err)
			require.Equal(e, "first", e.contents(e.p)["k"])
		})
	})
}
