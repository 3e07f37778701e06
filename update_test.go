package storage_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
)

// overtaken is a driver that fails every write as if another writer had been faster.
type overtaken struct {
	driver.Driver
	writes *int
}

func (o overtaken) Put(context.Context, *driver.PutRequest) (*storage.Attrs, error) {
	*o.writes++
	return nil, storage.PreconditionFailed
}

// without is a driver that hides features of another one.
type without struct {
	driver.Driver
	features storage.Features
}

func (w without) Describe() driver.Description {
	d := w.Driver.Describe()
	d.Features &^= w.features
	return d
}

// memoryWithout returns a bucket in memory that lacks features.
func memoryWithout(features storage.Features) storage.Bucket {
	return memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver { return without{d, features} }))
}

// Update fails with Unsupported if the store lacks a condition that Update needs. The error names
// the condition.
func TestUpdateNamesTheMissingCondition(t *testing.T) {
	tests := map[string]struct {
		missing storage.Features
		want    string
	}{
		"conditional create": {missing: storage.ConditionalCreate, want: "IfAbsent"},
		"conditional update": {missing: storage.ConditionalUpdate, want: "IfRevision"},
		"both": {
			missing: storage.ConditionalCreate | storage.ConditionalUpdate,
			want:    "IfAbsent",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := storage.Update(t.Context(), memoryWithout(tt.missing), "k", nil)
			require.ErrorIs(t, err, storage.Unsupported)
			require.ErrorContains(t, err, "memory does not support "+tt.want+", which Update needs, here")
		})
	}
}

// If another writer is always faster, Update repeats its write a thousand times and fails with Unavailable.
func TestUpdateFailsAfterAThousandConflicts(t *testing.T) {
	// The retries wait, so the clock is a fake one.
	synctest.Test(t, func(t *testing.T) {
		writes := 0
		bucket := memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver {
			return overtaken{Driver: d, writes: &writes}
		}))
		change := func([]byte, *storage.Attrs) ([]byte, error) {
			return []byte("x"), nil
		}

		_, err := storage.Update(t.Context(), bucket, "k", change)
		require.ErrorIs(t, err, storage.Unavailable)
		const retries = 1000
		require.Equal(t, 1+retries, writes)
	})
}

// Update fails with BodyFailed if its function change fails.
func TestUpdateChangeFails(t *testing.T) {
	change := func([]byte, *storage.Attrs) ([]byte, error) {
		return nil, errors.New("out of range")
	}
	_, err := storage.Update(t.Context(), memstore.New(), "k", change)
	require.ErrorIs(t, err, storage.BodyFailed)
	require.EqualError(t, err, `storage: Update "k" in memory bucket "memory": change failed: out of range`)
}
