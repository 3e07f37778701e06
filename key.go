package storage

import (
	"strings"
	"unicode/utf8"
)

const (
	maxKeyBytes    = 1024 // S3, GCS and Azure agree on no more
	maxKeySegments = 254  // Azure
	maxFileName    = 255  // bytes of a segment, without LongSegments
)

// checkWriteKey implements rule K1: keys that every provider can store and every client can
// address, including S3's XML, signed URLs in browsers, and file systems.
func checkWriteKey(key string) *Error {
	if err := checkAnyKey(key); err != nil {
		return err
	}
	switch {
	case key[0] == '/':
		return invalid("key", `must not begin with "/"`)
	case key[len(key)-1] == '/':
		return invalid("key", `must not end with "/"`)
	}
	return checkKeyBytes(key)
}

// checkKeyBytes reads the key only once, because every write calls it.
func checkKeyBytes(key string) *Error {
	segments, ascii, before := 1, true, byte(0)
	for i := range len(key) {
		c := key[i]
		switch {
		case c < 0x20, c == 0x7F, c == '\\':
			return errKeyCharacter()
		case c >= utf8.RuneSelf:
			ascii = false
		case c == '/' && before == '/':
			return invalid("key", `must not have an empty segment ("//")`)
		case c == '/' && before == '.':
			return errKeyDot()
		case c == '/':
			segments++
		}
		before = c
	}
	switch {
	case before == '.':
		return errKeyDot()
	case segments > maxKeySegments:
		return invalid("key", "must have at most 254 segments")
	case !ascii && (strings.Contains(key, "\uFFFE") || strings.Contains(key, "\uFFFF")):
		return errKeyCharacter()
	}
	return nil
}

func errKeyCharacter() *Error {
	return invalid("key", "must not contain control characters, backslashes or U+FFFE and U+FFFF")
}

func errKeyDot() *Error { return invalid("key", `must not have a segment that ends in "."`) }

// hasLongSegment reports whether a segment of key cannot be the name of a file.
func hasLongSegment(key string) bool {
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

// checkReadKey implements rule K2: objects that other tools wrote can be read.
func (c *core) checkReadKey(key string) *Error {
	if e := checkAnyKey(key); e != nil {
		return e
	}
	return c.checkLeadingSlash(key)
}

// checkLeadingSlash returns Unsupported for a key or prefix that begins with "/" if the store may
// take another object for it.
func (c *core) checkLeadingSlash(key string) *Error {
	if !strings.HasPrefix(key, "/") {
		return nil
	}
	return c.need(LeadingSlashes, `a key or prefix that begins with "/"`)
}

func checkAnyKey(key string) *Error {
	switch {
	case key == "":
		return invalid("key", "must not be empty")
	case len(key) > maxKeyBytes:
		return invalid("key", "must be at most 1,024 bytes")
	case !utf8.ValidString(key):
		return invalid("key", "must be valid UTF-8")
	}
	if key[0] != '.' && !strings.Contains(key, "/.") {
		return nil
	}
	for segment := range strings.SplitSeq(key, "/") {
		if segment == "." || segment == ".." {
			return invalid("key", `must not have a segment "." or ".."`)
		}
	}
	return nil
}

// checkPrefix implements the part of rule K5 that makes Prefixed safe: "users/1" would reach
// users/10.
func checkPrefix(prefix string) *Error {
	if !strings.HasSuffix(prefix, "/") {
		return invalid("prefix", `must consist of whole segments and end in "/"`)
	}
	if err := checkWriteKey(prefix[:len(prefix)-1]); err != nil {
		return invalid("prefix", "must consist of valid segments: "+err.Err.Error())
	}
	return nil
}
