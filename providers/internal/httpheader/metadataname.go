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

// NewNameEscaper returns a [NameEscaper]. lostChar is the character that the store does
// not keep. mark is the character at both ends of the code for a replaced character.
func NewNameEscaper(mark, lostChar byte) *NameEscaper {
	code := func(c byte) string { return fmt.Sprintf("%cx%04X%c", mark, c, mark) }
	codeOfMark := code(mark)
	codeOfLost := code(lostChar)

	n := &NameEscaper{
		lostChar:    string(lostChar),
		markX:       string(mark) + "x",
		escapeStart: string(mark) + "x00",
	}
	n.escape = strings.NewReplacer(n.markX, codeOfMark+"x", n.lostChar, codeOfLost)
	n.unescape = strings.NewReplacer(
		strings.ToLower(codeOfMark), string(mark),
		strings.ToLower(codeOfLost), n.lostChar)
	return n
}

// Escape returns name in the form that the store keeps. The name must be in lower case.
func (n *NameEscaper) Escape(name string) string {
	if !strings.Contains(name, n.lostChar) && !strings.Contains(name, n.markX) {
		return name
	}
	return n.escape.Replace(name)
}

// Unescape returns the original of a name that [NameEscaper.Escape] has changed. The result is in
// lower case, because servers change the case of headers.
func (n *NameEscaper) Unescape(value string) string {
	value = strings.ToLower(value)
	if !strings.Contains(value, n.escapeStart) {
		return value
	}
	return n.unescape.Replace(value)
}
