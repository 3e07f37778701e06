package httpheader

import (
	"fmt"
	"strings"
)

// A NameEscaper writes names of metadata for a store that does not keep one character.
// It escapes the way XML names do: with the mark "_", it writes "-" as "_x002D_". It
// also escapes a mark before an "x", which could be taken for the start of an escape.
type NameEscaper struct {
	lost, markX, escapeStart string
	escape, unescape         *strings.Replacer
}

// NewNameEscaper returns a [NameEscaper] that writes lost as a code between two marks.
func NewNameEscaper(mark, lost byte) *NameEscaper {
	escaped := func(c byte) string { return fmt.Sprintf("%cx%04X%c", mark, c, mark) }
	n := &NameEscaper{lost: string(lost), markX: string(mark) + "x", escapeStart: string(mark) + "x00"}
	n.escape = strings.NewReplacer(n.markX, escaped(mark)+"x", n.lost, escaped(lost))
	n.unescape = strings.NewReplacer(strings.ToLower(escaped(mark)), string(mark), strings.ToLower(escaped(lost)), n.lost)
	return n
}

// Escape returns name in the form that is sent to the store. The name must be in lower case.
func (n *NameEscaper) Escape(name string) string {
	if !strings.Contains(name, n.lost) && !strings.Contains(name, n.markX) {
		return name
	}
	return n.escape.Replace(name)
}

// Unescape returns the name that [NameEscaper.Escape] was given, in lower case: servers
// change the case of headers.
func (n *NameEscaper) Unescape(stored string) string {
	stored = strings.ToLower(stored)
	if !strings.Contains(stored, n.escapeStart) {
		return stored
	}
	return n.unescape.Replace(stored)
}
