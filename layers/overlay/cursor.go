package overlay

import (
	"iter"

	"github.com/omnibucket/storage"
)

// A cursor is at one entry of a listing, whose entries are in byte order.
type cursor struct {
	entry   storage.ListEntry
	err     error
	hasMore bool // whether entry or err is set

	next func() (storage.ListEntry, error, bool)
	stop func() // must be called at the end
}

// newCursor returns a cursor at the first entry.
func newCursor(entries iter.Seq2[storage.ListEntry, error]) *cursor {
	c := &cursor{}
	c.next, c.stop = iter.Pull2(entries)
	c.advance()
	return c
}

func (c *cursor) advance() { c.entry, c.err, c.hasMore = c.next() }

// skipTo moves the cursor to the first entry whose key is at least the given one.
func (c *cursor) skipTo(key string) {
	for c.hasMore && c.err == nil && c.entry.Key < key {
		c.advance()
	}
}

// isAtFirstKey reports whether no key at which the other cursor is precedes that of c. Both may be at the
// same key.
func (c *cursor) isAtFirstKey(other *cursor) bool {
	if !c.hasMore {
		return false
	}
	return !other.hasMore || c.entry.Key <= other.entry.Key
}
