package files

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"time"
)

// An ID has 6 bytes of Created in milliseconds and 16 random bytes. The order of IDs
// is that of time, and a time span is a range of keys.
const (
	idTimeBytes   = 6
	idRandomBytes = 16
	idLength      = 36 // characters
)

// idText keeps the order of what it encodes. No file system confuses two of its
// texts, whether or not it ignores case.
var idText = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// NewID returns a new ID for a file that was created at a time, as [Store] does. It
// is for imports and other programs that fill a [Records] directly.
func NewID(created time.Time) string {
	var raw [idTimeBytes + idRandomBytes]byte
	putIDTime(raw[:], created)
	_, _ = rand.Read(raw[idTimeBytes:]) // never fails
	return idText.EncodeToString(raw[:])
}

// idFloor returns a text that is not greater than any ID of that time or later, and
// greater than every earlier ID.
func idFloor(t time.Time) string {
	if rounded := t.Truncate(time.Millisecond); rounded.Before(t) {
		t = rounded.Add(time.Millisecond)
	}
	var raw [idTimeBytes + idRandomBytes]byte
	putIDTime(raw[:], t)
	return idText.EncodeToString(raw[:])
}

func putIDTime(raw []byte, t time.Time) {
	var ms [8]byte
	// Times before 1970 or after the year 10889 become the nearest time.
	binary.BigEndian.PutUint64(ms[:], uint64(min(max(t.UnixMilli(), 0), 1<<(8*idTimeBytes)-1)))
	copy(raw, ms[8-idTimeBytes:])
}

// validateID refuses any ID that NewID cannot have made, before it becomes part of a
// key.
func validateID(id string) error {
	if len(id) == idLength {
		if raw, err := idText.DecodeString(id); err == nil && idText.EncodeToString(raw) == id {
			return nil
		}
	}
	return invalid(fieldID, "This is not the ID of a file.")
}
