package storage_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/explored"
	"github.com/omnibucket/storage/storagetest/interleave"
)

// A step is an operation that runs at the same time as a move from "from" to "to".
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

// moving returns a function that moves src to dst.
func moving(src, dst string) func(context.Context, storage.Bucket) error {
	return func(ctx context.Context, b storage.Bucket) error {
		_, err := storage.Move(ctx, b, src, dst)
		return err
	}
}

// put returns a function that uploads an object.
func put(key, text string, opts ...storage.UploadOption) func(context.Context, storage.Bucket) error {
	return func(ctx context.Context, b storage.Bucket) error {
		_, err := b.Upload(ctx, key, strings.NewReader(text), opts...)
		return err
	}
}

// Move loses no object if another operation runs at the same time. Only that operation may replace or remove one.
func TestExploredMoveBesideOperation(t *testing.T) {
	for _, other := range steps {
		t.Run(other.name, func(t *testing.T) {
			explored.EachOrder(t, func(s *interleave.Scene) {
				// The object "from" has the content "first".
				store := s.Store("s")
				outside := store.Bucket()
				_, err := outside.Upload(s.Context(), "from", strings.NewReader("first"))
				require.NoError(s, err)

				// One process moves the object to "to", while another one makes the other operation.
				mover := s.Process("moves")
				moverBucket := mover.Bucket(store)
				mover.Go("moves", func(ctx context.Context) error {
					_, err := storage.Move(ctx, moverBucket, "from", "to")
					return err
				})

				process := s.Process("other")
				bucket := process.Bucket(store)
				actor := process.Go("other", func(ctx context.Context) error { return other.do(ctx, bucket) })

				// EachOrder runs both operations in each order of their requests. After each run, no content may be lost
				// that the other operation has not replaced or removed.
				s.Check(func() {
					other.checkContents(s, outside, actor)
					checkStepError(s, actor)
				})
			})
		})
	}
}

// checkContents checks that the objects which must not be lost are there.
func (o step) checkContents(s *interleave.Scene, b storage.Bucket, actor *interleave.Actor) {
	var have []string
	for _, key := range []string{"from", "to", "elsewhere"} {
		data, _, err := storage.ReadAll(s.Context(), b, key)
		if err != nil {
			require.ErrorIs(s, err, storage.ObjectNotFound)
			continue
		}
		have = append(have, string(data))
	}

	// The object that was moved still exists, unless the other operation may have removed it.
	movesBackSafely := storage.Supports(b, storage.ServerMove) ||
		storage.Supports(b, storage.ConditionalRemove|storage.UniqueRevisions)
	mayLoseFirst := slices.Contains(o.gone, "first") || o.back && !movesBackSafely
	if !mayLoseFirst {
		require.Contains(s, have, "first")
	}

	// The object that the other operation has stored still exists, if that operation succeeded.
	mayLoseStored := o.weak && !storage.Supports(b, storage.ConditionalRemove)
	if o.stored != "" && explored.Succeeded(actor) && !mayLoseStored {
		require.Contains(s, have, o.stored)
	}
}

// checkStepError checks that an operation failed only as it may.
func checkStepError(s *interleave.Scene, actor *interleave.Actor) {
	err := actor.Err()
	if err == nil || actor.Died() || errors.Is(err, storage.OutcomeUnknown) {
		return
	}
	codes := []storage.Code{storage.ObjectNotFound, storage.Changed, storage.PreconditionFailed}
	require.Contains(s, codes, storage.CodeOf(err), "%v", err)
}
