package request

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// These constants bound the memory for XML and JSON documents of requests.
const (
	// maxDocument is larger than the longest lists that S3 accepts: 1,000 keys or 10,000 parts.
	maxDocument = 4 << 20
	// SmallDocument is the size up to which a document is not counted as a large one.
	SmallDocument = 64 << 10
	// largeDocuments and AnonymousDocuments are the numbers of large documents that are handled at
	// a time. Anonymous clients have a number of their own, so that they cannot delay clients with
	// a key.
	largeDocuments, AnonymousDocuments = 4, 2
	// DocumentTimeout is the time that a client may take to send a document. For a form upload, it
	// is the time for the fields before the file.
	DocumentTimeout = 30 * time.Second
)

// takeSlot takes one of the slots that limit how many requests do something at the same time. If the channel
// slots is full, takeSlot waits, and fails with SlowDown after DocumentTimeout. releaseSlots frees the slot.
func takeSlot(r *Request, slots chan struct{}) error {
	select {
	case slots <- struct{}{}:
		r.slots = append(r.slots, slots)
		return nil
	case <-time.After(DocumentTimeout):
		return s3error.New("SlowDown")
	case <-r.HTTP.Context().Done():
		return r.HTTP.Context().Err()
	}
}

// releaseSlots frees all slots that the request has taken with takeSlot.
func (r *Request) releaseSlots() {
	for _, slots := range r.slots {
		<-slots
	}
	r.slots = nil
}

// admitDocument waits while too many large documents are in memory, and then sets the deadline of the
// body.
func admitDocument(r *Request) error {
	defer r.SetBodyDeadline()

	if len(r.slots) > 0 {
		// The request already has a slot.
		return nil
	}
	// A document of unknown length, -1, may be large.
	if r.HTTP.ContentLength >= 0 && r.HTTP.ContentLength <= SmallDocument {
		return nil
	}
	if r.Caller.Anonymous {
		return takeSlot(r, r.Server.Documents.Anonymous)
	}
	return takeSlot(r, r.Server.Documents.Received)
}

// SetBodyDeadline limits the time in which the client must send the rest of the body.
func (r *Request) SetBodyDeadline() { r.body.deadline = time.Now().Add(DocumentTimeout) }

// ClearBodyDeadline ends the limit that SetBodyDeadline has set.
func (r *Request) ClearBodyDeadline() { r.body.deadline = time.Time{} }

// ReadXML decodes the body into v, and checks the body's digests. If v has a method Check, ReadXML also
// fails if Check does.
func (r *Request) ReadXML(v any) error {
	document, err := r.ReadDocument()
	if err != nil {
		return err
	}
	if err := xmldoc.Parse(document, v); err != nil {
		return err
	}
	if checked, ok := v.(interface{ Check() error }); ok {
		return checked.Check()
	}
	return nil
}

// ReadXMLWithDigest is like ReadXML, but fails if the request has neither a digest nor a checksum of the body.
func (r *Request) ReadXMLWithDigest(v any) error {
	if err := NeedDigest(r); err != nil {
		return err
	}
	return r.ReadXML(v)
}

// ReadDocument reads the whole body, which may have at most maxDocument bytes, and checks its digests.
func (r *Request) ReadDocument() ([]byte, error) {
	if r.HTTP.ContentLength > maxDocument {
		return nil, TooLarge(r.HTTP.ContentLength, maxDocument)
	}
	if err := admitDocument(r); err != nil {
		return nil, err
	}

	p, err := r.ExpectBody()
	if err != nil {
		return nil, err
	}
	b, err := r.OpenBody(p, maxDocument)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(b)
}

// These constants bound the memory for XML documents in responses.
const (
	// Listers is the number of listings that are made at a time. Each of them holds one page in
	// memory. Sending a page to the client does not count.
	Listers = 16
	// maxHeld is the maximum sum of bytes of the large documents that are being sent.
	maxHeld = 64 << 20
	// smallAnswer is a size in bytes. Documents up to this size do not count toward maxHeld.
	smallAnswer = 64 << 10
)

// Documents limits the memory for the documents of all requests. Each of its channels has one value
// for each document or listing in progress.
type Documents struct {
	Received  chan struct{} // large documents of requests
	Anonymous chan struct{} // large documents of anonymous requests
	Listings  chan struct{}
	Reserved  atomic.Int64 // sum of the bytes of large documents that are being sent
	Limit     int64        // maximum sum of the bytes of large documents that are being sent
}

// NewDocuments returns the limits for the documents that a server has in memory, of which there are
// none yet.
func NewDocuments() *Documents {
	return &Documents{
		Received:  make(chan struct{}, largeDocuments),
		Anonymous: make(chan struct{}, AnonymousDocuments),
		Listings:  make(chan struct{}, Listers),
		Limit:     maxHeld,
	}
}

// EnterListing waits while too many listings are in progress.
func (r *Request) EnterListing() error { return takeSlot(r, r.Server.Documents.Listings) }

// reserve reserves memory for a document of n bytes until release is called. It fails with SlowDown if
// all documents together would exceed d.Limit. Small documents do not count.
func (d *Documents) reserve(n int) (release func(), err error) {
	if n <= smallAnswer {
		return func() {}, nil
	}

	if d.Reserved.Add(int64(n)) > d.Limit {
		d.Reserved.Add(-int64(n))
		return nil, s3error.New("SlowDown")
	}
	return func() {
		d.Reserved.Add(-int64(n))
	}, nil
}

// WriteXML responds with 200 and v as an XML element with this name. Before it sends the document, it frees the
// slots that the request has taken (see takeSlot), so that a slow client does not delay other requests.
func (r *Request) WriteXML(name string, v any) error {
	document, err := encodeXML(name, v)
	if err != nil {
		return err
	}
	// A fault may have another entity tag than the object.
	document = r.replaceTags(document)

	release, err := r.Server.Documents.reserve(cap(document))
	if err != nil {
		return err
	}
	defer release()

	r.releaseSlots()
	r.SendDocument("application/xml", document)
	return nil
}

// SendDocument responds with 200 and a document.
func (r *Request) SendDocument(contentType string, document []byte) {
	r.Writer.Header().Set("Content-Type", contentType)
	r.Writer.WriteHeader(http.StatusOK)
	_, _ = r.Writer.Write(document)
}

// encodeXML encodes v as an XML document whose root element has this name.
func encodeXML(name string, v any) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	err := xml.NewEncoder(&b).EncodeElement(v, xml.StartElement{
		Name: xml.Name{Local: name},
		Attr: []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: xmldoc.Namespace}},
	})
	return b.Bytes(), err
}

// WriteError responds with the error err. A 304 and a response to HEAD have no body, but like S3's the
// latter has the media type that the document would have.
func (r *Request) WriteError(err *s3error.Error) {
	// A slow client must not delay other requests.
	r.releaseSlots()

	header := r.Writer.Header()
	maps.Copy(header, err.Header)
	if err.Status == http.StatusNotModified {
		r.Writer.WriteHeader(err.Status)
		return
	}

	header.Set("Content-Type", "application/xml")
	if r.HTTP.Method == http.MethodHead {
		r.Writer.WriteHeader(err.Status)
		return
	}

	r.Refuse(func() { r.writeErrorDocument(err) })
}

// writeErrorDocument sends the status and the XML document of an error. It ignores a failure, which means that the
// client has disconnected.
func (r *Request) writeErrorDocument(err *s3error.Error) {
	head := xml.Header
	if err.Status == http.StatusOK {
		// As on S3, an error after a 200 follows the spaces that keep the connection alive while S3 joins parts.
		head += strings.Repeat(" ", 64)
	}
	document := append([]byte(head), errorElement(err, r)...)
	r.Writer.Header().Set("Content-Length", strconv.Itoa(len(document)))
	r.Writer.WriteHeader(err.Status)
	_, _ = r.Writer.Write(document)
}

// errorElement returns the XML element Error of a response. The fields of err, which are names and values, become
// elements, too.
func errorElement(err *s3error.Error, r *Request) []byte {
	var b bytes.Buffer
	// In an element, a quotation mark needs no escape.
	element := func(name, value string) {
		fmt.Fprintf(&b, "<%s>%s</%s>", name, strings.ReplaceAll(xmldoc.Escape(value), "&quot;", `"`), name)
	}

	b.WriteString("<Error>")
	element("Code", err.Code)
	element("Message", err.Message)
	for i := 0; i+1 < len(err.Fields); i += 2 {
		element(err.Fields[i], err.Fields[i+1])
	}
	element("RequestId", r.ID)
	element("HostId", s3error.HostID)
	b.WriteString("</Error>")
	return b.Bytes()
}
