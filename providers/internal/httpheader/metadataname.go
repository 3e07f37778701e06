package httpheader

import (
	"fmt"
	"strings"
)

// A NameEscaper writes names of metadata for a store that does not keep a certain character, such
// as "-". It replaces the character by a code between two marks. For example, with the mark "_", it
// writes "-" as "_x002D_". A mark before an "x" in the name itself could look like the start of a
// code. So the NameEscaper replaces that mark by a code, too.
type NameEscaper struct {
	lostChar    string
	markX       string // the mark and "x", with which a code begins
	escapeStart string // the beginning of every code
	escape      *strings.Replacer
	unescape    *strings.Replacer
}

// NewNameEscaper returns a [NameEscaper] for a store that does not keep lostChar. mark is the character
// at both ends of the code that replaces another character. For example, with the mark "_", "-" becomes
// "_x002D_".
func NewNameEscaper(mark, lostChar byte) *NameEscaper {
	code := func(c byte) string { return fmt.Sprintf("%cx%04X%c", mark, c, mark) }
	codeOfMark := code(mark)
	codeOfLost := code(lostChar)

	n := &NameEscaper{
		lostChar:    string(lostChar),
		markX:       string(mark) + "x",
		escapeStart: string(mark) + "x00",
	}

	// A mark before an "x" is replaced, too, because it could look like the start of a code.
	n.escape = strings.NewReplacer(n.markX, codeOfMark+"x", n.lostChar, codeOfLost)
	// Unescape first converts a name to lower case.
	n.unescape = strings.NewReplacer(
		strings.ToLower(codeOfMark), string(mark),
		strings.ToLower(codeOfLost), n.lostChar)
	return n
}

// Escape returns name, which must be in lower case, in the form that the store keeps.
func (n *NameEscaper) Escape(name string) string {
	if !strings.Contains(name, n.lostChar) && !strings.Contains(name, n.markX) {
		return name
	}
	return n.escape.Replace(name)
}

// Unescape returns the original of a name that [NameEscaper.Escape] has changed, in lower case because
// servers change the case of headers.
func (n *NameEscaper) Unescape(escaped string) string {
	escaped = strings.ToLower(escaped)
	if !strings.Contains(escaped, n.escapeStart) {
		return escaped
	}
	return n.unescape.Replace(escaped)
}
