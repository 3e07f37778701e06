package transfer

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"iter"
	"path"
	"slices"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/joined"
)

// removeExtraneous removes files from the destination that the source does not have.
func (j *job) removeExtraneous(ctx context.Context) error {
	if j.settings.dryRun {
		return j.readExtraneous(func(key string, size int64) bool {
			j.reporter.removed(key, size)
			return true
		})
	}
	sizes := map[string]int64{} // of the keys in the current batch
	var unread error
	j.dst.remove(ctx, func(yield func(string) bool) {
		unread = j.readExtraneous(func(key string, size int64) bool {
			if err := j.saved.save(ctx, entry{key: key, size: size}); err != nil {
				if ctx.Err() == nil {
					j.reporter.destinationFailed(key, err)
				}
				return ctx.Err() == nil
			}
			sizes[key] = size
			return yield(key)
		})
	}, func(key string) {
		j.reporter.removed(key, sizes[key])
		delete(sizes, key)
	}, func(key string, err error) {
		delete(sizes, key)
		if ctx.Err() == nil {
			j.reporter.destinationFailed(key, err)
		}
	})
	if ctx.Err() != nil {
		return ctxError(ctx.Err())
	}
	return unread
}

func (j *job) readExtraneous(yield func(key string, size int64) bool) error {
	if err := j.extraneous.each(yield); err != nil {
		return fileError("", "", err)
	}
	return nil
}

// remove removes files, and directories that become empty.
func (t *tree) remove(ctx context.Context, keys iter.Seq[string], gone func(string), failed func(string, error)) {
	for key := range keys {
		if ctx.Err() != nil {
			return
		}
		if err := t.root.Remove(key); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed(key, fileError("Remove", key, err))
			continue
		}
		dir := path.Dir(key)
		for dir != "." && t.root.Remove(dir) == nil { // until one is not empty
			dir = path.Dir(dir)
		}
		if err := t.noteChange(dir); err != nil {
			failed(key, fileError("Remove", key, err))
			continue
		}
		gone(key)
	}
}

// removeBatch is the number of keys for one RemoveAll: the largest batch of any
// provider, so that removals are reported as they happen.
const removeBatch = 1000

// remove removes objects in the provider's batches.
func (o *objects) remove(ctx context.Context, keys iter.Seq[string], gone func(string), failed func(string, error)) {
	var group []string
	for key := range keys {
		if group = append(group, key); len(group) < removeBatch {
			continue
		}
		removeGroup(ctx, o.bucket, group, gone, failed)
		group = group[:0]
		if ctx.Err() != nil {
			return
		}
	}
	removeGroup(ctx, o.bucket, group, gone, failed)
}

// removeGroup removes keys and reports the result for each.
func removeGroup(ctx context.Context, b storage.Remover, keys []string, gone func(string), failed func(string, error)) {
	_, err := storage.RemoveAll(ctx, b, slices.Values(keys))
	failure := failuresOf(err)
	for _, key := range keys {
		if err := failure(key, ""); err != nil {
			failed(key, err)
		} else {
			gone(key)
		}
	}
}

// failuresOf takes the error of RemoveAll or RemoveVersions. The function that it returns says why an
// object or version may still be there.
func failuresOf(err error) func(key, version string) error {
	still := map[[2]string]error{} // by key and version
	var early error                // ended the removal
	for _, err := range joined.Errors(err) {
		if own, ok := errors.AsType[*storage.Error](err); ok && own.Key != "" {
			still[[2]string{own.Key, own.Version}] = err
		} else {
			early = err
		}
	}
	return func(key, version string) error { return cmp.Or(still[[2]string{key, version}], early) }
}
