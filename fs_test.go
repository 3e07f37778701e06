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

// ReadDir of FS sends one request for an existing directory, three for a missing one, and none for an invalid name.
func TestFSReadDirTakesOneListing(t *testing.T) {
	// The hook counts the requests of each operation.
	requests := 0
	countRequests := func(outcome storage.Outcome) {
		requests += outcome.Requests
	}
	hook := func(context.Context, storage.Operation) (context.Context, func(storage.Outcome), error) {
		return nil, countRequests, nil
	}
	bucket := memstore.New(storage.WithHook(hook))
	for _, key := range []string{"a/b/c", "a/d"} {
		_, err := bucket.Upload(t.Context(), key, strings.NewReader(""))
		require.NoError(t, err)
	}

	tests := []struct {
		dir          string
		want         []string
		wantErr      error
		wantRequests int
	}{
		{dir: ".", want: []string{"a"}, wantRequests: 1},
		{dir: "a", want: []string{"b", "d"}, wantRequests: 1},
		{dir: "a/b", want: []string{"c"}, wantRequests: 1},
		{dir: "none", wantErr: fs.ErrNotExist, wantRequests: 3},
		{dir: "../a", wantErr: fs.ErrInvalid, wantRequests: 0},
	}
	for _, tt := range tests {
		t.Run(tt.dir, func(t *testing.T) {
			// Count only the requests of this ReadDir.
			requests = 0
			entries, err := fs.ReadDir(storage.FS(t.Context(), bucket), tt.dir)
			require.ErrorIs(t, err, tt.wantErr)
			require.Equal(t, tt.wantRequests, requests)

			var names []string
			for _, entry := range entries {
				names = append(names, entry.Name())
			}
			require.Equal(t, tt.want, names)
		})
	}
}
