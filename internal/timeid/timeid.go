// Package timeid makes identifiers of files whose order is that of time.
package timeid

import (
	"encoding/base32"
	"encoding/binary"
	"regexp"
	"time"
)

// An identifier has 6 bytes of a time in milliseconds and 16 random bytes. A time span is
// a range of identifiers.
const (
	timeBytes = 6
	Random    = 16 // bytes
	Length    = 36 // characters
)

// Alphabet keeps the order of what it encodes. No file system confuses two of its texts,
// whether or not it ignores case.
const Alphabet = "0123456789abcdefghijklmnopqrstuv"

// Text is how identifiers are written.
var Text = base32.NewEncoding(Alphabet).WithPadding(base32.NoPadding)

// New returns the identifier of a time and random bytes.
func New(at time.Time, random [Random]byte) string {
	var raw [timeBytes + Random]byte
	putTime(raw[:], at)
	copy(raw[timeBytes:], random[:])
	return Text.EncodeToString(raw[:])
}

// Floor returns a text that is not greater than any identifier of that time or later, and
// greater than every earlier one.
func Floor(t time.Time) string {
	var raw [timeBytes + Random]byte
	putTime(raw[:], t.Add(time.Millisecond-1).Truncate(time.Millisecond))
	return Text.EncodeToString(raw[:])
}

func putTime(raw []byte, t time.Time) {
	var ms [8]byte
	// Times before 1970 or after the year 10889 become the nearest time.
	binary.BigEndian.PutUint64(ms[:], uint64(min(max(t.UnixMilli(), 0), 1<<(8*timeBytes)-1)))
	copy(raw, ms[8-timeBytes:])
}

// Time returns the time of a valid identifier, in UTC.
func Time(id string) time.Time {
	raw, _ := Text.DecodeString(id)
	var ms [8]byte
	copy(ms[8-timeBytes:], raw[:min(timeBytes, len(raw))])
	return time.UnixMilli(int64(binary.BigEndian.Uint64(ms[:]))).UTC()
}

// Pattern is a regular expression of identifiers. Their last character has one bit.
const Pattern = "[0-9a-v]{35}[0g]"

var identifiers = regexp.MustCompile("^" + Pattern + "$")

// Valid reports whether New can have made id.
func Valid(id string) bool { return identifiers.MatchString(id) }
