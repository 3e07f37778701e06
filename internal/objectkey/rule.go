// Package keyrule checks whether a key of an object is valid for every provider.
package keyrule

import (
	"strings"
	"unicode/utf8"
)

// MaxBytes is the largest length of a key that S3, GCS and Azure all permit.
const MaxBytes = 1024

const (
	maxKeySegments = 254 // limit of Azure
	maxFileName    = 255 // largest segment in bytes, unless the store has LongSegments

	ruleCharacter = "must not contain control characters, backslashes or U+FFFE and U+FFFF"
	ruleDot       = `must not have a segment that ends in "."`
)

// Write returns the rule that the key of a new object breaks, or "". It implements rule K1: every
// provider must be able to store the key, and every client to address it. So the key must be valid
// in S3's XML, in signed URLs in browsers, and in file systems.
func Write(key string) string {
	if rule := Any(key); rule != "" {
		return rule
	}
	if key[0] == '/' {
		return `must not begin with "/"`
	}
	if key[len(key)-1] == '/' {
		return `must not end with "/"`
	}
	return checkKeyBytes(key)
}

// Fits reports whether the length of a key and the number of its segments are within the limits of
// every store.
func Fits(key string) bool {
	return len(key) <= MaxBytes && strings.Count(key, "/") < maxKeySegments
}

// checkKeyBytes checks the characters and the segments of key. It returns the rule that key breaks,
// or "" if key breaks none. It makes most checks in a single loop, because every write calls it.
func checkKeyBytes(key string) string {
	segments := 1
	ascii := true
	prev := byte(0)
	for i := range len(key) {
		c := key[i]
		switch {
		case c < 0x20 || c == 0x7F || c == '\\':
			return ruleCharacter
		case c >= utf8.RuneSelf:
			ascii = false
		case c == '/' && prev == '/':
			return `must not have an empty segment ("//")`
		case c == '/' && prev == '.':
			return ruleDot
		case c == '/':
			segments++
		}
		prev = c
	}
	if prev == '.' {
		return ruleDot
	}
	if segments > maxKeySegments {
		return "must have at most 254 segments"
	}
	if !ascii && (strings.Contains(key, "\uFFFE") || strings.Contains(key, "\uFFFF")) {
		return ruleCharacter
	}
	return ""
}

// HasLongSegment reports whether key has a segment that is too long for the name of a file.
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

// Any returns the rule that key breaks, or "" if key breaks none. It checks only the rules for the
// keys of existing objects. The rules for the keys of new objects are stricter (see [Write]).
func Any(key string) string {
	if key == "" {
		return "must not be empty"
	}
	if len(key) > MaxBytes {
		return "must be at most 1,024 bytes"
	}
	if !utf8.ValidString(key) {
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

// CommonPrefix returns the common prefix that stands for key in a listing with the given prefix and
// delimiter. The common prefix is the part of key up to the first delimiter after prefix, with that
// delimiter. If no delimiter follows prefix, CommonPrefix returns false.
func CommonPrefix(key, prefix, delimiter string) (string, bool) {
	if delimiter != "" && strings.HasPrefix(key, prefix) {
		if i := strings.Index(key[len(prefix):], delimiter); i >= 0 {
			return key[:len(prefix)+i+len(delimiter)], true
		}
	}
	return "", false
}

// PrefixEnd returns the smallest string that is greater than every string that begins with prefix. It returns false if
// all bytes of prefix are 0xFF.
func PrefixEnd(prefix string) (string, bool) {
	end := []byte(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		end[i]++
		if end[i] != 0 { // otherwise the byte was 0xFF and is now 0, so the byte before it must be increased
			return string(end[:i+1]), true
		}
	}
	return "", false
}
