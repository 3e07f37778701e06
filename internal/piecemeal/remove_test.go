package piecemeal

import (
	"context"
	"errors"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// A remover is a Core whose removals return what a test says.
type remover struct {
	storage.Core
	removed int
	err     error
}

func (r *remover) RemoveAll(context.Context, iter.Seq[string]) (int, error) { return r.removed, r.err }

func (r *remover) RemoveVersions(_ context.Context, versions iter.Seq[storage.VersionEntry]) (int, error) {
	for range versions { // a provider would remove each
	}
	return r.removed, r.err
}

// newLocked returns the error of a version that is locked.
func newLocked(key, version string) error {
	return &storage.Error{Code: storage.Locked, Key: key, Version: version}
}

// newEntry returns the entry of a version.
func newEntry(key, version string) storage.VersionEntry {
	return storage.VersionEntry{ListEntry: storage.ListEntry{Key: key}, Version: version}
}

// A bucket joins the errors of all versions that it could not remove. Remove returns for each version its own error.
// If the removals stopped early, it also returns what stopped them, which is the error of all versions that were not
// tried.
func TestRemoveVersions(t *testing.T) {
	lockedA1 := newLocked("a", "1")
	lockedB1 := newLocked("b", "1")
	lockedA2 := newLocked("a", "2")
	var canceled error = &storage.Error{Code: storage.Canceled, Err: context.Canceled}

	group := []storage.VersionEntry{newEntry("a", "1"), newEntry("b", "1"), newEntry("a", "2")}
	tests := []struct {
		name        string
		removed     int     // the number that the bucket returns
		joined      []error // the errors that the bucket returns, joined
		wantErrs    []error // of each version of group
		wantStopped bool
	}{
		{
			name:     "all versions removed",
			removed:  3,
			joined:   nil,
			wantErrs: []error{nil, nil, nil},
		},
		{
			name:     "all versions locked",
			removed:  0,
			joined:   []error{lockedA1, lockedB1, lockedA2},
			wantErrs: []error{lockedA1, lockedB1, lockedA2},
		},
		{
			name:     "one of two versions of a key locked",
			removed:  2,
			joined:   []error{lockedA2},
			wantErrs: []error{nil, nil, lockedA2},
		},
		{
			name:        "canceled before the last version",
			removed:     1,
			joined:      []error{lockedA1, canceled},
			wantErrs:    []error{lockedA1, nil, canceled},
			wantStopped: true,
		},
		{
			name:        "canceled before the first version",
			removed:     0,
			joined:      []error{canceled},
			wantErrs:    []error{canceled, canceled, canceled},
			wantStopped: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := storage.NewBucket(&remover{removed: tt.removed, err: errors.Join(tt.joined...)})
			const ofVersions = true
			errs, stopErr := Remove(t.Context(), bucket, group, ofVersions)
			require.Equal(t, tt.wantErrs, errs)
			require.Equal(t, tt.wantStopped, stopErr != nil)
		})
	}
}

// Remove of objects returns the error of each key.
func TestRemoveObjects(t *testing.T) {
	lockedB := newLocked("b", "")
	bucket := storage.NewBucket(&remover{removed: 1, err: lockedB})
	group := []storage.VersionEntry{newEntry("a", ""), newEntry("b", "")}

	const ofVersions = false
	errs, early := Remove(t.Context(), bucket, group, ofVersions)
	require.Equal(t, []error{nil, lockedB}, errs)
	require.NoError(t, early)
}
