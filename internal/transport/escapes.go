package transport

import (
	"html"
	"strconv"
	"strings"
)

// A server may repeat a secret inside JSON, XML, HTML, a URL or UTF-16. Each of these formats has
// several ways to escape a character, and programs differ in which characters they escape. So a
// secret is compared with the text character by character.

// matchSecret returns how many bytes secret takes at the beginning of text, in plain or escaped
// form. It returns 0 if text does not begin with secret. The caller sets end to true if no more
// text follows. In this case, text may end before the secret is complete. An incomplete secret
// matches if it has at least shortestSecret characters.
func matchSecret(text, secret []byte, end bool) int {
	pos := 0
	for i, c := range secret {
		if pos == len(text) && end && i >= shortestSecret {
			return pos
		}
		n := matchChar(text[pos:], c)
		if n == 0 {
			return 0
		}
		pos += n
		if pos < len(text) && text[pos] == 0 { // skip the second byte of a character in UTF-16
			pos++
		}
	}
	return pos
}

// matchChar reports whether text begins with the character c, possibly escaped. It returns the
// number of bytes that c takes in text, or 0.
func matchChar(text []byte, c byte) int {
	if len(text) == 0 {
		return 0
	}
	if text[0] == c && c != '%' && c != '&' && c != '\\' {
		return 1
	}
	n := 0
	switch text[0] {
	case '+':
		return isTrue(c == ' ')
	case '%':
		width := 1
		for width+2 <= len(text) && string(text[width:width+2]) == "25" && c != '%' { // the percent sign is escaped, too: %252F
			width += 2
		}
		n = matchCode(text, width, 2, 16, c)
	case '&':
		n = matchEntity(text, c)
	case '\\':
		n = matchBackslash(text, c)
	}
	if n == 0 {
		n = isTrue(text[0] == c)
	}
	return n
}

func isTrue(b bool) int {
	if b {
		return 1
	}
	return 0
}

func matchBackslash(text []byte, c byte) int {
	if len(text) < 2 {
		return 0
	}
	switch text[1] {
	case 'u':
		return matchCode(text, 2, 4, 16, c)
	case 'x':
		return matchCode(text, 2, 2, 16, c)
	}
	if text[1] == c { // such as \/ or \"
		return 2
	}
	return 0
}

// matchCode parses the number at the offset pos of text. digits is the length of
// the number. If the number is the code of the character c, matchCode returns the offset after the
// number. Otherwise it returns 0.
func matchCode(text []byte, pos, digits, base int, c byte) int {
	if pos+digits > len(text) {
		return 0
	}
	code, err := strconv.ParseUint(string(text[pos:pos+digits]), base, 32)
	if err != nil || code != uint64(c) {
		return 0
	}
	return pos + digits
}

// longestEntity is the length in bytes of the longest XML or HTML entity for an ASCII character.
const longestEntity = 10

func matchEntity(text []byte, c byte) int {
	if len(text) > 1 && text[1] != '#' && isLetterOrDigit(c) { // letters and digits have no named entity
		return 0
	}
	n := strings.IndexByte(string(text[:min(len(text), longestEntity)]), ';') + 1
	if n > 0 && html.UnescapeString(string(text[:n])) == string(rune(c)) {
		return n
	}
	return 0
}

func isLetterOrDigit(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// shownLength returns the largest number of bytes that an escaped secret may take in a text.
// Letters and digits are never escaped.
func shownLength(secret []byte) int {
	const escaped = len(`\u002f`)
	length := 0
	for _, c := range secret {
		if isLetterOrDigit(c) {
			length++
		} else {
			length += escaped
		}
	}
	return length
}
