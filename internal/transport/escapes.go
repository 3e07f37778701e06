package transport

import (
	"html"
	"strconv"
	"strings"
)

// A server shows a secret within another text: in JSON, XML, HTML, an address, or UTF-16. Each of
// these escapes characters in several ways, and programs differ in which ones they escape. So a
// secret is compared character by character.

// matchSecret returns the length of the secret with which text begins, or 0. If nothing follows
// text, its end may be the beginning of a secret.
func matchSecret(text, secret []byte, end bool) int {
	at := 0
	for i, c := range secret {
		if at == len(text) && end && i >= shortestSecret {
			return at
		}
		n := matchChar(text[at:], c)
		if n == 0 {
			return 0
		}
		if at += n; at < len(text) && text[at] == 0 { // UTF-16
			at++
		}
	}
	return at
}

// matchChar returns the length of the character c with which text begins, or 0.
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
		at := 1
		for at+2 <= len(text) && string(text[at:at+2]) == "25" && c != '%' { // escaped again
			at += 2
		}
		n = matchCode(text, at, 2, 16, c)
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
	if text[1] == c { // as in \/ or \"
		return 2
	}
	return 0
}

// matchCode returns at+digits if the digits there are the number of c, else 0.
func matchCode(text []byte, at, digits, base int, c byte) int {
	if at+digits > len(text) {
		return 0
	}
	code, err := strconv.ParseUint(string(text[at:at+digits]), base, 32)
	if err != nil || code != uint64(c) {
		return 0
	}
	return at + digits
}

// longestEntity is the length of an entity of XML or HTML for a character of ASCII.
const longestEntity = 10

func matchEntity(text []byte, c byte) int {
	if len(text) > 1 && text[1] != '#' && isLetterOrDigit(c) { // which has no name
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

// shownLength is the length of a secret in which all but letters and digits are escaped.
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
