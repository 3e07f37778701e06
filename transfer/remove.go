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

// removeExtraneous removes the recorded files from the destination. A file stays if the source
// directory has it by now.
func (j *job) removeExtraneous(ctx context.Context) error {
	src, ofFiles := j.src.(*ends.Tree)
	var unread error
	files := func(yield func(storage.VersionEntry) bool) {
		for r, err := range j.extraneous.Sorted(ctx) {
			if err != nil {
				unread = joberror.OfTempFile("", "", err)
			}
			if err != nil || ctx.Err() != nil {
				return
			}
			if ofFiles {
				if _, exists := src.ExactFile(string(r.Key)); exists {
					continue
				}
			}
			size, _ := binary.Varint(r.Value)
			file := ends.Entry{Key: string(r.Key), Size: size}
			if err := j.saved.save(ctx, file); err != nil {
				j.reporter.countDestinationFailure(ctx, file.Key, err)
			} else if !yield(storage.VersionEntry{ListEntry: storage.ListEntry{Key: file.Key, Size: size}}) {
				return
			}
		}
	}

	if j.settings.dryRun {
		files(func(file storage.VersionEntry) bool {
			j.reporter.countRemoved(file.Key, file.Size)
			return true
		})
	} else {
		j.dst.Remove(ctx, files, func(file storage.VersionEntry, err error) {
			j.reporter.countRemoval(ctx, file, err)
		})
	}

	if ctx.Err() != nil {
		return joberror.OfContext(ctx.Err())
	}
	return unread
}
