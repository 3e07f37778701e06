package files

import (
	"crypto/rand"
	"time"

	"github.com/omnibucket/storage/internal/timeid"
)

// idLength is in characters. An ID has Created in milliseconds before its random bytes, so that
// the order of IDs is that of time, and a time span is a range of keys.
const idLength = timeid.Length

// NewID returns a new ID for a file that was created at a time, as [Store] does. It
// is for imports and other programs that fill a [Records] directly.
func NewID(created time.Time) string {
	var random [timeid.Random]byte
	_, _ = rand.Read(random[:]) // never fails
	return timeid.New(created, random)
}

// validateID refuses any ID that NewID cannot have made, before it becomes part of a
// key.
func validateID(id string) error {
	if !timeid.Valid(id) {
		return invalid(fieldID, "This is not the ID of a file.")
	}
	return nil
}
