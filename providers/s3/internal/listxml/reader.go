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
func readDocument(doc []byte, parse func(r reader) error) error {
	err := parse(reader{doc: doc})
	if err != errUnusual {
		return err
	}
	doc = bytes.TrimPrefix(doc, []byte("\ufeff"))
	return parse(reader{doc: doc, decoder: xml.NewDecoder(bytes.NewReader(doc))})
}

// openRoot opens the root element and returns its name.
func (r *reader) openRoot() ([]byte, error) {
	if r.decoder != nil {
		return r.decodeTag(nil)
	}
	rest := bytes.TrimPrefix(r.doc, []byte(`<?xml version="1.0" encoding="UTF-8"?>`))
	r.pos = len(r.doc) - len(bytes.TrimLeft(rest, space))
	return r.readStartTag()
}

// openChild opens the next element in the innermost open element and returns its local name. If
// there is none, it closes the innermost element and returns nil.
func (r *reader) openChild() ([]byte, error) {
	if r.decoder != nil { // the document is unusual, so encoding/xml reads it
		return r.decodeTag(nil)
	}
	if r.isSelfClosed { // an element <name/> without content
		r.close()
		return nil, nil
	}

	// Ignore the text before the next tag.
	if _, err := r.readText(); err != nil {
		return nil, err
	}
	if bytes.HasPrefix(r.doc[r.pos:], []byte("</")) {
		return nil, r.readEndTag()
	}
	return r.readStartTag()
}

// skipElement closes the innermost element without reading its content.
func (r *reader) skipElement() error {
	for depth := len(r.open) - 1; len(r.open) > depth; {
		if _, err := r.openChild(); err != nil {
			return err
		}
	}
	return nil
}

// readValue closes the innermost element and returns its text, or fails if there is an element
// inside. The caller may modify the text, which is valid until the next call.
func (r *reader) readValue() ([]byte, error) {
	if r.decoder != nil { // the document is unusual, so encoding/xml reads it
		return r.decodeValue()
	}
	if r.isSelfClosed {
		// An element without content was written as <name/>.
		r.close()
		return nil, nil
	}
	value, err := r.readText()
	if err != nil {
		return nil, err
	}
	return value, r.readEndTag()
}

// decodeValue is readValue with encoding/xml, for an unusual document.
func (r *reader) decodeValue() (value []byte, err error) {
	name, err := r.decodeTag(&value)
	isElement := name != nil // otherwise it is the end tag
	if isElement {
		err = errors.New("the page has an element instead of text")
	}
	return value, err
}

// decodeTag opens the next element and returns its name, like openChild, but with encoding/xml, for
// an unusual document. If text is not nil, decodeTag appends the characters before the tag to
// *text.
func (r *reader) decodeTag(text *[]byte) ([]byte, error) {
	for {
		token, err := r.decoder.Token()
		switch t := token.(type) {
		case xml.StartElement:
			if len(r.open) == maxDepth {
				return nil, errors.New("the page has too many nested elements")
			}
			// The name is needed only without encoding/xml, which checks the end tags itself.
			r.open = append(r.open, nil)
			return []byte(t.Name.Local), nil
		case xml.EndElement:
			r.close()
			return nil, nil
		case xml.CharData:
			// Outside the root, only white space is permitted.
			if len(r.open) == 0 && len(trimSpace(t)) > 0 {
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
func (r *reader) readStartTag() ([]byte, error) {
	name := r.readName("<")
	if name == nil || len(r.open) == maxDepth {
		return nil, errUnusual
	}

	// Skip the namespace, which only the root may have.
	rest := r.doc[r.pos:]
	if namespace, ok := bytes.CutPrefix(rest, []byte(` xmlns="`)); ok && len(r.open) == 0 {
		isUnusual := func(c rune) bool { return c <= ' ' || c > '~' || c == '<' || c == '&' }
		end := bytes.IndexByte(namespace, '"')
		if end < 0 || bytes.ContainsFunc(namespace[:end], isUnusual) {
			return nil, errUnusual
		}
		rest = namespace[end+1:]
	}

	r.isSelfClosed = bytes.HasPrefix(rest, []byte("/>"))
	switch {
	case r.isSelfClosed:
		rest = rest[len("/>"):]
	case bytes.HasPrefix(rest, []byte(">")):
		rest = rest[len(">"):]
	default:
		return nil, errUnusual
	}

	// The reader is now after the tag, whose element is open.
	r.pos = len(r.doc) - len(rest)
	r.open = append(r.open, name)
	return name, nil
}

// readEndTag reads the end tag of the innermost open element, and closes the element. It fails with
// errUnusual if there is another tag, after which encoding/xml reads the document.
func (r *reader) readEndTag() error {
	name := r.readName("</")
	if name == nil || !bytes.Equal(name, r.open[len(r.open)-1]) {
		return errUnusual
	}
	if !bytes.HasPrefix(r.doc[r.pos:], []byte(">")) {
		return errUnusual
	}
	r.pos += len(">")
	r.close()
	return nil
}

func (r *reader) close() {
	r.open = r.open[:len(r.open)-1]
	r.isSelfClosed = false
}

// readName reads the beginning of a tag and returns its name, or nil if no tag begins here. mark
// has the characters before the name, "<" or "</".
func (r *reader) readName(mark string) []byte {
	rest := r.doc[r.pos:]
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
	r.pos += len(mark) + n
	return rest[:n]
}

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// readText returns the decoded text before the next tag. The text is a part of the document, or a
// copy that is valid until the next call.
func (r *reader) readText() ([]byte, error) {
	end := bytes.IndexByte(r.doc[r.pos:], '<')
	if end < 0 {
		return nil, errUnusual
	}
	raw := r.doc[r.pos : r.pos+end]
	r.pos += end

	for i, c := range raw {
		if !isLiteral[c] { // such as "&"
			return r.decodeText(raw, i)
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
func (r *reader) decodeText(raw []byte, start int) ([]byte, error) {
	text := append(r.scratch[:0], raw[:start]...)
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
			var char rune
			char, size = utf8.DecodeRune(raw[i:])
			// Bytes that are no UTF-8 have the size 1. XML excludes the other two characters.
			isInvalid := size == 1
			isExcluded := char == 0xFFFE || char == 0xFFFF
			if isInvalid || isExcluded {
				return nil, errUnusual
			}
			text = append(text, raw[i:i+size]...)
		}
		i += size
	}
	r.scratch = text
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
