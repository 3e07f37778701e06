// Package keyrule has the rules of keys.
package keyrule

import (
	"strings"
	"unicode/utf8"
)

// MaxBytes is the length of the longest key: S3, GCS and Azure agree on no more.
const MaxBytes = 1024

const (
	maxKeySegments = 254 // Azure's limit
	maxFileName    = 255 // bytes of a segment, without LongSegments

	ruleCharacter = "must not contain control characters, backslashes or U+FFFE and U+FFFF"
	ruleDot       = `must not have a segment that ends in "."`
)

// Write returns the rule that a key to be written breaks; "" if it breaks none. It implements rule
// K1: keys that every provider can store and every client can address, including S3's XML, signed URLs in browsers,
// and file systems.
func Write(key string) string {
	if rule := Any(key); rule != "" {
		return rule
	}
	switch {
	case key[0] == '/':
		return `must not begin with "/"`
	case key[len(key)-1] == '/':
		return `must not end with "/"`
	}
	return checkKeyBytes(key)
}

// Fits reports whether every store accepts the length of a key and the number of its segments.
func Fits(key string) bool {
	return len(key) <= MaxBytes && strings.Count(key, "/") < maxKeySegments
}

// checkKeyBytes reads the key only once, because every write calls it.
func checkKeyBytes(key string) string {
	segments, ascii, before := 1, true, byte(0)
	for i := range len(key) {
		c := key[i]
		switch {
		case c < 0x20, c == 0x7F, c == '\\':
			return ruleCharacter
		case c >= utf8.RuneSelf:
			ascii = false
		case c == '/' && before == '/':
			return `must not have an empty segment ("//")`
		case c == '/' && before == '.':
			return ruleDot
		case c == '/':
			segments++
		}
		before = c
	}
	switch {
	case before == '.':
		return ruleDot
	case segments > maxKeySegments:
		return "must have at most 254 segments"
	case !ascii && (strings.Contains(key, "\uFFFE") || strings.Contains(key, "\uFFFF")):
		return ruleCharacter
	}
	return ""
}

// HasLongSegment reports whether a segment of key cannot be the name of a file.
func HasLongSegment(key string) bool {
	if len(key) <= maxFileName {
		return false
	}
	for segment := range strings.SplitSeq(key, "/") {
		if len(segment) > maxFileName {
			return true
		}
	}
	return false
}

// Any returns the rule for all keys, even those that are only read, that key breaks; "" if it
// breaks none.
func Any(key string) string {
	switch {
	case key == "":
		return "must not be empty"
	case len(key) > MaxBytes:
		return "must be at most 1,024 bytes"
	case !utf8.ValidString(key):
		return "must be valid UTF-8"
	}
	if key[0] != '.' && !strings.Contains(key, "/.") {
		return ""
	}
	for segment := range strings.SplitSeq(key, "/") {
		if segment == "." || segment == ".." {
			return `must not have a segment "." or ".."`
		}
	}
	return ""
}

// CommonPrefix returns the common prefix that a listing rolls key up into: key up to and including the
// first delimiter after prefix. It returns false if there is none.
func CommonPrefix(key, prefix, delimiter string) (string, bool) {
	if delimiter != "" && strings.HasPrefix(key, prefix) {
		if i := strings.Index(key[len(prefix):], delimiter); i >= 0 {
			return key[:len(prefix)+i+len(delimiter)], true
		}
	}
	return "", false
}

// PrefixEnd returns the least string that is greater than every string that begins with
// prefix. It returns false if all bytes of prefix are 0xFF.
func PrefixEnd(prefix string) (string, bool) {
	end := []byte(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 { // otherwise it was 0xFF, and the byte before it must become greater
			return string(end[:i+1]), true
		}
	}
	return "", false
}
