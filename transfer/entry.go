package transfer

import (
	"context"
	"iter"
	"time"
)

// An entry is what one end has under a key.
type entry struct {
	key      string
	kind     entryKind
	size     int64 // bytes
	modified time.Time
	revision string // of an object
	err      error  // of kinds broken and unlisted
}

type entryKind int

const (
	regular entryKind = iota
	// ignored is a link, a special file, or the marker of an empty folder: it is
	// neither brought over nor removed.
	ignored
	// excluded is a directory that the job leaves out: what lies below it at the other
	// end stays too.
	excluded
	// broken cannot be told about: a dangling link, an unreadable file. What lies
	// below it at the other end stays, for it may be a directory.
	broken
	// unlisted is a directory that could not be read: what it holds is not known,
	// and nothing may be removed at the other end.
	unlisted
)

// A openedEnd is an open End.
type openedEnd interface {
	// entries yields what there is after a key, ascending, and at most one error,
	// last. Where startsAnywhere is false, after is "".
	entries(ctx context.Context, s *settings, after string) iter.Seq2[entry, error]
	// startsAnywhere reports whether it costs no more to begin in the middle.
	startsAnywhere() bool
	// checksum is the CRC32C of the whole file or object.
	checksum(ctx context.Context, key string) (uint32, error)
	// remove removes the keys, and tells of each that is gone and of each that is
	// not.
	remove(ctx context.Context, keys iter.Seq[string], gone func(key string), failed func(key string, err error))
	close() error
}
