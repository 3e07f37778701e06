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
	err      error  // of kind broken
}

type entryKind int

const (
	regular entryKind = iota
	// ignored is a link, a special file, or the marker of an empty folder: it is
	// neither brought over nor removed.
	ignored
	// broken cannot be told about: a dangling link, an unreadable file.
	broken
	// unlisted is a directory that could not be read: what it holds is not known,
	// and nothing may be removed at the other end.
	unlisted
)

// A side is an open End.
type side interface {
	// entries yields what there is, ascending by key, and at most one error, last.
	// What is not after may be left out.
	entries(ctx context.Context, s *settings, after string) iter.Seq2[entry, error]
	// checksum is the CRC32C of the whole file or object.
	checksum(ctx context.Context, key string) (uint32, error)
	// remove removes the keys, and tells of each that is gone and of each that is
	// not.
	remove(ctx context.Context, keys iter.Seq[string], gone func(key string), failed func(key string, err error))
	close() error
}
