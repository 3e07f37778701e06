package listxml

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"unicode/utf8"
)

// maxDepth limits how many elements may be open at once. A listing has four.
const maxDepth = 64

// A reader reads a document in memory, element by element. It identifies elements by their local names
// and ignores namespaces. It knows the XML that S3 servers write, and reads that without an allocation
// for each token. If it meets anything else (a comment, CDATA, other attributes), it fails with
// errUnusual, and [encoding/xml] then reads the document from its start.
type reader struct {
	doc          []byte
	pos          int
	open         [][]byte     // names of the open elements
	isSelfClosed bool         // the innermost open element was written as <name/>, and its end was not reported yet
	scratch      []byte       // memory for decoded text
	decoder      *xml.Decoder // reads the document if it is unusual
}

var errUnusual = errors.New("the document is not one that S3 servers write")

// readDocument calls parse with a reader of the document, and once more, with a reader that uses
// encoding/xml, if the document is unusual.
func readDocument(doc []byte, parse func(x reader) error) error {
	err := parse(reader{doc: doc})
	if err != errUnusual {
		return err
	}
	doc = bytes.TrimPrefix(doc, []byte("\ufeff"))
	return parse(reader{doc: doc, decoder: xml.NewDecoder(bytes.NewReader(doc))})
}

// openRoot opens the root element and returns its name.
func (x *reader) openRoot() ([]byte, error) {
	if x.decoder != nil {
		return x.decodeTag(nil)
	}
	rest := bytes.TrimPrefix(x.doc, []byte(`<?xml version="1.0" encoding="UTF-8"?>`))
	x.pos = len(x.doc) - len(bytes.TrimLeft(rest, space))
	return x.readStartTag()
}

// openChild opens the next element in the innermost open element and returns its local name. If
// there is none, it closes the innermost element and returns nil.
func (x *reader) openChild() ([]byte, error) {
	if x.decoder != nil { // the document is unusual, so encoding/xml reads it
		return x.decodeTag(nil)
	}
	if x.isSelfClosed { // an element <name/> without content
		x.close()
		return nil, nil
	}

	// Ignore the text before the next tag.
	if _, err := x.readText(); err != nil {
		return nil, err
	}
	if bytes.HasPrefix(x.doc[x.pos:], []byte("</")) {
		return nil, x.readEndTag()
	}
	return x.readStartTag()
}

// skipElement closes the innermost element without reading its content.
func (x *reader) skipElement() error {
	for depth := len(x.open) - 1; len(x.open) > depth; {
		if _, err := x.openChild(); err != nil {
			return err
		}
	}
	return nil
}

// readValue closes the innermost element and returns its text, or fails if there is an element
// inside. The caller may modify the text, which is valid until the next call.
func (x *reader) readValue() (value []byte, err error) {
	if x.decoder != nil { // the document is unusual, so encoding/xml reads it
		return x.decodeValue()
	}
	if x.isSelfClosed {
		// An element without content was written as <name/>.
		x.close()
		return nil, nil
	}
	if value, err = x.readText(); err != nil {
		return nil, err
	}
	return value, x.readEndTag()
}

// decodeValue is readValue with encoding/xml, for an unusual document.
func (x *reader) decodeValue() (value []byte, err error) {
	name, err := x.decodeTag(&value)
	isElement := name != nil // otherwise it is the end tag
	if isElement {
		err = errors.New("the page has an element instead of text")
	}
	return value, err
}

// decodeTag opens the next element and returns its name, like openChild, but with encoding/xml, for
// an unusual document. If text is not nil, decodeTag appends the characters before the tag to
// *text.
func (x *reader) decodeTag(text *[]byte) ([]byte, error) {
	for {
		token, err := x.decoder.Token()
		switch t := token.(type) {
		case xml.StartElement:
			if len(x.open) == maxDepth {
				return nil, errors.New("the page has too many nested elements")
			}
			// The name is needed only without encoding/xml, which checks the end tags itself.
			x.open = append(x.open, nil)
			return []byte(t.Name.Local), nil
		case xml.EndElement:
			x.close()
			return nil, nil
		case xml.CharData:
			// Outside the root, only white space is permitted.
			if len(x.open) == 0 && len(trimSpace(t)) > 0 {
				return nil, errNoListing
			}
			if text != nil {
				*text = append(*text, t...)
			}
		case xml.Directive:
			return nil, errors.New("the page has a declaration")
		case nil:
			// Without a token, the document has ended or is not well-formed.
			return nil, fmt.Errorf("the page is not well-formed: %w", err)
		}
	}
}

// readStartTag reads a start tag and returns its name. A tag with attributes, except for the
// namespace of the root, is left to encoding/xml.
func (x *reader) readStartTag() ([]byte, error) {
	name := x.readName("<")
	if name == nil || len(x.open) == maxDepth {
		return nil, errUnusual
	}

	// Skip the namespace, which only the root may have.
	rest := x.doc[x.pos:]
	if namespace, ok := bytes.CutPrefix(rest, []byte(` xmlns="`)); ok && len(x.open) == 0 {
		isUnusual := func(c rune) bool { return c <= ' ' || c > '~' || c == '<' || c == '&' }
		end := bytes.IndexByte(namespace, '"')
		if end < 0 || bytes.ContainsFunc(namespace[:end], isUnusual) {
			return nil, errUnusual
		}
		rest = namespace[end+1:]
	}

	x.isSelfClosed = bytes.HasPrefix(rest, []byte("/>"))
	switch {
	case x.isSelfClosed:
		rest = rest[len("/>"):]
	case bytes.HasPrefix(rest, []byte(">")):
		rest = rest[len(">"):]
	default:
		return nil, errUnusual
	}

	// The reader is now after the tag, whose element is open.
	x.pos = len(x.doc) - len(rest)
	x.open = append(x.open, name)
	return name, nil
}

// readEndTag reads the end tag of the innermost open element, and closes the element. It fails with
// errUnusual if there is another tag, after which encoding/xml reads the document.
func (x *reader) readEndTag() error {
	name := x.readName("</")
	if name == nil || !bytes.Equal(name, x.open[len(x.open)-1]) {
		return errUnusual
	}
	if !bytes.HasPrefix(x.doc[x.pos:], []byte(">")) {
		return errUnusual
	}
	x.pos += len(">")
	x.close()
	return nil
}

func (x *reader) close() {
	x.open = x.open[:len(x.open)-1]
	x.isSelfClosed = false
}

// readName reads the beginning of a tag and returns its name, or nil if no tag begins here. mark
// has the characters before the name, "<" or "</".
func (x *reader) readName(mark string) []byte {
	rest := x.doc[x.pos:]
	if !bytes.HasPrefix(rest, []byte(mark)) {
		return nil
	}
	rest = rest[len(mark):]
	n := 0
	for n < len(rest) {
		isDigit := '0' <= rest[n] && rest[n] <= '9'
		if !isLetter(rest[n]) && (n == 0 || !isDigit) {
			break
		}
		n++
	}
	if n == 0 {
		return nil
	}
	x.pos += len(mark) + n
	return rest[:n]
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// readText returns the decoded text before the next tag. The text is a part of the document, or a
// copy that is valid until the next call.
func (x *reader) readText() ([]byte, error) {
	end := bytes.IndexByte(x.doc[x.pos:], '<')
	if end < 0 {
		return nil, errUnusual
	}
	raw := x.doc[x.pos : x.pos+end]
	x.pos += end

	for i, c := range raw {
		if !isLiteral[c] { // such as "&"
			return x.decodeText(raw, i)
		}
	}
	return raw, nil
}

// isLiteral is true for the bytes that need no decoding.
var isLiteral = func() (table [256]bool) {
	for c := byte(' '); c < utf8.RuneSelf; c++ {
		table[c] = c != '&' && c != '>'
	}
	table['\t'], table['\n'] = true, true
	return table
}()

// decodeText decodes the references of a text, such as "&amp;", and checks that it is valid XML.
// The bytes of raw before index start are known to be literal.
func (x *reader) decodeText(raw []byte, start int) ([]byte, error) {
	text := append(x.scratch[:0], raw[:start]...)
	for i := start; i < len(raw); {
		size := 1 // bytes of raw that this step decodes
		c := raw[i]
		switch {
		// Most bytes need no check, and are copied as they are.
		case isLiteral[c]:
			text = append(text, c)
		case c == '&':
			c, size = decodeReference(raw[i:])
			if size == 0 {
				return nil, errUnusual
			}
			text = append(text, c)
		default:
			var r rune
			r, size = utf8.DecodeRune(raw[i:])
			isInvalid := size == 1                   // this is no UTF-8
			isExcluded := r == 0xFFFE || r == 0xFFFF // XML excludes these characters
			if isInvalid || isExcluded {
				return nil, errUnusual
			}
			text = append(text, raw[i:i+size]...)
		}
		i += size
	}
	x.scratch = text
	return text, nil
}

// decodeReference decodes the reference at the start of raw, such as &amp;, and returns its size.
// size is 0 unless it is one of those that servers write.
func decodeReference(raw []byte) (c byte, size int) {
	// No reference is longer than &quot;, and size is 0 if there is no semicolon.
	size = bytes.IndexByte(raw[:min(len(raw), len("&quot;"))], ';') + 1
	switch string(raw[:size]) {
	case "&quot;", "&#34;":
		return '"', size
	case "&amp;", "&#38;":
		return '&', size
	case "&lt;", "&#60;":
		return '<', size
	case "&gt;", "&#62;":
		return '>', size
	case "&apos;", "&#39;":
		return '\'', size
	}
	return 0, 0
}

const space = " \t\r\n"

// trimSpace removes XML's white space from both ends.
func trimSpace(text []byte) []byte { return bytes.Trim(text, space) }
