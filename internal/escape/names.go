package escape

import (
	"fmt"
	"strings"
)

// Names writes names of metadata for a store that does not keep one character of
// them, the way that XML names write what they cannot hold: if the mark is "_",
// "-" is stored as "_x002D_". A mark before an "x" is escaped too, because it
// could be taken for the beginning of an escape.
type Names struct {
	lost, markX, escapeStart string
	stores, plain            *strings.Replacer
}

// NewNames returns the Names that escape lost between two marks.
func NewNames(mark, lost byte) *Names {
	escape := func(c byte) string { return fmt.Sprintf("%cx%04X%c", mark, c, mark) }
	n := &Names{lost: string(lost), markX: string(mark) + "x", escapeStart: string(mark) + "x00"}
	n.stores = strings.NewReplacer(n.markX, escape(mark)+"x", n.lost, escape(lost))
	n.plain = strings.NewReplacer(strings.ToLower(escape(mark)), string(mark), strings.ToLower(escape(lost)), n.lost)
	return n
}

// Stored returns name, which is in lower case, as the store is given it.
func (n *Names) Stored(name string) string {
	if !strings.Contains(name, n.lost) && !strings.Contains(name, n.markX) {
		return name
	}
	return n.stores.Replace(name)
}

// Plain returns the name that Stored was given, in lower case: whoever writes
// headers chooses their case.
func (n *Names) Plain(stored string) string {
	stored = strings.ToLower(stored)
	if !strings.Contains(stored, n.escapeStart) {
		return stored
	}
	return n.plain.Replace(stored)
}
