// Package ends has the two kinds of ends of a job: directories and buckets. An End lists files, and checks and
// removes single ones.
package ends

import (
	"context"
	"io/fs"
	"iter"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/localfile"
	"github.com/omnibucket/storage/transfer/internal/selection"
)

// An Entry is a file, or an object, that a listing of one end has yielded.
type Entry struct {
	Key      string
	Kind     Kind
	Size     int64 // bytes
	Modified time.Time
	// Written is the time at which the file was written, by a clock that no program can
	// set. It is zero if the time is not known.
	Written  time.Time
	Inode    uint64 // of a file of a directory; 0 if not known
	Revision string
	ETag     string
	Err      error // why the entry is of kind Broken or Unlisted
}

// A Kind says what an entry is to a job.
type Kind int

const (
	Regular Kind = iota
	// Ignored is a link, a special file, or the marker of an empty folder. It is
	// neither transferred nor removed.
	Ignored
	// Excluded is a directory that the job skips. The files with keys below this directory stay at
	// the other end, too.
	Excluded
	// Broken is a link that leads nowhere, or a file that cannot be read. The link may stand for a
	// directory. So files with keys below this entry stay at the other end.
	Broken
	// Unlisted is a directory that could not be read. Its files are unknown, so
	// nothing may be removed at the other end.
	Unlisted
)

// An End is a directory or bucket that a job has opened.
type End interface {
	// Entries yields the selected entries with keys greater than startAfter, in ascending order. If
	// there is an error, it comes last. If StartsAnywhere returns false, the caller must pass ""
	// for startAfter.
	Entries(ctx context.Context, files *selection.Selection, startAfter string) iter.Seq2[Entry, error]
	// StartsAnywhere reports whether a listing can start after any key, without reading the entries
	// before.
	StartsAnywhere() bool
	// Checksum returns the CRC32C of the file or object.
	Checksum(ctx context.Context, key string) (uint32, error)
	// Remove removes files. It calls the function removed for each file, with nil or with the error of the
	// file. The calls do not overlap.
	Remove(ctx context.Context, files iter.Seq[storage.VersionEntry], removed func(file storage.VersionEntry, err error))
	// Has reports whether a file that was listed still exists and has not been replaced.
	Has(ctx context.Context, file Entry) (bool, error)
	// RemoveUnchanged removes a file of the source unless it changed after it was listed.
	RemoveUnchanged(ctx context.Context, src Entry) error
	// CheckWrite fails if no file with this key can be written. It decides that from the key and
	// from the names of existing files. listed is true if the job has listed a file with this key.
	CheckWrite(key string, listed bool) error
	// SyncDirs waits until the names of all written files are on the disk. For a bucket, it does
	// nothing.
	SyncDirs() error
	Close() error
}

// EntryOf returns the entry of a regular file with this key and these attributes.
func EntryOf(key string, info fs.FileInfo) Entry {
	return Entry{
		Key:      key,
		Size:     info.Size(),
		Modified: info.ModTime(),
		Written:  localfile.Written(info),
		Inode:    localfile.Inode(info),
	}
}
