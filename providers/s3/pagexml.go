package s3

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// maxDepth is how many elements may be open at once. A listing has four.
const maxDepth = 64

// An xmlReader walks through a document in memory, element by element. It takes
// what encoding/xml takes in strict mode, without an allocation for each token,
// but for a document type declaration, which no server that speaks S3 sends.
// Elements are known by their local names, whatever their namespace.
type xmlReader struct {
	doc   []byte
	pos   int
	open  [][]byte // names of the open elements, as they are written
	empty bool     // the innermost of them was <name/>: its end is still to be told
	spare []byte   // memory for text that is not in doc as it reads
}

// malformed is an error at the place that was reached. It quotes nothing: a page
// is full of keys.
func (x *xmlReader) malformed(what string) error {
	return fmt.Errorf("the page is not well-formed: %s at byte %d", what, x.pos)
}

// root opens the document's only element, and is its local name.
func (x *xmlReader) root() ([]byte, error) {
	x.doc = bytes.TrimPrefix(x.doc, []byte("\ufeff"))
	for {
		text, err := x.text()
		if err != nil {
			return nil, err
		}
		if len(trimSpace(text)) > 0 {
			return nil, x.malformed("text outside of an element")
		}
		name, isTag, err := x.tag()
		if err != nil || isTag {
			return name, err
		}
	}
}

// child opens the next element in the innermost open one, and is its local
// name. It is nil where there is none left: the innermost has been closed.
func (x *xmlReader) child() ([]byte, error) {
	if x.empty {
		x.close()
		return nil, nil
	}
	for {
		if _, err := x.text(); err != nil {
			return nil, err
		}
		if name, isTag, err := x.tag(); err != nil || isTag {
			return name, err
		}
	}
}

// skip closes the innermost element with all that is in it.
func (x *xmlReader) skip() error {
	for outside := len(x.open) - 1; len(x.open) > outside; {
		if _, err := x.child(); err != nil {
			return err
		}
	}
	return nil
}

// value closes the innermost element, and is the text in it: what comments and
// the like part, joined. It may be changed, and is good until the next call. An
// element inside is an error.
func (x *xmlReader) value() ([]byte, error) {
	if x.empty {
		x.close()
		return nil, nil
	}
	value, err := x.text()
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(x.doc[x.pos:], []byte("</")) { // as nearly always
		_, _, err = x.tag()
		return value, err
	}
	return x.joined(value)
}

// joined is value's slow road: more than text up to the end tag.
func (x *xmlReader) joined(value []byte) ([]byte, error) {
	all := bytes.Clone(value)
	for depth := len(x.open); ; {
		if content, isCDATA, err := x.cdata(); err != nil {
			return nil, err
		} else if isCDATA {
			all = append(all, content...)
		} else if _, isTag, err := x.tag(); err != nil {
			return nil, err
		} else if isTag && len(x.open) < depth {
			return all, nil
		} else if isTag {
			return nil, x.malformed("an element where text is due")
		}
		text, err := x.text()
		if err != nil {
			return nil, err
		}
		all = append(all, text...)
	}
}

// tag reads one piece of markup. isTag is false for those that do not matter:
// comments, processing instructions, CDATA. name is the local name of an element
// that was opened, or nil where one was closed.
func (x *xmlReader) tag() (name []byte, isTag bool, err error) {
	switch rest := x.doc[x.pos:]; {
	case bytes.HasPrefix(rest, []byte("</")):
		x.pos += len("</")
		return nil, true, x.endTag()
	case bytes.HasPrefix(rest, []byte("<?")):
		x.pos += len("<?")
		return nil, false, x.instruction()
	case bytes.HasPrefix(rest, []byte("<!--")):
		x.pos += len("<!--")
		return nil, false, x.comment()
	case bytes.HasPrefix(rest, []byte("<![CDATA[")):
		if len(x.open) == 0 {
			return nil, false, x.malformed("text outside of an element")
		}
		_, _, err := x.cdata()
		return nil, false, err
	case bytes.HasPrefix(rest, []byte("<!")):
		return nil, false, x.malformed("a declaration")
	default:
		x.pos += len("<")
		name, err := x.startTag()
		return name, true, err
	}
}

func (x *xmlReader) startTag() ([]byte, error) {
	name, err := x.name()
	if err != nil {
		return nil, err
	}
	if len(x.open) == maxDepth {
		return nil, x.malformed("elements too deep in one another")
	}
	x.open = append(x.open, name)
	for {
		x.space()
		switch rest := x.doc[x.pos:]; {
		case len(rest) > 0 && rest[0] == '>':
			x.pos++
			return local(name), nil
		case bytes.HasPrefix(rest, []byte("/>")):
			x.pos += len("/>")
			x.empty = true
			return local(name), nil
		}
		if err := x.attribute(); err != nil {
			return nil, err
		}
	}
}

func (x *xmlReader) endTag() error {
	if len(x.open) == 0 {
		return x.malformed("an end without a start")
	}
	name, err := x.name()
	if err != nil {
		return err
	}
	x.space()
	if !x.accept('>') {
		return x.malformed("an end tag that does not end")
	}
	if !bytes.Equal(name, x.open[len(x.open)-1]) {
		return x.malformed("an end of another element")
	}
	x.close()
	return nil
}

func (x *xmlReader) close() {
	x.open, x.empty = x.open[:len(x.open)-1], false
}

// attribute passes over name="value".
func (x *xmlReader) attribute() error {
	if _, err := x.name(); err != nil {
		return err
	}
	x.space()
	if !x.accept('=') {
		return x.malformed("an attribute without a value")
	}
	x.space()
	value, err := x.quoted()
	if err != nil {
		return err
	}
	if bytes.IndexByte(value, '<') >= 0 {
		return x.malformed("a tag in an attribute")
	}
	_, err = x.plain(value, inAttribute)
	return err
}

// quoted is what stands between two quotes, as it is written.
func (x *xmlReader) quoted() ([]byte, error) {
	rest := x.doc[x.pos:]
	if len(rest) == 0 || rest[0] != '"' && rest[0] != '\'' {
		return nil, x.malformed("a value without quotes")
	}
	end := bytes.IndexByte(rest[1:], rest[0])
	if end < 0 {
		return nil, x.malformed("quotes that do not end")
	}
	x.pos += end + 2
	return rest[1 : 1+end], nil
}

// name is a qualified name, as it is written.
func (x *xmlReader) name() ([]byte, error) {
	rest, ascii := x.doc[x.pos:], true
	end := 0
	for end < len(rest) && isNameByte(rest[end]) {
		ascii = ascii && rest[end] < utf8.RuneSelf
		end++
	}
	name := rest[:end]
	switch {
	case end == 0, name[0] == '-', name[0] == '.', '0' <= name[0] && name[0] <= '9',
		!ascii && !utf8.Valid(name), bytes.Count(name, []byte(":")) > 1:
		return nil, x.malformed("no name")
	}
	x.pos += end
	return name, nil
}

// isNameByte takes all that is not ASCII: which of it makes a name is nothing
// that a listing's reader has to judge.
func isNameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '_' || c == ':' || c == '-' || c == '.' || c >= utf8.RuneSelf
}

// local is a qualified name without its prefix.
func local(name []byte) []byte {
	if prefix, rest, found := bytes.Cut(name, []byte(":")); found && len(prefix) > 0 && len(rest) > 0 {
		return rest
	}
	return name
}

func (x *xmlReader) space() {
	for x.pos < len(x.doc) && isSpace(x.doc[x.pos]) {
		x.pos++
	}
}

func (x *xmlReader) accept(c byte) bool {
	if x.pos < len(x.doc) && x.doc[x.pos] == c {
		x.pos++
		return true
	}
	return false
}
