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

// A remover is a Core that returns what a test says.
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

func TestOf(t *testing.T) {
	locked := func(key, version string) error {
		return &storage.Error{Code: storage.Locked, Key: key, Version: version}
	}
	one := locked("a", "1")
	another := locked("b", "1")
	end := error(&storage.Error{Code: storage.Canceled, Err: context.Canceled})

	for name, row := range map[string]struct {
		removed  int
		failures []error
		errs     []error
	}{
		"all are removed":                      {3, nil, []error{nil, nil, nil}},
		"none is":                              {0, []error{one, another, locked("a", "2")}, []error{one, another, locked("a", "2")}},
		"a version is not one of its key":      {2, []error{locked("a", "2")}, []error{nil, nil, locked("a", "2")}},
		"what was not tried has what ended it": {1, []error{one, end}, []error{one, nil, end}},
		"nothing was tried":                    {0, []error{end}, []error{end, end, end}},
	} {
		t.Run(name, func(t *testing.T) {
			var group []storage.VersionEntry
			for _, v := range [][2]string{{"a", "1"}, {"b", "1"}, {"a", "2"}} {
				group = append(group, storage.VersionEntry{ListEntry: storage.ListEntry{Key: v[0]}, Version: v[1]})
			}
			errs, early := Remove(t.Context(), storage.NewBucket(&remover{removed: row.removed, err: errors.Join(row.failures...)}), group, true)
			require.Equal(t, row.errs, errs)
			require.Equal(t, slices.Contains(row.failures, end), early != nil)
		})
	}

	errs, early := Remove(t.Context(), storage.NewBucket(&remover{removed: 1, err: locked("b", "")}), []storage.VersionEntry{{ListEntry: storage.ListEntry{Key: "a"}}, {ListEntry: storage.ListEntry{Key: "b"}}}, false)
	require.Equal(t, []error{nil, locked("b", "")}, errs)
	require.NoError(t, early)
}
