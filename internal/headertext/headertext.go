// Package headertext checks and builds values of HTTP headers with which objects are served, such as their media types.
package headertext

import (
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// MaxHeaderBytes is the largest length of a header's value in bytes.
const MaxHeaderBytes = 1024

// ValidHeader reports whether every provider can store value as a header. value must be ASCII of at
// most 1,024 bytes, without control characters and without spaces at its ends.
func ValidHeader(value string) bool {
	return len(value) <= MaxHeaderBytes && Plain(value) && strings.TrimSpace(value) == value &&
		!strings.ContainsFunc(value, func(r rune) bool { return r >= utf8.RuneSelf })
}

// Plain reports whether s is valid UTF-8 without control characters.
func Plain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7F })
}

// ValidMediaType reports whether value is a media type of the form type/subtype and a
// [ValidHeader].
func ValidMediaType(value string) bool {
	if !ValidHeader(value) {
		return false
	}
	mediaType, _, err := mime.ParseMediaType(value)
	kind, subtype, hasSlash := strings.Cut(mediaType, "/")
	return err == nil && hasSlash && kind != "" && subtype != ""
}

// Lines joins all values of a header with commas, in sorted order. It leaves out empty and repeated
// values.
func Lines(header http.Header, name string) string {
	lines := slices.Clone(header.Values(name))
	slices.Sort(lines)
	return strings.TrimPrefix(strings.Join(slices.Compact(lines), ","), ",")
}
