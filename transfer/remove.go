package transfer

import (
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"iter"
	"path"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/parallel"
	"github.com/omnibucket/storage/internal/removeeach"
)

// extraneousMemory limits the memory for the list of files to remove, in bytes. The rest of the
// list is in temporary files.
const extraneousMemory = 4 << 20

// removeLater records a file to remove. Files are removed only at the end of the job.
func (j *job) removeLater(ctx context.Context, file entry) error {
	j.extraneousCount++
	return tempError("", "", j.extraneous.Add(ctx, []byte(file.key), binary.AppendVarint(nil, file.size)))
}

// removeExtraneous removes the recorded files from the destination. A file stays if the source
// directory has it by now.
func (j *job) removeExtraneous(ctx context.Context) error {
	src, ofFiles := j.src.(*tree)
	var unread error
	files := func(yield func(storage.VersionEntry) bool) {
		for r, err := range j.extraneous.Sorted(ctx) {
			if err != nil {
				unread = tempError("", "", err)
			}
			if err != nil || ctx.Err() != nil {
				return
			}
			if ofFiles {
				if _, exists := src.named(string(r.Key)); exists {
					continue
				}
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
func (t *tree) remove(ctx context.Context, files iter.Seq[storage.VersionEntry], rep *reporter) {
	for file := range files {
		if err := t.removeFile(file.Key); err != nil {
			rep.destinationFailed(ctx, file.Key, fileError("Remove", file.Key, err))
		} else {
			rep.removed(file.Key, file.Size)
		}
	}
}

// removeFile removes a file, and directories that become empty.
func (t *tree) removeFile(key string) error {
	if err := t.root.Remove(key); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return t.removeEmptyDirs(path.Dir(key))
}

// removeEmptyDirs removes the directory dir and its parents, until one of them is not empty.
func (t *tree) removeEmptyDirs(dir string) error {
	for dir != "." && t.root.Remove(dir) == nil {
		dir = path.Dir(dir)
	}
	return t.noteChange(dir)
}

// remove removes objects in the provider's batches.
func (o *objects) remove(ctx context.Context, files iter.Seq[storage.VersionEntry], rep *reporter) {
	parallel.Groups(files, removeeach.Most, 1, func(group []storage.VersionEntry) ([]error, bool) {
		removeGroup(ctx, o.bucket, group, false, rep)
		return nil, ctx.Err() == nil
	})
}

// removeGroup removes a batch of objects or versions, and reports the result for each.
func removeGroup(ctx context.Context, b storage.Remover, group []storage.VersionEntry, ofVersions bool, rep *reporter) {
	errs, _ := removeeach.Of(ctx, b, group, ofVersions)
	for i, err := range errs {
		if err != nil {
			rep.destinationFailed(ctx, group[i].Key, err)
		} else {
			rep.removed(group[i].Key, group[i].Size)
		}
	}
}
