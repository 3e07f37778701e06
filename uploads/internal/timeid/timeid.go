// Package timeid makes identifiers for files. Sorted identifiers are in the order of their times.
package timeid

import (
	"encoding/base32"
	"encoding/binary"
	"regexp"
	"time"
)

// An identifier is the encoding of a time (6 bytes, in milliseconds) followed by 16 random bytes.
// So the sorted identifiers of a period of time are next to each other.
const (
	timeBytes = 6
	Random    = 16 // number of random bytes in an identifier
	Length    = 36 // number of characters in an identifier
)

// Alphabet is in ASCII order, so that encoded times sort like the times. It has no upper-case
// letters, so that identifiers differ even on a file system that ignores case.
const Alphabet = "0123456789abcdefghijklmnopqrstuv"

// Text encodes and decodes identifiers.
var Text = base32.NewEncoding(Alphabet).WithPadding(base32.NoPadding)

// New returns the identifier for a time and random bytes.
func New(t time.Time, random [Random]byte) string {
	var raw [timeBytes + Random]byte
	putTime(raw[:], t)
	copy(raw[timeBytes:], random[:])
	return Text.EncodeToString(raw[:])
}

// Newest returns an identifier that sorts in reverse order: the identifier of a later time comes
// first.
func Newest(t time.Time, random [Random]byte) string {
	last := int64(1<<(8*timeBytes) - 1)
	return New(time.UnixMilli(last-min(max(t.UnixMilli(), 0), last)), random)
}

// Floor returns the lowest text for the time t. It sorts after the identifiers of all earlier
// times, and before the identifiers of t and of later times.
func Floor(t time.Time) string {
	var raw [timeBytes + Random]byte
	putTime(raw[:], t.Add(time.Millisecond-1).Truncate(time.Millisecond))
	return Text.EncodeToString(raw[:])
}

// putTime writes the milliseconds since 1970 to the first bytes of raw. A time before 1970 or after the
// year 10889 is replaced by the nearest one in this range.
func putTime(raw []byte, t time.Time) {
	const maxTime = 1<<(8*timeBytes) - 1
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(min(max(t.UnixMilli(), 0), maxTime)))
	copy(raw, ms[8-timeBytes:])
}

// Time returns the time in an identifier, which must be valid, in UTC.
func Time(id string) time.Time {
	raw, _ := Text.DecodeString(id)
	var ms [8]byte
	copy(ms[8-timeBytes:], raw[:min(timeBytes, len(raw))])
	return time.UnixMilli(int64(binary.BigEndian.Uint64(ms[:]))).UTC()
}

// Pattern is a regular expression that matches an identifier. Its last character encodes only one
// bit, so it is "0" or "g".
const Pattern = "[0-9a-v]{35}[0g]"

var identifiers = regexp.MustCompile("^" + Pattern + "$")

// Valid reports whether id has the form of an identifier.
func Valid(id string) bool { return identifiers.MatchString(id) }
