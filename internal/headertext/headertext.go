// Package headertext has the rules for texts in the headers with which objects are served.
package headertext

import (
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// MaxHeaderBytes is the length of the longest header.
const MaxHeaderBytes = 1024

// ValidHeader reports whether every provider keeps value as a header: ASCII of at most 1,024 bytes
// without control characters or spaces at its ends.
func ValidHeader(value string) bool {
	return len(value) <= MaxHeaderBytes && Plain(value) && strings.TrimSpace(value) == value &&
		!strings.ContainsFunc(value, func(r rune) bool { return r >= utf8.RuneSelf })
}

// Plain reports whether s is UTF-8 without control characters.
func Plain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7F })
}

// ValidMediaType reports whether value is type/subtype, and valid as a header.
func ValidMediaType(value string) bool {
	if !ValidHeader(value) {
		return false
	}
	mediaType, _, err := mime.ParseMediaType(value)
	kind, sub, found := strings.Cut(mediaType, "/")
	return err == nil && found && kind != "" && sub != ""
}

// Lines returns all lines of a header, as one. Empty lines do not count, and equal lines count
// as one.
func Lines(header http.Header, name string) string {
	lines := slices.Clone(header.Values(name))
	slices.Sort(lines)
	return strings.TrimPrefix(strings.Join(slices.Compact(lines), ","), ",")
}
