package files

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"time"
)

// An ID is 6 bytes of Created in milliseconds and 16 random ones, so that the
// order of IDs is that of time, in keys as in an index, and a span of time is a
// range of keys.
const (
	idTimeBytes   = 6
	idRandomBytes = 16
	idLength      = 36 // characters
)

// idText keeps the order of what it encodes, and no file system confuses two of
// its texts, whatever it thinks of case.
var idText = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// NewID draws the ID of a file that was created then, as a Store does: for what
// fills a Records otherwise, such as an import.
func NewID(created time.Time) string {
	var raw [idTimeBytes + idRandomBytes]byte
	putIDTime(raw[:], created)
	_, _ = rand.Read(raw[idTimeBytes:]) // never fails
	return idText.EncodeToString(raw[:])
}

// idFloor is not behind any ID of that time or later, and behind every earlier
// one.
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
	// Times before 1970 or after the year 10889 are as near as can be.
	binary.BigEndian.PutUint64(ms[:], uint64(min(max(t.UnixMilli(), 0), 1<<(8*idTimeBytes)-1)))
	copy(raw, ms[8-idTimeBytes:])
}

// checkID refuses what NewID cannot have made, before it gets into a key.
func validateID(id string) error {
	if len(id) == idLength {
		if raw, err := idText.DecodeString(id); err == nil && idText.EncodeToString(raw) == id {
			return nil
		}
	}
	return invalid(fieldID, "This is not the ID of a file.")
}
