package commit_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/commit"
	"github.com/omnibucket/storage/internal/testing/explored"
	"github.com/omnibucket/storage/storagetest/interleave"
)

// appending appends the name, and records the number.
func appending(name string, number *int64) func(ctx context.Context, l *commit.Log) error {
	return func(ctx context.Context, l *commit.Log) (err error) {
		*number, err = l.Append(ctx, func(int64) ([]byte, error) { return []byte(name), nil })
		return err
	}
}

// Entries are appended once, without gaps, and a trimmed log keeps those that were not trimmed. A reader sees no gap.
func TestExploredLog(t *testing.T) {
	const given = 3
	trim := func(ctx context.Context, l *commit.Log) error {
		return errors.Join(l.Trim(ctx, 1), l.Trim(ctx, 2))
	}
	readLog := func(ctx context.Context, l *commit.Log) error {
		next := int64(1)
		for entry, err := range l.From(ctx, next) {
			if errors.Is(err, storage.ObjectNotFound) {
				return nil // the next entry was trimmed, or there is none
			}
			if err != nil {
				return err
			}
			if entry.Number != next {
				return fmt.Errorf("entry %d after %d", entry.Number, next-1)
			}
			next++
		}
		return nil
	}
	for _, tt := range []struct {
		name  string
		other func(ctx context.Context, l *commit.Log) error // nil means another writer
	}{
		{name: "append and append"},
		{name: "append and trim", other: trim},
		{name: "append and read", other: readLog},
	} {
		t.Run(tt.name, func(t *testing.T) {
			explored.Run(t, func(s *interleave.Scene) {
				store := s.Store("s")
				open := func(b storage.Bucket) *commit.Log {
					l, err := commit.New(b, "log/")
					require.NoError(s, err)
					return l
				}
				outside := open(store.Bucket())
				for range given {
					_, err := outside.Append(s.Context(), func(int64) ([]byte, error) {
						return []byte("given"), nil
					})
					require.NoError(s, err)
				}
				run := func(name string, do func(ctx context.Context, l *commit.Log) error) *interleave.Actor {
					p := s.Process(name)
					l := open(p.Bucket(store))
					return p.Go(name, func(ctx context.Context) error { return do(ctx, l) })
				}
				numbers := make([]int64, 2)
				writers := []*interleave.Actor{run("a", appending("a", &numbers[0]))}
				other := tt.other
				if other == nil {
					writers = append(writers, run("b", appending("b", &numbers[1])))
				} else {
					o := run("other", other)
					s.Check(func() {
						require.True(s, o.Died() || o.Err() == nil || o.Unanswered(), "%v", o.Err())
					})
				}
				s.Check(func() {
					log := open(store.Bucket())
					last, err := log.Last(s.Context())
					require.NoError(s, err)
					got := make(map[string]int64)

					for number := int64(given + 1); number <= last; number++ {
						entry, err := log.Read(s.Context(), number)
						require.NoError(s, err)
						require.Zero(s, got[string(entry.Data)], "appended twice")
						got[string(entry.Data)] = number
					}

					for i, w := range writers {
						unknown := explored.Unknown(w)
						unanswered := w.Unanswered() && errors.Is(w.Err(), storage.Unavailable)
						require.True(s, w.Err() == nil || unknown || unanswered, "%v", w.Err())
						if unanswered && !unknown {
							require.Zero(s, got[w.Name()], "appended by a call that failed")
						}
						if w.Err() == nil && !unknown {
							require.Equal(s, numbers[i], got[w.Name()])
						}
					}

					reopened := open(store.Bucket())
					_, err = reopened.Append(s.Context(), func(int64) ([]byte, error) {
						return []byte("later"), nil
					})
					require.NoError(s, err)
				})
			})
		})
	}
}
