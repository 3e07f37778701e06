// Package xmldoc reads and writes XML documents as S3 does. It writes control characters as
// references. encoding/xml would replace them. It refuses documents that would take much more
// memory than their size, and documents with elements that their type does not have.
package xmldoc

import (
	"bytes"
	"encoding/xml"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage/s3server/internal/s3error"
)

const Namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// A Text is a string that is encoded in XML as S3 does: a control character becomes a reference
// such as "&#x1;". XML 1.0 forbids such references, and some parsers refuse them. encoding/xml
// would replace the character.
type Text string

// MarshalXML encodes an element whose content is the text.
func (t Text) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	return e.EncodeElement(struct {
		Raw string `xml:",innerxml"`
	}{Escape(string(t))}, start)
}

// Escape escapes text for XML, with a reference for each control character as in a [Text].
func Escape(s string) string {
	var b strings.Builder
	for _, c := range s {
		switch {
		case c == '&':
			b.WriteString("&amp;")
		case c == '<':
			b.WriteString("&lt;")
		case c == '>':
			b.WriteString("&gt;")
		case c == '"':
			b.WriteString("&quot;")
		case c < 0x20:
			b.WriteString("&#x" + strconv.FormatInt(int64(c), 16) + ";")
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

// Parse decodes a document into v, a pointer to a struct. It fails with MalformedXML if v has no field
// for an element, or if an element occurs twice and its field is not a slice.
func Parse(document []byte, v any) error {
	if err := checkShape(document); err != nil {
		return err
	}
	decoder := xml.NewDecoder(bytes.NewReader(document))
	if xml.Unmarshal(document, v) != nil || checkElements(decoder, reflect.TypeOf(v).Elem()) != nil {
		return s3error.New("MalformedXML")
	}
	return checkEnd(decoder)
}

// checkEnd fails if the document is followed by anything but white space, comments and processing
// instructions.
func checkEnd(decoder *xml.Decoder) error {
	for {
		token, err := decoder.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return s3error.New("MalformedXML")
		}
		switch token := token.(type) {
		case xml.Comment, xml.ProcInst:
		case xml.CharData:
			if len(bytes.Trim(token, " \t\r\n")) > 0 {
				return s3error.New("MalformedXML")
			}
		default:
			return s3error.New("MalformedXML")
		}
	}
}

// Time returns a time as in S3's XML.
func Time(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// These constants limit the documents that Parse accepts.
const (
	maxElementTags = 200_000 // tags; a list of 10,000 parts has 80,000
	maxTagSize     = 8 << 10 // bytes from "<" to ">"
	maxXMLDepth    = 32
)

// checkShape fails if a document has too many tags, too long tags, or too deeply nested elements, so
// that decoding takes much more memory than its size. It also counts tags in comments and in CDATA,
// which no client of S3 sends.
func checkShape(document []byte) error {
	rest := document // the part of the document that is not checked yet
	depth := 0
	tagCount := 0
	for {
		start := bytes.IndexByte(rest, '<')
		if start < 0 {
			return nil
		}
		rest = rest[start:]
		end := bytes.IndexByte(rest[:min(len(rest), maxTagSize)], '>')
		isTooLong := end < 0
		if isTooLong || tagCount == maxElementTags {
			return s3error.New("MalformedXML")
		}

		tag := rest[:end+1]
		tagCount++
		depth += depthChange(tag)
		if depth > maxXMLDepth {
			return s3error.New("MalformedXML")
		}
		rest = rest[end:]
	}
}

// depthChange returns by how much a tag, from "<" to ">", changes the depth of the elements. It is 1 for the
// start of an element, and -1 for its end. Empty elements such as <a/>, and other tags, change nothing.
func depthChange(tag []byte) int {
	second := tag[1] // at least the ">"
	beforeLast := tag[len(tag)-2]
	switch {
	case second == '/':
		return -1
	case second == '?' || second == '!' || beforeLast == '/':
		return 0
	default:
		return 1
	}
}
