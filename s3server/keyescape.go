package s3server

import (
	"strings"
	"unicode/utf8"
)

// S3 has keys that a storage.Driver refuses (rule K1): with empty segments, as the folder marker
// "dir/" and "a//b", with the segments "." and "..", or with control characters. Such a segment
// is escaped:
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
// A driver lists an escaped segment at the place of "!%". A nameWalk lists it at its place in S3's
// order.
const escapeMark = "!%"

// escapeKey returns the driver's key of an S3 key.
func escapeKey(key string) string {
	if isNatural(key) {
		return key
	}
	segments := strings.Split(key, "/")
	for i, s := range segments {
		segments[i] = escapeSegment(s)
	}
	return strings.Join(segments, "/")
}

func isNatural(key string) bool {
	for segment := range strings.SplitSeq(key, "/") {
		if !isNaturalSegment(segment) {
			return false
		}
	}
	return true
}

func isNaturalSegment(s string) bool {
	if s == "" || s[len(s)-1] == '.' || strings.HasPrefix(s, escapeMark) || !utf8.ValidString(s) {
		return false
	}
	return strings.IndexFunc(s, mustEscape) < 0
}

// mustEscape reports whether rule K1 forbids a character.
func mustEscape(c rune) bool {
	return c < 0x20 || c == 0x7F || c == '\\' || c == 0xFFFE || c == 0xFFFF
}

func escapeSegment(s string) string {
	if isNaturalSegment(s) {
		return s
	}
	return escapeMark + escapeText(s, true)
}

const upperHex = "0123456789ABCDEF"

// escapeText escapes the characters of a segment. A dot is only escaped at the end of a whole
// one.
func escapeText(s string, whole bool) string {
	var b strings.Builder
	for i, c := range s {
		size := utf8.RuneLen(c)
		if c == utf8.RuneError {
			_, size = utf8.DecodeRuneInString(s[i:])
		}
		raw := s[i : i+size]
		if mustEscape(c) || c == '%' || c == utf8.RuneError && size == 1 || c == '.' && whole && i == len(s)-1 {
			for _, octet := range []byte(raw) {
				b.WriteByte('%')
				b.WriteByte(upperHex[octet>>4])
				b.WriteByte(upperHex[octet&15])
			}
			continue
		}
		b.WriteString(raw)
	}
	return b.String()
}

// unescapeKey returns the S3 key of a driver's key. It returns false if no S3 key has that name.
// A prefix that ends in a slash is a key whose last segment is missing.
func unescapeKey(name string, isPrefix bool) (string, bool) {
	if !strings.Contains(name, escapeMark) {
		return name, true
	}
	segments := strings.Split(name, "/")
	for i, s := range segments {
		if isPrefix && i == len(segments)-1 && s == "" {
			continue
		}
		text, escaped := strings.CutPrefix(s, escapeMark)
		if !escaped {
			continue
		}
		plain, ok := unescapeText(text)
		if !ok || escapeSegment(plain) != s {
			return "", false
		}
		segments[i] = plain
	}
	return strings.Join(segments, "/"), true
}

func unescapeText(text string) (string, bool) {
	b := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			b = append(b, text[i])
			continue
		}
		if i+2 >= len(text) {
			return "", false
		}
		high, low := strings.IndexByte(upperHex, text[i+1]), strings.IndexByte(upperHex, text[i+2])
		if high < 0 || low < 0 {
			return "", false
		}
		b = append(b, byte(high<<4|low))
		i += 2
	}
	return string(b), true
}

// escapePrefix returns prefixes of the driver's keys that cover all keys with an S3 prefix, in
// byte order. A key with the prefix has one of them; other keys may, too.
func escapePrefix(prefix string) []string {
	folder, last := "", prefix
	if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
		folder, last = escapeKey(prefix[:i])+"/", prefix[i+1:]
	}
	if last == "" {
		return []string{folder}
	}
	escaped := folder + escapeMark + escapeText(strings.TrimRight(last, "."), false)
	if strings.IndexFunc(last, mustEscape) >= 0 || strings.HasPrefix(last, escapeMark) {
		return []string{escaped}
	}
	natural := folder + last
	switch {
	case strings.HasPrefix(escaped, natural): // the prefix is "!"
		return []string{natural}
	case natural < escaped:
		return []string{natural, escaped}
	}
	return []string{escaped, natural}
}
