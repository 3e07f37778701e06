package storage

import (
	"net/url"
	"strings"
)

// EncodeMetadataValue returns text, percent-encoded, as a value that
// [WithMetadata] accepts. Every store keeps that value as it is, also if a
// client sends it in a header of a signed upload. The text may be any bytes, such as
// a file name that somebody else chose: control characters, spaces at the ends
// and invalid UTF-8 are encoded, too. [DecodeMetadataValue] returns the same
// bytes.
//
// Printable ASCII stays readable: only "%", a "?" after "=" and a space at
// either end are encoded. Every encoded byte takes three bytes of the 2 KiB that
// metadata may take.
func EncodeMetadataValue(text string) string {
	const hexadecimal = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(text))
	for i := range len(text) {
		c := text[i]
		if staysInMetadata(text, i) {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hexadecimal[c>>4])
		b.WriteByte(hexadecimal[c&15])
	}
	return b.String()
}

// staysInMetadata reports whether every store returns the byte at i as it is.
// "=?" begins an encoded word (RFC 2047), which the core encodes again for S3 and
// Azure, and which R2 decodes before it stores it.
//
// https://developers.cloudflare.com/r2/api/s3/extensions/
func staysInMetadata(text string, i int) bool {
	switch c := text[i]; c {
	case '%':
		return false
	case ' ':
		return i > 0 && i < len(text)-1
	case '?':
		return i == 0 || text[i-1] != '='
	default:
		return c > 0x20 && c < 0x7F
	}
}

// DecodeMetadataValue returns the text that [EncodeMetadataValue] was given. If
// value is not percent-encoded, such as "100%", it is returned as it is.
func DecodeMetadataValue(value string) string {
	text, err := url.PathUnescape(value)
	if err != nil {
		return value
	}
	return text
}
