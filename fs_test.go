package storage_test

import (
	"context"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

// If a directory exists, ReadDir of FS sends one request. For a missing directory it sends three, and for an
// invalid name none.
func TestFSReadDirTakesOneListing(t *testing.T) {
	requests := 0
	countRequests := func(outcome storage.Outcome) { requests += outcome.Requests }
	hook := func(context.Context, storage.Operation) (context.Context, func(storage.Outcome), error) {
		return nil, countRequests, nil
	}
	b := memstore.New(storage.WithHook(hook))
	for _, key := range []string{"a/b/c", "a/d"} {
		_, err := b.Upload(t.Context(), key, strings.NewReader(""))
		require.NoError(t, err)
	}
	tests := map[string]struct {
		names    []string
		err      error
		requests int
	}{
		".":    {names: []string{"a"}, err: nil, requests: 1},
		"a":    {names: []string{"b", "d"}, err: nil, requests: 1},
		"a/b":  {names: []string{"c"}, err: nil, requests: 1},
		"none": {names: nil, err: fs.ErrNotExist, requests: 3},
		"../a": {names: nil, err: fs.ErrInvalid, requests: 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			requests = 0
			entries, err := fs.ReadDir(storage.FS(t.Context(), b), name)
			var names []string
			for _, entry := range entries {
				names = append(names, entry.Name())
			}
			require.ErrorIs(t, err, tt.err)
			require.Equal(t, tt.names, names)
			require.Equal(t, tt.requests, requests)
		})
	}
}
