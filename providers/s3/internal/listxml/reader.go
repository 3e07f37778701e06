package listxml

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// maxDepth limits how many elements may be open at once. A listing has four.
const maxDepth = 64

// A reader reads a document in memory, element by element. It accepts what
// encoding/xml accepts in strict mode, without an allocation for each token. The
// exception is a document type declaration, which no S3 server sends. It identifies
// elements by their local names and ignores namespaces.
type reader struct {
	doc     []byte
	pos     int
	open    [][]byte // qualified names of the open elements
	empty   bool     // the innermost open element was <name/>, and its end was not reported yet
	scratch []byte   // memory for decoded text
}

// malformed returns an error with the current position. It does not quote the page,
// which is full of keys.
func (x *reader) malformed(problem string) error {
	return fmt.Errorf("the page is not well-formed: %s at byte %d", problem, x.pos)
}

// root opens the root element and returns its local name.
func (x *reader) root() ([]byte, error) {
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

// child opens the next element in the innermost open element and returns its local
// name. If there is none left, it closes the innermost element and returns nil.
func (x *reader) child() ([]byte, error) {
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

// skip closes the innermost element and ignores its content.
func (x *reader) skip() error {
	for outside := len(x.open) - 1; len(x.open) > outside; {
		if _, err := x.child(); err != nil {
			return err
		}
	}
	return nil
}

// value closes the innermost element and returns its text, without comments and
// the like. The caller may modify the text, which is valid until the next call. An
// element inside is an error.
func (x *reader) value() ([]byte, error) {
	if x.empty {
		x.close()
		return nil, nil
	}
	value, err := x.text()
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(x.doc[x.pos:], []byte("</")) { // nearly always
		_, _, err = x.tag()
		return value, err
	}
	return x.joinText(value)
}

// joinText is the slow path of value, for an element that has more than text.
func (x *reader) joinText(value []byte) ([]byte, error) {
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
			return nil, x.malformed("an element instead of text")
		}
		text, err := x.text()
		if err != nil {
			return nil, err
		}
		all = append(all, text...)
	}
}

// tag reads markup. isTag is false for a comment, a processing instruction and a
// CDATA section. name is the local name of the element that it opened, or nil if it
// closed one.
func (x *reader) tag() (name []byte, isTag bool, err error) {
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

func (x *reader) startTag() ([]byte, error) {
	name, err := x.name()
	if err != nil {
		return nil, err
	}
	if len(x.open) == maxDepth {
		return nil, x.malformed("too many nested elements")
	}
	x.open = append(x.open, name)
	for {
		x.skipSpace()
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

func (x *reader) endTag() error {
	if len(x.open) == 0 {
		return x.malformed("an end tag without a start tag")
	}
	name, err := x.name()
	if err != nil {
		return err
	}
	x.skipSpace()
	if !x.accept('>') {
		return x.malformed("an unclosed end tag")
	}
	if !bytes.Equal(name, x.open[len(x.open)-1]) {
		return x.malformed("an end tag of another element")
	}
	x.close()
	return nil
}

func (x *reader) close() {
	x.open, x.empty = x.open[:len(x.open)-1], false
}

// attribute skips name="value".
func (x *reader) attribute() error {
	if _, err := x.name(); err != nil {
		return err
	}
	x.skipSpace()
	if !x.accept('=') {
		return x.malformed("an attribute without a value")
	}
	x.skipSpace()
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

// quoted returns the raw text between two quotes.
func (x *reader) quoted() ([]byte, error) {
	rest := x.doc[x.pos:]
	if len(rest) == 0 || rest[0] != '"' && rest[0] != '\'' {
		return nil, x.malformed("a value without quotes")
	}
	end := bytes.IndexByte(rest[1:], rest[0])
	if end < 0 {
		return nil, x.malformed("unclosed quotes")
	}
	x.pos += end + 2
	return rest[1 : 1+end], nil
}

// name returns a qualified name.
func (x *reader) name() ([]byte, error) {
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
		return nil, x.malformed("an invalid name")
	}
	x.pos += end
	return name, nil
}

// isNameByte reports whether c may be part of a name. It accepts every byte that is
// not ASCII, because the reader of a listing need not validate names.
func isNameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '_' || c == ':' || c == '-' || c == '.' || c >= utf8.RuneSelf
}

// local returns a qualified name without its prefix.
func local(name []byte) []byte {
	if prefix, rest, found := bytes.Cut(name, []byte(":")); found && len(prefix) > 0 && len(rest) > 0 {
		return rest
	}
	return name
}

func (x *reader) skipSpace() {
	for x.pos < len(x.doc) && isSpace(x.doc[x.pos]) {
		x.pos++
	}
}

func (x *reader) accept(c byte) bool {
	if x.pos < len(x.doc) && x.doc[x.pos] == c {
		x.pos++
		return true
	}
	return false
}
