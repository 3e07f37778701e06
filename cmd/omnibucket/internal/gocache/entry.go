package gocache

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// An id is a SHA-256 hash with which the go command names an action or an output. The id of an
// output is the hash of its content.
type id [sha256.Size]byte

// parseID converts the bytes of a message to an id, which is a SHA-256 hash.
func parseID(data []byte) (id, error) {
	if len(data) != sha256.Size {
		return id{}, fmt.Errorf("id must have %d bytes", sha256.Size)
	}
	return id(data), nil
}

// An entry says which output an action has.
type entry struct {
	action   id
	output   id
	size     int64     // size of the output in bytes
	storedAt time.Time // when the output was first put
}

const (
	entryFormat = "gocache1"
	// maxEntryLine is above the length of each entry as a line.
	maxEntryLine = 256
)

var errEntry = errors.New("it has no entry of a build cache")

// line returns the entry as a line of text. An index file consists of this line. An object in the
// store begins with it, and the output follows.
func (e entry) line() string {
	return fmt.Sprintf("%s %x %x %d %d\n", entryFormat, e.action, e.output, e.size, e.storedAt.UnixNano())
}

// parseEntry parses a line, which must be the entry of the given action.
func parseEntry(line string, action id) (entry, error) {
	const fieldCount = 5 // format, action, output, size and time
	text, isWhole := strings.CutSuffix(line, "\n")
	fields := strings.Split(text, " ")
	if !isWhole || len(fields) != fieldCount || fields[0] != entryFormat {
		return entry{}, errEntry
	}

	if fields[1] != hex.EncodeToString(action[:]) {
		return entry{}, errors.New("it has the entry of another action")
	}

	hash, err := hex.DecodeString(fields[2])
	if err != nil {
		return entry{}, errEntry
	}
	output, err := parseID(hash)
	if err != nil {
		return entry{}, errEntry
	}

	size, err := strconv.ParseInt(fields[3], 10, 64)
	if err != nil || size < 0 {
		return entry{}, errEntry
	}
	storedAt, err := strconv.ParseInt(fields[4], 10, 64)
	if err != nil || storedAt < 0 {
		return entry{}, errEntry
	}
	return entry{action: action, output: output, size: size, storedAt: time.Unix(0, storedAt)}, nil
}
