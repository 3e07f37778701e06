package transfer

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/omnibucket/storage"
)

// An entry is a file or object of one end.
type entry struct {
	key      string
	kind     entryKind
	size     int64 // bytes
	modified time.Time
	written  time.Time // by a clock that no program sets; zero if not known
	revision string    // revision of an object
	etag     string    // ETag of an object
	err      error     // for the kinds broken and unlisted
}

// checkListedSize returns Internal if an object has another size than the same revision had in the
// listing. A proxy that drops the length of a response makes an object look empty.
func checkListedSize(op string, listed entry, found *storage.Attrs) error {
	if listed.revision == "" || found.Revision != listed.revision || found.Size == listed.size {
		return nil
	}
	return &storage.Error{
		Code: storage.Internal, Op: op, Key: listed.key,
		Err:  fmt.Errorf("the object has %d bytes in the listing, and %d when it is read", listed.size, found.Size),
		Hint: "look for a proxy between here and the store that changes responses",
	}
}

type entryKind int

const (
	regular entryKind = iota
	// ignored is a link, a special file, or the marker of an empty folder. It is
	// neither transferred nor removed.
	ignored
	// excluded is a directory that the job skips. Files below it at the other end
	// stay, too.
	excluded
	// broken is a dangling link or an unreadable file. It may be a directory, so
	// files below it at the other end stay.
	broken
	// unlisted is a directory that could not be read. Its files are unknown, so
	// nothing may be removed at the other end.
	unlisted
)

// An openedEnd is an open End.
type openedEnd interface {
	// entries yields the entries after a key in ascending order, and at most one
	// error, last. If startsAnywhere is false, after is "".
	entries(ctx context.Context, s *settings, after string) iter.Seq2[entry, error]
	// startsAnywhere reports whether a listing can start in the middle without
	// further cost.
	startsAnywhere() bool
	// checksum returns the CRC32C of the file or object.
	checksum(ctx context.Context, key string) (uint32, error)
	// remove removes files, and reports the result for each.
	remove(ctx context.Context, files iter.Seq[storage.VersionEntry], to *reporter)
	// has looks again for a file that was listed, and reports whether it is still there and the same one.
	has(ctx context.Context, file entry) (bool, error)
	// removeUnchanged removes a file of the source unless it changed after it was listed.
	removeUnchanged(ctx context.Context, src entry) error
	// checkWrite fails if a file with this key cannot be written, as far as its name and the
	// names of existing files show. known reports whether there is a file.
	checkWrite(key string, known bool) error
	// syncDirs waits until the names of all files that were written before are on the disk of a directory.
	syncDirs() error
	close() error
}
