// Package removeeach removes groups of objects or versions, and reports for each whether it may still
// exist.
package removeeach

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/joined"
	"github.com/omnibucket/storage/internal/removal"
)

// Most is how large a group may be: RemoveAll reports an error for each of so many failures, and no provider has
// larger batches.
const Most = removal.MaxFailures

// Of removes a group. It returns an error for each entry that may still exist, and otherwise nil. If an error
// ended the removal, that is early, and also the error of each entry that was not tried.
func Of(
	ctx context.Context, b storage.Remover, group []storage.VersionEntry, ofVersions bool,
) (errs []error, early error) {
	var tried int // number of entries that were tried
	var err error
	if ofVersions {
		tried, err = storage.RemoveVersions(ctx, b, slices.Values(group))
	} else {
		tried, err = storage.RemoveAll(ctx, b, removal.Map(slices.Values(group), func(v storage.VersionEntry) string { return v.Key }))
	}
	still := map[[2]string]error{} // errors by key and version
	for _, err := range joined.Errors(err) {
		if own, ok := errors.AsType[*storage.Error](err); ok && own.Key != "" {
			still[[2]string{own.Key, own.Version}] = err
			tried++
		} else {
			early = err
		}
	}
	errs = make([]error, len(group))
	for i, v := range group {
		if errs[i] = still[[2]string{v.Key, v.Version}]; i >= tried {
			errs[i] = cmp.Or(errs[i], early)
		}
	}
	return errs, early
}
