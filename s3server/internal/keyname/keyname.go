// Package keyname converts S3 keys to the names under which a driver stores them.
//
// Rule K1 of the contract lets a driver refuse some keys that S3 has: keys with empty segments,
// such as "dir/" and "a//b", with the segments "." and "..", or with control characters. In a
// directory, such a segment is escaped:
//
//	dir/       dir/!%
//	a//b       a/!%/b
//	a/..       a/!%.%2E
//	tab\there  !%tab%09here
//
// All other segments are stored unchanged, so that most objects have their natural names. A segment
// that begins with "!%" is escaped, too. Therefore no two keys have the same name.
//
// In the buckets of providers, other tools may have written such keys, and a gateway must find them
// (rule K2). There, only segments that the provider does not support are escaped.
//
// A driver sorts an escaped segment by its escaped name. Package driverstore shows it at its place
// in S3's order.
package keyname

import (
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"
)

// Mark begins an escaped segment.
const Mark = "!%"

// A Naming says which unusual segments of keys a store accepts without escaping. A segment is
// unusual if a driver may refuse it by rule K1 of the contract. The zero value is for a directory,
// and escapes all unusual segments.
type Naming struct {
	Empty  bool // empty segments, except the first segment of a key
	Slash  bool // an empty first segment, so that a key begins with a slash
	Others bool // all other segments except "." and ".."
}

// Escape converts an S3 key to the name under which the driver stores the object.
func (n Naming) Escape(key string) string {
	segments := strings.Split(key, "/")
	for i, s := range segments {
		segments[i] = n.escapeSegment(s, i == 0)
	}
	return strings.Join(segments, "/")
}

// CanStore reports whether one or more segments of a key can stay unescaped. isStart says that they are the first
// segments of the key.
func (n Naming) CanStore(segments string, isStart bool) bool {
	isFirst := isStart
	for segment := range strings.SplitSeq(segments, "/") {
		if !n.canStoreSegment(segment, isFirst) {
			return false
		}
		isFirst = false
	}
	return true
}

// canStoreSegment reports whether the driver can store a segment of a key unescaped.
func (n Naming) canStoreSegment(segment string, isFirst bool) bool {
	// A first segment that is empty makes the key begin with a slash.
	if segment == "" && isFirst {
		return n.Empty && n.Slash
	}
	if segment == "" {
		return n.Empty
	}

	// These segments are escaped for every driver.
	if segment == "." || segment == ".." {
		return false
	}
	if strings.HasPrefix(segment, Mark) || !utf8.ValidString(segment) {
		return false
	}

	// Otherwise the driver decides.
	if n.Others {
		return true
	}
	return !strings.HasSuffix(segment, ".") && strings.IndexFunc(segment, mustEscape) < 0
}

// mustEscape reports whether a character must be escaped because rule K1 forbids it.
func mustEscape(c rune) bool {
	return c < 0x20 || c == 0x7F || c == '\\' || c == 0xFFFE || c == 0xFFFF
}

// escapeSegment converts a segment of an S3 key to the segment of the driver's name.
func (n Naming) escapeSegment(s string, isFirst bool) string {
	if n.canStoreSegment(s, isFirst) {
		return s
	}
	return Mark + EscapeText(s, true)
}

// EscapeText escapes characters as in a URL. If s is a complete segment of a key, a dot at its end is escaped, too.
func EscapeText(s string, complete bool) string {
	var b strings.Builder
	for s != "" {
		c, size := utf8.DecodeRuneInString(s)
		raw := s[:size]
		s = s[size:]

		isInvalid := c == utf8.RuneError && size == 1 // not UTF-8
		isLastDot := c == '.' && complete && s == ""
		isKept := !mustEscape(c) && c != '%' && !isInvalid && !isLastDot
		if isKept {
			b.WriteString(raw)
			continue
		}
		for _, octet := range []byte(raw) {
			_, _ = fmt.Fprintf(&b, "%%%02X", octet) // a Builder never fails
		}
	}
	return b.String()
}

// Unescape converts a driver's name to an S3 key, or returns false if Escape returns this name for no key. If isPrefix
// is true, the name may be a prefix that ends with a slash.
func (n Naming) Unescape(name string, isPrefix bool) (key string, ok bool) {
	if !strings.Contains(name, Mark) {
		return name, true
	}

	// Each segment between slashes is escaped on its own.
	segments := strings.Split(name, "/")
	for i, segment := range segments {
		isAfterLastSlash := i == len(segments)-1 && segment == ""
		if isPrefix && isAfterLastSlash {
			continue
		}
		text, isEscaped := strings.CutPrefix(segment, Mark)
		if !isEscaped {
			continue
		}
		unescaped, err := url.PathUnescape(text)
		if err != nil {
			return "", false
		}
		// Another program may have written a name that Escape would not make.
		isFirst := i == 0
		if n.escapeSegment(unescaped, isFirst) != segment {
			return "", false
		}
		segments[i] = unescaped
	}
	return strings.Join(segments, "/"), true
}

// EscapesAll reports whether every segment with this beginning is escaped.
func (n Naming) EscapesAll(prefix string) bool {
	if strings.HasPrefix(prefix, Mark) {
		return true
	}
	return !n.Others && strings.IndexFunc(prefix, mustEscape) >= 0
}
