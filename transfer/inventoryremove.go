package transfer

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/parallel"
	"github.com/omnibucket/storage/internal/removal"
	"github.com/omnibucket/storage/internal/serving"
)

// removeListed removes objects of an inventory, unless they were replaced since.
func (e *expiry) removeListed(ctx context.Context, group []expiring) {
	failures := parallel.All(len(group), e.atOnce(), func(i int) error {
		listed := &storage.Attrs{Key: group[i].Key, Size: group[i].Size, Revision: group[i].Revision, Modified: group[i].Modified}
		if again, err := e.writtenAgain(ctx, listed); again || err != nil {
			return cmp.Or(err, error(storage.Changed))
		}
		return serving.RemoveUnchanged(ctx, e.remover, group[i].Key, listed)
	})
	for i, err := range failures {
		switch {
		case storage.CodeOf(err) == storage.Changed:
			e.reporter.changed()
		case err != nil:
			e.failedRemoval(ctx, group[i].Key, err)
		default:
			e.reporter.removed(group[i].Key, group[i].Size)
		}
	}
}

// writtenAgain reports whether an object was written since, if its revision does not tell: on S3, the same
// bytes have the same one.
func (e *expiry) writtenAgain(ctx context.Context, listed *storage.Attrs) (bool, error) {
	if storage.Supports(e.lister, storage.UniqueRevisions) {
		return false, nil
	}
	now, err := e.tags.Attrs(ctx, listed.Key)
	if err != nil {
		if storage.CodeOf(err) == storage.ObjectNotFound {
			err = nil // to remove it changes nothing
		}
		return false, err
	}
	return !now.Modified.Truncate(time.Second).Equal(listed.Modified.Truncate(time.Second)), nil // an inventory may have no fractions
}

func (e *expiry) atOnce() int {
	if e.settings.concurrency > 0 {
		return e.settings.concurrency
	}
	return removal.AtOnce
}

// oldVersions leaves out versions of an inventory that became current since: a removal or an undelete may
// have brought them back.
func (e *expiry) oldVersions(ctx context.Context, group []expiring) []expiring {
	if e.settings.inventory == nil {
		return group
	}
	keys := make([]string, 0, len(group))
	for _, v := range group { // those of one key follow one another
		if len(keys) == 0 || keys[len(keys)-1] != v.Key {
			keys = append(keys, v.Key)
		}
	}
	current := make([]string, len(keys))
	failures := parallel.All(len(keys), e.atOnce(), func(i int) error {
		now, err := e.tags.Attrs(ctx, keys[i])
		switch {
		case err == nil:
			current[i] = now.Version
		case storage.CodeOf(err) == storage.ObjectNotFound:
			err = nil
		}
		return err
	})
	at := 0
	return slices.DeleteFunc(group, func(v expiring) bool {
		for keys[at] != v.Key {
			at++
		}
		switch {
		case failures[at] != nil:
			e.failedRemoval(ctx, v.Key, failures[at])
			return true
		case current[at] == v.version:
			e.reporter.changed()
			return true
		}
		return false
	})
}
