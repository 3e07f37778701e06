package s3server

import (
	"bytes"
	"encoding/xml"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage/s3server/internal/s3error"
)

const namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// text is encoded as S3 does it: a control character is written as a reference, which
// XML 1.0 forbids and parsers refuse. encoding/xml would replace it.
type text string

// MarshalXML writes an element with the text.
func (t text) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	return e.EncodeElement(struct {
		Raw string `xml:",innerxml"`
	}{escape(string(t))}, start)
}

func escape(s string) string {
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

// readXML decodes the body into v and checks its digests.
func (r *request) readXML(v any) error {
	document, err := r.readDocument()
	if err != nil {
		return err
	}
	return parseXML(document, v)
}

// readDocument returns a small body.
func (r *request) readDocument() ([]byte, error) {
	if r.ContentLength > maxDocument {
		return nil, tooLarge(r.ContentLength, maxDocument)
	}
	if err := admitDocument(r); err != nil {
		return nil, err
	}
	var document []byte
	_, err := receive(r, maxDocument, func(body io.Reader) (err error) {
		document, err = io.ReadAll(body)
		return err
	})
	return document, err
}

func parseXML(document []byte, v any) error {
	if err := checkShape(document); err != nil {
		return err
	}
	decoder := xml.NewDecoder(bytes.NewReader(document))
	if err := decoder.Decode(v); err != nil {
		return s3error.New("MalformedXML")
	}
	return checkEnd(decoder)
}

// checkEnd refuses anything after a document but what XML allows there: white space, comments and
// processing instructions.
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

// unknownElements are the elements that a document has and its type has not, which S3 refuses as
// MalformedXML.
type unknownElements []struct{ XMLName xml.Name }

// isoTime returns a time as in S3's XML.
func isoTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
