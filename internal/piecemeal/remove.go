package piecemeal

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/core/removal"
)

const (
	// MaxFailures is the largest number of entries in a group. In a larger group, RemoveAll could stop early
	// because of too many failures. No provider removes more entries with one request.
	MaxFailures = removal.MaxFailures
	// AtOnce is the number of removals in parallel, if each takes a request.
	AtOnce = removal.AtOnce
	// Together is the number of objects in a group whose removals take a request each.
	Together = removal.Together
)

// Remove removes the entries of group. For each entry, errs contains nil if the entry was removed,
// and otherwise an error, and the entry may still exist.
//
// If the removal stopped before all entries were tried, early is the error that stopped it, which
// errs also contains for each entry that was not tried.
func Remove(
	ctx context.Context, b storage.Remover, group []storage.VersionEntry, ofVersions bool,
) (errs []error, early error) {
	var tried int // number of entries that were tried
	var err error
	if ofVersions {
		tried, err = storage.RemoveVersions(ctx, b, slices.Values(group))
	} else {
		keys := removal.Map(slices.Values(group), func(v storage.VersionEntry) string {
			return v.Key
		})
		tried, err = storage.RemoveAll(ctx, b, keys)
	}

	// An error with a key is that of one entry, which was tried. An error without one has stopped the
	// removal.
	type entry struct{ key, version string }
	failures := map[entry]error{}
	for _, err := range Errors(err) {
		e, ok := errors.AsType[*storage.Error](err)
		if !ok || e.Key == "" {
			early = err
			continue
		}
		failures[entry{key: e.Key, version: e.Version}] = err
		tried++
	}

	errs = make([]error, len(group))
	for i, v := range group {
		errs[i] = failures[entry{key: v.Key, version: v.Version}]
		if i >= tried {
			errs[i] = cmp.Or(errs[i], early)
		}
	}
	return errs, early
}
