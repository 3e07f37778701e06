// Package objectkey has the rules of the keys of objects: which keys every provider can store, which keys are for
// folders, and which keys layers use themselves. It also has the prefixes of listings.
//
// Consoles and rclone store markers for folders: objects, mostly empty, whose keys end in "/". The engine refuses to
// write any other object with such a key (rule K1). A layer may copy them.
//
// A layer, such as a mirror or an overlay, stores objects for its own use. Jobs skip these objects, because they are
// only meaningful in the bucket where the layer wrote them. Programs that show a bucket to people skip them, too.
package objectkey

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

// WriteRule returns the rule that the key of a new object breaks, or "". It implements rule K1:
// every provider must be able to store the key, and every client to address it. The key must
// therefore be valid in S3's XML, in signed URLs in browsers, and in file systems.
func WriteRule(key string) string {
	if rule := Rule(key); rule != "" {
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

// checkKeyBytes returns the rule that the characters or the segments of key break, or "". It makes
// most checks in a single loop, because every write calls it.
func checkKeyBytes(key string) string {
	segments := 1
	isASCII := true
	prev := byte(0)
	for i := range len(key) {
		c := key[i]
		switch {
		case c < 0x20 || c == 0x7F || c == '\\':
			return ruleCharacter
		case c >= utf8.RuneSelf:
			isASCII = false
		case c == '/' && prev == '/':
			return `must not have an empty segment ("//")`
		case c == '/' && prev == '.': // the segment before c ends in a dot
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
	if !isASCII && (strings.Contains(key, "\uFFFE") || strings.Contains(key, "\uFFFF")) {
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

// Rule returns the rule for the keys of existing objects that key breaks, or "". The rules for the
// keys of new objects are stricter (see [WriteRule]).
func Rule(key string) string {
	if key == "" {
		return "must not be empty"
	}
	if len(key) > MaxBytes {
		return "must be at most 1,024 bytes"
	}
	if !utf8.ValidString(key) {
		return "must be valid UTF-8"
	}

	// Most keys have no segment that begins with a dot.
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
