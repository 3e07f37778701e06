package transfer

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/omnibucket/storage"
)

// An entry is a file, or an object, that a listing of one end has yielded.
type entry struct {
	key      string
	kind     entryKind
	size     int64 // bytes
	modified time.Time
	// written is the time at which the file was written, by a clock that no program can
	// set. It is zero if the time is not known.
	written  time.Time
	inode    uint64 // of a file of a directory; 0 if not known
	revision string
	etag     string
	err      error // why the entry is of kind broken or unlisted
}

// checkListedSize returns Internal if an object has another size than the same revision had in the
// listing. A proxy that drops the length of a response makes an object look empty.
func checkListedSize(op string, listed entry, attrs *storage.Attrs) error {
	if listed.revision == "" || attrs.Revision != listed.revision || attrs.Size == listed.size {
		return nil
	}
	return &storage.Error{
		Code: storage.Internal,
		Op:   op,
		Key:  listed.key,
		Err:  fmt.Errorf("the object has %d bytes in the listing, and %d when it is read", listed.size, attrs.Size),
		Hint: "look for a proxy between here and the store that changes responses",
	}
}

type entryKind int

const (
	regular entryKind = iota
	// ignored is a link, a special file, or the marker of an empty folder. It is
	// neither transferred nor removed.
	ignored
	// excluded is a directory that the job skips. The files with keys below this directory stay at
	// the other end, too.
	excluded
	// broken is a link that leads nowhere, or a file that cannot be read. The link may stand for a
	// directory. So files with keys below this entry stay at the other end.
	broken
	// unlisted is a directory that could not be read. Its files are unknown, so
	// nothing may be removed at the other end.
	unlisted
)

// An openedEnd is a directory or bucket that a job has opened.
type openedEnd interface {
	// entries yields the entries with keys greater than startAfter, in ascending order. If
	// there is an error, it comes last. If startsAnywhere returns false, the caller must pass ""
	// for startAfter.
	entries(ctx context.Context, s *settings, startAfter string) iter.Seq2[entry, error]
	// startsAnywhere reports whether a listing can start after any key, without reading the entries
	// before.
	startsAnywhere() bool
	// checksum returns the CRC32C of the file or object.
	checksum(ctx context.Context, key string) (uint32, error)
	// remove removes files, and reports the result for each file.
	remove(ctx context.Context, files iter.Seq[storage.VersionEntry], to *reporter)
	// has reports whether a file that was listed still exists and has not been replaced.
	has(ctx context.Context, file entry) (bool, error)
	// removeUnchanged removes a file of the source unless it changed after it was listed.
	removeUnchanged(ctx context.Context, src entry) error
	// checkWrite fails if no file with this key can be written. It decides that from the key and
	// from the names of existing files. listed is true if the job has listed a file with this key.
	checkWrite(key string, listed bool) error
	// syncDirs waits until the names of all written files are on the disk. For a bucket, it does
	// nothing.
	syncDirs() error
	close() error
}
