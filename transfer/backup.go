package transfer

import (
	"context"
	"errors"
	"fmt"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/transfer/internal/copier"
	"github.com/omnibucket/storage/transfer/internal/ends"
	"github.com/omnibucket/storage/transfer/internal/joberror"
	"github.com/omnibucket/storage/transfer/internal/selection"
)

// WithMaxDelete limits how many files [WithDelete] removes. If there are more than n files to
// remove, the source is probably incomplete: the job transfers files, removes none, and fails with
// InvalidArgument. By default there is no limit. If n is negative, the job fails with
// InvalidArgument before it does anything.
func WithMaxDelete(n int64) Option {
	return checked(n >= 0, "WithMaxDelete", "must not be negative", func(s *settings) {
		s.maxDelete = &n
	})
}

// WithBeforeDelete calls the function f once before [WithDelete] removes its first file, also in a
// dry run. The first argument of f is the number of files to remove. The second argument is the
// number of files of the destination that the job has compared with the source. If f fails, the job
// removes nothing, and fails with the error of f. A job that removes nothing does not call f.
func WithBeforeDelete(f func(files, compared int64) error) Option {
	return checked(f != nil, "WithBeforeDelete", "must not be nil", func(s *settings) {
		s.beforeDelete = f
	})
}

// announceDelete calls the function of WithBeforeDelete, if there is one, which may return an error to
// end the job.
func announceDelete(j *job) error {
	if j.settings.beforeDelete == nil {
		return nil
	}
	return j.settings.beforeDelete(j.extraneousCount, j.extraneousCount+j.replaceable)
}

// WithBackup saves each file of the destination before the job replaces or removes that file. It
// copies the file to the directory or bucket b, under the same key. The copy replaces a file that b
// already has under that key. If the copy fails, the file of the destination stays, and counts as
// failed. If b overlaps with the source or the destination, the job fails with InvalidArgument.
func WithBackup(b End) Option {
	return option(func(s *settings) {
		s.backup = b
	})
}

// checkMaxDelete fails if there are more files to remove than WithMaxDelete permits. These are the files
// that the source lacks.
func (j *job) checkMaxDelete() error {
	limit := j.settings.maxDelete
	if limit == nil || j.extraneousCount <= *limit {
		return nil
	}
	return &storage.Error{
		Code: storage.InvalidArgument,
		Err: fmt.Errorf(
			"nothing was deleted, because the source lacks %d files, which is more than %d",
			j.extraneousCount, *limit,
		),
		Hint: "check the source, or use a larger WithMaxDelete",
	}
}

// A backup copies files of the destination before they are replaced or removed. A nil backup
// does nothing.
type backup struct {
	end    ends.End
	copier copier.Copier
}

// openBackup opens the directory or bucket of WithBackup, if the option was given.
func (j *job) openBackup(dst, src End) error {
	target := j.settings.backup
	if target.kind == noEnd {
		return nil
	}
	if j.overlap(target, dst) || j.overlap(target, src) {
		return joberror.Invalid("WithBackup", "must not overlap with the source or destination")
	}
	if j.settings.dryRun {
		return nil
	}

	end, err := j.openDestination(target)
	if err != nil {
		return err
	}
	// These options apply to the files of the job, and not to their backups.
	settings := j.settings.copierSettings()
	settings.Rule = nil
	settings.Resume = ""
	settings.Cache = nil
	j.backup = &backup{end: end, copier: copier.New(end, j.dst, settings)}
	return nil
}

// save copies a file of the destination to the backup, if the file still exists.
func (b *backup) save(ctx context.Context, file ends.Entry) error {
	if b == nil {
		return nil
	}
	err := b.copy(ctx, file)
	if errors.Is(err, storage.ObjectNotFound) {
		// Another program has removed the file meanwhile.
		return nil
	}
	return joberror.OfFile("WithBackup", file.Key, err)
}

// copy copies a file of the destination to the backup. The copy must be on the disk before the original is
// replaced or removed.
func (b *backup) copy(ctx context.Context, file ends.Entry) error {
	const listed = true // the backup may already have a file with this key
	const requests = 1
	ignoreProgress := func(int64, int64) {}
	if _, err := b.copier.Transfer(ctx, file, listed, requests, ignoreProgress); err != nil {
		return err
	}
	return b.end.SyncDirs()
}

// sweep removes temporary files that earlier jobs have left in the directory of WithBackup. It does nothing
// if b is nil, because the job then has no backup, or if the backup is a bucket.
func (b *backup) sweep(files *selection.Selection) {
	if b == nil {
		return
	}
	if dst, ok := b.end.(*ends.Tree); ok {
		// Sweep finds temporary files by their marks.
		dst.NoteTopMarks()
		dst.Sweep(files)
	}
}

// close closes the directory or bucket of WithBackup. b is nil if the job has no such option.
func (b *backup) close() error {
	if b == nil {
		return nil
	}
	return b.end.Close()
}
