package agents

import "unicode/utf8"

// isText reports whether data is text in UTF-8. It may have the control characters that occur in text, such as
// tabs, line ends, and escape, which begins colors of terminals.
func isText(data []byte) bool {
	const escape = 0x1B
	const deletion = 0x7F
	if !utf8.Valid(data) {
		return false
	}

	for _, c := range data {
		isPrintable := c >= ' ' && c != deletion
		isTextControl := (c >= '\a' && c <= '\r') || c == escape
		if !isPrintable && !isTextControl {
			return false
		}
	}
	return true
}

// fittingLength returns the length of the longest beginning of text, in whole characters, whose JSON form
// has at most limit bytes.
func fittingLength(text []byte, limit int) (n int) {
	for n < len(text) {
		r, size := utf8.DecodeRune(text[n:])
		limit -= lengthInJSON(r, size)
		if limit < 0 {
			break
		}
		n += size
	}
	return n
}

// lengthInJSON returns the length of a character as encoding/json writes it, where size is its length
// in UTF-8.
func lengthInJSON(r rune, size int) int {
	switch r {
	case '"', '\\', '\n', '\r', '\t':
		return len(`\n`)
	// Package json escapes these, because they have a meaning in HTML or JavaScript.
	case '<', '>', '&', '\u2028', '\u2029':
		return len(`\u0000`)
	}
	if r < ' ' {
		return len(`\u0000`)
	}
	return size
}
