// Package keyname has the names under which a store keeps the keys of S3.
//
// S3 has keys that a driver.Driver refuses (rule K1): with empty segments, as the folder marker
// "dir/" and "a//b", with the segments "." and "..", or with control characters. In a directory,
// such a segment is escaped:
//
//	dir/       dir/!%
//	a//b       a/!%/b
//	a/..       a/!%.%2E
//	tab\there  !%tab%09here
//
// All other segments are themselves, so that objects have natural names. Escaped names differ
// from each other and from all natural ones, except that a segment that begins with "!%" is
// escaped, too.
//
// Other tools write such keys to the buckets of providers, and a gateway must reach them (rule K2).
// There, only the segments are escaped that the provider cannot have.
//
// A driver lists an escaped segment at the place of "!%". A nameWalk lists it at its place in S3's
// order.
package keyname

import (
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"
)

// Mark begins an escaped segment.
const Mark = "!%"

// A Naming says which segments a store has under their own names although rule K1 refuses them. The
// zero value is the naming of a directory.
type Naming struct {
	Empty  bool // empty segments, except the first
	Slash  bool // an empty first segment
	Others bool // all other segments except "." and ".."
}

// Escape returns the driver's key of an S3 key.
func (n Naming) Escape(key string) string {
	segments := strings.Split(key, "/")
	for i, s := range segments {
		segments[i] = n.escapeSegment(s, i == 0)
	}
	return strings.Join(segments, "/")
}

// IsNatural reports whether no segment is escaped. whole says that they begin a key.
func (n Naming) IsNatural(segments string, whole bool) bool {
	for segment := range strings.SplitSeq(segments, "/") {
		if !n.isNaturalSegment(segment, whole) {
			return false
		}
		whole = false
	}
	return true
}

func (n Naming) isNaturalSegment(s string, first bool) bool {
	switch {
	case s == "":
		return n.Empty && (n.Slash || !first)
	case s == ".", s == "..", strings.HasPrefix(s, Mark), !utf8.ValidString(s):
		return false
	}
	return n.Others || s[len(s)-1] != '.' && strings.IndexFunc(s, mustEscape) < 0
}

// mustEscape reports whether rule K1 forbids a character.
func mustEscape(c rune) bool {
	return c < 0x20 || c == 0x7F || c == '\\' || c == 0xFFFE || c == 0xFFFF
}

func (n Naming) escapeSegment(s string, first bool) string {
	if n.isNaturalSegment(s, first) {
		return s
	}
	return Mark + EscapeText(s, true)
}

// EscapeText escapes the characters of a segment. A dot is escaped only at the end, and only if
// s is a whole segment.
func EscapeText(s string, whole bool) string {
	var b strings.Builder
	for i, c := range s {
		size := utf8.RuneLen(c)
		if c == utf8.RuneError {
			_, size = utf8.DecodeRuneInString(s[i:])
		}
		raw := s[i : i+size]
		if mustEscape(c) || c == '%' || c == utf8.RuneError && size == 1 || c == '.' && whole && i == len(s)-1 {
			for _, octet := range []byte(raw) {
				_, _ = fmt.Fprintf(&b, "%%%02X", octet)
			}
			continue
		}
		b.WriteString(raw)
	}
	return b.String()
}

// Unescape returns the S3 key of a driver's key. It returns false if no S3 key has that name.
// A prefix that ends in a slash is a key whose last segment is missing.
func (n Naming) Unescape(name string, isPrefix bool) (string, bool) {
	if !strings.Contains(name, Mark) {
		return name, true
	}
	segments := strings.Split(name, "/")
	for i, s := range segments {
		if isPrefix && i == len(segments)-1 && s == "" {
			continue
		}
		text, escaped := strings.CutPrefix(s, Mark)
		if !escaped {
			continue
		}
		plain, err := url.PathUnescape(text)
		if err != nil || n.escapeSegment(plain, i == 0) != s {
			return "", false
		}
		segments[i] = plain
	}
	return strings.Join(segments, "/"), true
}

// EscapesAll reports whether every segment that begins with begin is escaped.
func (n Naming) EscapesAll(begin string) bool {
	return strings.HasPrefix(begin, Mark) || !n.Others && strings.IndexFunc(begin, mustEscape) >= 0
}
