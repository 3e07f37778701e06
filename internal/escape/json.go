package escape

import (
	"fmt"
	"unicode/utf16"
)

// ASCIIJSON returns a JSON document in which an escape, such as \u00e9, replaces each character that
// is not ASCII.
func ASCIIJSON(document []byte) []byte {
	escaped := make([]byte, 0, len(document))
	for _, r := range string(document) {
		switch {
		case r < 0x80:
			escaped = append(escaped, byte(r))
		case r < 0x10000:
			escaped = fmt.Appendf(escaped, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			escaped = fmt.Appendf(escaped, `\u%04x\u%04x`, high, low)
		}
	}
	return escaped
}
