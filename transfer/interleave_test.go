package transfer_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/explored"
	"github.com/omnibucket/storage/storagetest/interleave"
)

// provenRemovals are the kinds of stores in which a removal can name the write that it removes. In
// the other kinds, moves in opposite directions may lose a file, as the comments of WithMove and
// Move say.
func provenRemovals() (kinds []interleave.Weakness) {
	for _, kind := range interleave.Weaknesses() {
		if !kind.EqualRevisions && kind.Lacks&storage.ConditionalRemove == 0 {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// store uploads an object before the processes of a scene begin.
func store(s *interleave.Scene, b storage.Bucket, key string) {
	_, err := b.Upload(s.Context(), key, strings.NewReader("precious"))
	require.NoError(s, err)
}

// copies returns how many of the keys have an object that the function store has written.
func copies(s *interleave.Scene, b storage.Bucket, keys ...string) (n int) {
	for _, key := range keys {
		data, _, err := storage.ReadAll(s.Context(), b, key)
		if storage.CodeOf(err) == storage.ObjectNotFound {
			continue
		}
		require.NoError(s, err)
		require.Equal(s, "precious", string(data))
		n++
	}
	return n
}

// Two calls of Move rename an object in opposite directions. Afterwards, the object has one of the
// two keys, whatever the order of the requests.
func TestExploredMoveOfOneObjectInOppositeDirections(t *testing.T) {
	// In these stores, a removal can name the write that it removes.
	config := explored.Config()
	config.Weaknesses = provenRemovals()
	moves := []struct{ from, to string }{
		{from: "a", to: "b"},
		{from: "b", to: "a"},
	}

	// Run executes this scene once for each order of the requests, on each kind of store.
	interleave.Run(t, config, func(s *interleave.Scene) {
		objects := s.Store("objects")
		store(s, objects.Bucket(), "a")

		// Two processes move the object at the same time.
		for _, move := range moves {
			name := "to " + move.to
			process := s.Process(name)
			b := process.Bucket(objects)
			process.Go(name, func(ctx context.Context) error {
				_, err := storage.Move(ctx, b, move.from, move.to)
				return err
			})
		}

		// After both moves, one of the keys has the object.
		s.Check(func() {
			require.Positive(s, copies(s, objects.Bucket(), "a", "b"))
		})
	})
}
