package storage_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/explored"
	"github.com/omnibucket/storage/storagetest/interleave"
)

// A step is an operation beside a move from "from" to "to".
type step struct {
	name string
	do   func(ctx context.Context, b storage.Bucket) error
	// gone are the contents that may be lost because the operation replaces or removes them.
	gone []string
	// stored is the content that must be there if the operation has succeeded, or "".
	stored string
	// weak is true if the move may lose what the operation has stored, on a store without ConditionalRemove or
	// without UniqueRevisions.
	weak bool
	// back is true for a move in the opposite direction. Both together may lose the object on a store without
	// ServerMove that lacks ConditionalRemove or UniqueRevisions.
	back bool
}

var steps = []step{
	{
		name: "the same move",
		do:   moving("from", "to"),
	},
	{
		name: "a move to another key",
		do:   moving("from", "elsewhere"),
	},
	{
		name: "the move back",
		do:   moving("to", "from"),
		back: true,
	},
	{
		name:   "an upload of the source",
		do:     put("from", "new"),
		gone:   []string{"first"},
		stored: "new",
		weak:   true,
	},
	{
		name:   "an equal upload of the source",
		do:     put("from", "first"),
		stored: "first",
	},
	{
		name:   "an upload of the destination",
		do:     put("to", "new"),
		gone:   []string{"first", "new"},
		stored: "",
	},
	{
		name:   "a creation of the destination",
		do:     put("to", "new", storage.IfAbsent()),
		gone:   []string{"new"}, // the move replaces it
		stored: "",
	},
	{
		name: "a removal of the source",
		do:   func(ctx context.Context, b storage.Bucket) error { return b.Remove(ctx, "from") },
		gone: []string{"first"},
	},
	{
		name: "a removal of the destination",
		do:   func(ctx context.Context, b storage.Bucket) error { return b.Remove(ctx, "to") },
		gone: []string{"first"},
	},
}

func moving(src, dst string) func(context.Context, storage.Bucket) error {
	return func(ctx context.Context, b storage.Bucket) error {
		_, err := storage.Move(ctx, b, src, dst)
		return err
	}
}

func put(key, text string, opts ...storage.UploadOption) func(context.Context, storage.Bucket) error {
	return func(ctx context.Context, b storage.Bucket) error {
		_, err := b.Upload(ctx, key, strings.NewReader(text), opts...)
		return err
	}
}

// If Move runs beside another operation, it loses no object that the other one neither replaces nor removes.
func TestExploredMoveBesideOperation(t *testing.T) {
	for _, other := range steps {
		t.Run(other.name, func(t *testing.T) {
			explored.Run(t, func(s *interleave.Scene) {
				store := s.Store("s")
				outside := store.Bucket()
				require.NoError(s, put("from", "first")(s.Context(), outside))
				moves := s.Process("moves")
				others := s.Process("other")
				b := moves.Bucket(store)
				moves.Go("moves", func(ctx context.Context) error { return moving("from", "to")(ctx, b) })
				c := others.Bucket(store)
				a := others.Go("other", func(ctx context.Context) error { return other.do(ctx, c) })
				s.Check(func() {
					var have []string
					for _, key := range []string{"from", "to", "elsewhere"} {
						data, _, err := storage.ReadAll(s.Context(), outside, key)
						if err == nil {
							have = append(have, string(data))
						} else {
							require.ErrorIs(s, err, storage.ObjectNotFound)
						}
					}

					back := storage.Supports(outside, storage.ConditionalRemove|storage.UniqueRevisions)
					stays := !other.back || back || storage.Supports(outside, storage.ServerMove)
					if !slices.Contains(other.gone, "first") && stays {
						require.Contains(s, have, "first")
					}
					weak := other.weak && !storage.Supports(outside, storage.ConditionalRemove)
					if other.stored != "" && explored.Succeeded(a) && !weak {
						require.Contains(s, have, other.stored)
					}
					if a.Err() != nil && !a.Died() {
						codes := []storage.Code{
							storage.ObjectNotFound, storage.Changed, storage.PreconditionFailed,
						}
						unknown := errors.Is(a.Err(), storage.OutcomeUnknown)
						require.True(s, unknown || slices.Contains(codes, storage.CodeOf(a.Err())),
							fmt.Sprint(a.Err()))
					}
				})
			})
		})
	}
}
