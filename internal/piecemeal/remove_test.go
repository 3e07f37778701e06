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

// Remove finds the error of each version in the joined error of the bucket, and returns what ended the removals early.
func TestRemoveVersions(t *testing.T) {
	lockedA1 := newLocked("a", "1")
	lockedB1 := newLocked("b", "1")
	lockedA2 := newLocked("a", "2")
	canceled := error(&storage.Error{Code: storage.Canceled, Err: context.Canceled})

	tests := map[string]struct {
		removed  int
		failures []error // the joined errors that the bucket returns
		want     []error // the errors of a in version 1, b in version 1 and a in version 2
	}{
		"all are removed": {
			removed:  3,
			failures: nil,
			want:     []error{nil, nil, nil},
		},
		"none is": {
			removed:  0,
			failures: []error{lockedA1, lockedB1, lockedA2},
			want:     []error{lockedA1, lockedB1, lockedA2},
		},
		"one of two versions of a key is not": {
			removed:  2,
			failures: []error{lockedA2},
			want:     []error{nil, nil, lockedA2},
		},
		"the last is not tried": {
			removed:  1,
			failures: []error{lockedA1, canceled},
			want:     []error{lockedA1, nil, canceled},
		},
		"none is tried": {
			removed:  0,
			failures: []error{canceled},
			want:     []error{canceled, canceled, canceled},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bucket := storage.NewBucket(&remover{removed: tt.removed, err: errors.Join(tt.failures...)})
			group := []storage.VersionEntry{newEntry("a", "1"), newEntry("b", "1"), newEntry("a", "2")}

			errs, early := Remove(t.Context(), bucket, group, true)
			require.Equal(t, tt.want, errs)
			endsEarly := slices.Contains(tt.failures, canceled)
			require.Equal(t, endsEarly, early != nil)
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
