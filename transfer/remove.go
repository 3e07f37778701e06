package transfer

import (
	"context"
	"encoding/binary"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/transfer/internal/ends"
	"github.com/omnibucket/storage/transfer/internal/joberror"
)

// extraneousMemory limits the memory for the list of files to remove, in bytes. The rest of the
// list is in temporary files.
const extraneousMemory = 4 << 20

// removeLater records a file to remove. Files are removed only at the end of the job.
func (j *job) removeLater(ctx context.Context, file ends.Entry) error {
	j.extraneousCount++
	return joberror.OfTempFile("", "", j.extraneous.Add(ctx, []byte(file.Key), binary.AppendVarint(nil, file.Size)))
}

// removeExtraneous removes the files that were recorded for it from the destination, except those that
// the source directory has by now.
func (j *job) removeExtraneous(ctx context.Context) error {
	// A sequence of files has no errors, so an error of reading is kept until all files were removed.
	var readErr error
	files := func(yield func(storage.VersionEntry) bool) {
		readErr = j.eachExtraneous(ctx, yield)
	}

	if j.settings.dryRun {
		for file := range files {
			j.reporter.countRemoved(file.Key, file.Size)
		}
	} else {
		j.dst.Remove(ctx, files, func(file storage.VersionEntry, err error) {
			j.reporter.countRemoval(ctx, file, err)
		})
	}

	if ctx.Err() != nil {
		return joberror.OfContext(ctx.Err())
	}
	return readErr
}

// eachExtraneous calls yield for each file that removeLater has recorded, until yield returns false or
// ctx is done. Before each call it saves the file with WithBackup, and it leaves out a file that cannot
// be saved. It returns an error if the records cannot be read.
func (j *job) eachExtraneous(ctx context.Context, yield func(storage.VersionEntry) bool) error {
	srcTree, _ := j.src.(*ends.Tree)
	for record, err := range j.extraneous.Sorted(ctx) {
		if err != nil {
			return joberror.OfTempFile("", "", err)
		}
		if ctx.Err() != nil {
			return nil
		}

		key := string(record.Key)
		if srcTree != nil {
			// Another program may have written the file to the source directory meanwhile.
			if _, exists := srcTree.ExactFile(key); exists {
				continue
			}
		}

		// removeLater has written the size as the value of the record.
		size, _ := binary.Varint(record.Value)
		if err := j.backup.save(ctx, ends.Entry{Key: key, Size: size}); err != nil {
			j.reporter.countDestinationFailure(ctx, key, err)
			continue
		}
		if !yield(storage.VersionEntry{ListEntry: storage.ListEntry{Key: key, Size: size}}) {
			return nil
		}
	}
	return nil
}
