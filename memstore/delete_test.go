package memstore_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// Delete removes the object with the key, and no other one, if the condition holds.
func TestDelete(t *testing.T) {
	// The object a has the revision memory:1.
	tests := map[string]struct {
		request  driver.DeleteRequest
		wantErr  error
		wantKeys []string // of the objects that are left
	}{
		"an existing object": {
			request:  driver.DeleteRequest{Key: "a"},
			wantErr:  nil,
			wantKeys: []string{"a/b", "b"},
		},
		"a missing object": {
			request:  driver.DeleteRequest{Key: "c"},
			wantErr:  nil,
			wantKeys: []string{"a", "a/b", "b"},
		},
		"IfRevision that holds": {
			request:  driver.DeleteRequest{Key: "a", Condition: storage.Condition{Revision: "memory:1"}},
			wantErr:  nil,
			wantKeys: []string{"a/b", "b"},
		},
		"IfRevision that does not hold": {
			request:  driver.DeleteRequest{Key: "a", Condition: storage.Condition{Revision: "memory:2"}},
			wantErr:  storage.PreconditionFailed,
			wantKeys: []string{"a", "a/b", "b"},
		},
		"IfRevision of a missing object": {
			request:  driver.DeleteRequest{Key: "c", Condition: storage.Condition{Revision: "memory:2"}},
			wantErr:  nil,
			wantKeys: []string{"a", "a/b", "b"},
		},
		"a malformed version": {
			request:  driver.DeleteRequest{Key: "a", Version: "null"},
			wantErr:  storage.InvalidArgument,
			wantKeys: []string{"a", "a/b", "b"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d := newDriver()
			put(t, d, "a", "1")
			put(t, d, "a/b", "2")
			put(t, d, "b", "3")

			err := d.Delete(t.Context(), &tt.request)
			if tt.wantErr == nil {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, tt.wantErr)
			}
			require.Equal(t, tt.wantKeys, listKeys(t, d))
		})
	}
}

// DeleteBatch returns an error or nil for each request, in their order.
func TestDeleteBatchReturnsAnErrorForEachRequest(t *testing.T) {
	d := newDriver()
	put(t, d, "a", "1")
	put(t, d, "b", "2")
	put(t, d, "c", "3")

	errs := d.DeleteBatch(t.Context(), []driver.DeleteRequest{
		{Key: "a"},
		{Key: "b", Condition: storage.Condition{Revision: "memory:9"}},
		{Key: "none"},
		{Key: "c"},
	})
	require.Len(t, errs, 4)

	require.NoError(t, errs[0])
	require.ErrorIs(t, errs[1], storage.PreconditionFailed)
	require.NoError(t, errs[2])
	require.NoError(t, errs[3])
	require.Equal(t, []string{"b"}, listKeys(t, d))
}
