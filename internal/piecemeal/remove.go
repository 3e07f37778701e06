package piecemeal

import (
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
// If the removal stopped before all entries were tried, stopErr is the error that stopped it, which
// errs also contains for each entry that was not tried.
func Remove(
	ctx context.Context, b storage.Remover, group []storage.VersionEntry, ofVersions bool,
) (errs []error, stopErr error) {
	removed, joined := removeGroup(ctx, b, group, ofVersions)

	// An error with a key is that of one entry. An error without a key has stopped the removal.
	type entry struct{ key, version string }
	failures := map[entry]error{}
	failed := 0
	for _, err := range Errors(joined) {
		storageErr, ok := errors.AsType[*storage.Error](err)
		if !ok || storageErr.Key == "" {
			stopErr = err
			continue
		}
		failures[entry{key: storageErr.Key, version: storageErr.Version}] = err
		failed++
	}

	errs = make([]error, len(group))
	for i, v := range group {
		errs[i] = failures[entry{key: v.Key, version: v.Version}]
	}
	// The entries are tried in their order, so those that were not tried are at the end.
	tried := removed + failed
	for i := tried; i < len(group); i++ {
		if errs[i] == nil {
			errs[i] = stopErr
		}
	}
	return errs, stopErr
}

// removeGroup removes the entries of group, as objects or as versions, and returns how many were
// removed, and the joined errors.
func removeGroup(
	ctx context.Context, b storage.Remover, group []storage.VersionEntry, ofVersions bool,
) (removed int, err error) {
	entries := slices.Values(group)
	if ofVersions {
		return storage.RemoveVersions(ctx, b, entries)
	}
	keys := removal.Map(entries, func(v storage.VersionEntry) string { return v.Key })
	return storage.RemoveAll(ctx, b, keys)
}
