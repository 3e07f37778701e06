package transfer

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"iter"
	"path"
	"slices"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/joined"
	"github.com/omnibucket/storage/internal/parallel"
	"github.com/omnibucket/storage/internal/removal"
)

// extraneousMemory is how many bytes of the files to remove are in memory; the rest is on disk.
const extraneousMemory = 4 << 20

// removeLater keeps a file to remove: it is known long before it may be removed.
func (j *job) removeLater(ctx context.Context, file entry) error {
	j.extraneousCount++
	return tempError("", "", j.extraneous.Add(ctx, []byte(file.key), binary.AppendVarint(nil, file.size)))
}

// removeExtraneous removes files from the destination that the source does not have.
func (j *job) removeExtraneous(ctx context.Context) error {
	var unread error
	files := func(yield func(storage.VersionEntry) bool) {
		for r, err := range j.extraneous.Sorted(ctx) {
			if err != nil {
				unread = tempError("", "", err)
			}
			if err != nil || ctx.Err() != nil {
				return
			}
			size, _ := binary.Varint(r.Value)
			file := entry{key: string(r.Key), size: size}
			if err := j.saved.save(ctx, file); err != nil {
				j.reporter.destinationFailed(ctx, file.key, err)
			} else if !yield(storage.VersionEntry{ListEntry: storage.ListEntry{Key: file.key, Size: size}}) {
				return
			}
		}
	}
	if j.settings.dryRun {
		files(func(file storage.VersionEntry) bool {
			j.reporter.removed(file.Key, file.Size)
			return true
		})
	} else {
		j.dst.remove(ctx, files, &j.reporter)
	}
	if ctx.Err() != nil {
		return ctxError(ctx.Err())
	}
	return unread
}

// remove removes files, and directories that become empty.
func (t *tree) remove(ctx context.Context, files iter.Seq[storage.VersionEntry], to *reporter) {
	for file := range files {
		if err := t.removeFile(file.Key); err != nil {
			to.destinationFailed(ctx, file.Key, fileError("Remove", file.Key, err))
		} else {
			to.removed(file.Key, file.Size)
		}
	}
}

// removeFile removes a file, and directories that become empty.
func (t *tree) removeFile(key string) error {
	if err := t.root.Remove(key); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	dir := path.Dir(key)
	for dir != "." && t.root.Remove(dir) == nil { // until one is not empty
		dir = path.Dir(dir)
	}
	return t.noteChange(dir)
}

// removeBatch is the number of keys for one RemoveAll: the largest batch of any
// provider, so that removals are reported as they happen.
const removeBatch = 1000

// remove removes objects in the provider's batches.
func (o *objects) remove(ctx context.Context, files iter.Seq[storage.VersionEntry], to *reporter) {
	parallel.Groups(files, removeBatch, 1, func(group []storage.VersionEntry) ([]error, bool) {
		removeGroup(ctx, o.bucket, group, false, to)
		return nil, ctx.Err() == nil
	})
}

// removeGroup removes objects or versions, and reports the result for each.
func removeGroup(ctx context.Context, b storage.Remover, group []storage.VersionEntry, ofVersions bool, to *reporter) {
	for i, err := range removeEach(ctx, b, group, ofVersions) {
		if err != nil {
			to.destinationFailed(ctx, group[i].Key, err)
		} else {
			to.removed(group[i].Key, group[i].Size)
		}
	}
}

// removeEach removes objects or versions. It returns for each why it may still be there, or nil.
func removeEach(ctx context.Context, b storage.Remover, group []storage.VersionEntry, ofVersions bool) []error {
	var tried int // the first ones
	var err error
	if ofVersions {
		tried, err = storage.RemoveVersions(ctx, b, slices.Values(group))
	} else {
		tried, err = storage.RemoveAll(ctx, b, removal.Map(slices.Values(group), func(v storage.VersionEntry) string { return v.Key }))
	}
	still := map[[2]string]error{} // by key and version
	var early error                // ended the removal
	for _, err := range joined.Errors(err) {
		if own, ok := errors.AsType[*storage.Error](err); ok && own.Key != "" {
			still[[2]string{own.Key, own.Version}] = err
			tried++
		} else {
			early = err
		}
	}
	errs := make([]error, len(group))
	for i, v := range group {
		if errs[i] = still[[2]string{v.Key, v.Version}]; i >= tried {
			errs[i] = cmp.Or(errs[i], early)
		}
	}
	return errs
}
