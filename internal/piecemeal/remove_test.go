package piecemeal

import (
	"context"
	"errors"
	"iter"
	"slices"
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

// Remove of versions returns the error of each version, and also what ended the removals early.
func TestRemoveVersions(t *testing.T) {
	lockedA1 := newLocked("a", "1")
	lockedB1 := newLocked("b", "1")
	lockedA2 := newLocked("a", "2")
	canceled := error(&storage.Error{Code: storage.Canceled, Err: context.Canceled})

	tests := map[string]struct {
		removed  int
		failures []error // that the bucket returns, joined
		errs     []error // of a in version 1, b in version 1, a in version 2
	}{
		"all are removed": {
			removed:  3,
			failures: nil,
			errs:     []error{nil, nil, nil},
		},
		"none is": {
			removed:  0,
			failures: []error{lockedA1, lockedB1, lockedA2},
			errs:     []error{lockedA1, lockedB1, lockedA2},
		},
		"a version is not one of its key": {
			removed:  2,
			failures: []error{lockedA2},
			errs:     []error{nil, nil, lockedA2},
		},
		"what was not tried has what ended it": {
			removed:  1,
			failures: []error{lockedA1, canceled},
			errs:     []error{lockedA1, nil, canceled},
		},
		"nothing was tried": {
			removed:  0,
			failures: []error{canceled},
			errs:     []error{canceled, canceled, canceled},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bucket := storage.NewBucket(&remover{removed: tt.removed, err: errors.Join(tt.failures...)})
			group := []storage.VersionEntry{newEntry("a", "1"), newEntry("b", "1"), newEntry("a", "2")}

			errs, early := Remove(t.Context(), bucket, group, true)
			require.Equal(t, tt.errs, errs)
			require.Equal(t, slices.Contains(tt.failures, canceled), early != nil)
		})
	}
}

// Remove of objects returns the error of each key.
func TestRemoveObjects(t *testing.T) {
	lockedB := newLocked("b", "")
	bucket := storage.NewBucket(&remover{removed: 1, err: lockedB})
	group := []storage.VersionEntry{newEntry("a", ""), newEntry("b", "")}

	errs, early := Remove(t.Context(), bucket, group, false)
	require.Equal(t, []error{nil, lockedB}, errs)
	require.NoError(t, early)
}
