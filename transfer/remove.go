package transfer

import (
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
	still := map[string]error{}
	for _, err := range joined.Errors(err) {
		var own *storage.Error
		if !errors.As(err, &own) || own.Key == "" { // without a key: RemoveAll ended early
			for _, key := range keys {
				still[key] = err
			}
			break
		}
		still[own.Key] = err
	}
	for _, key := range keys {
		if err := still[key]; err != nil {
			failed(key, err)
		} else {
			gone(key)
		}
	}
}
