package s3server

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage/s3server/internal/driverstore"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// These constants bound the memory for XML and JSON documents of requests.
const (
	// maxDocument is larger than the longest lists that S3 accepts: 1,000 keys or 10,000 parts.
	maxDocument = 4 << 20
	// smallDocument is the size up to which a document is not counted as a large one.
	smallDocument = 64 << 10
	// largeDocuments and anonymousDocuments are the numbers of large documents that are handled at
	// a time. Anonymous clients have a number of their own, so that they cannot delay clients with
	// a key.
	largeDocuments, anonymousDocuments = 4, 2
	// documentTimeout is the time that a client may take to send a document. For a form upload, it
	// is the time for the fields before the file.
	documentTimeout = 30 * time.Second
)

// enter takes a place in a channel, which limits the number of requests that do something at the
// same time. If the channel is full, enter waits for a place. After documentTimeout, it fails with
// SlowDown. ServeHTTP frees the place.
func enter(r *request, places chan struct{}) error {
	select {
	case places <- struct{}{}:
		r.places = append(r.places, places)
		return nil
	case <-time.After(documentTimeout):
		return s3error.New("SlowDown")
	case <-r.in.Context().Done():
		return r.in.Context().Err()
	}
}

// leave frees all places that the request has taken with enter.
func (r *request) leave() {
	for _, places := range r.places {
		<-places
	}
	r.places = nil
}

// admitDocument waits while too many large documents are in memory.
func admitDocument(r *request) error {
	defer func() {
		r.body.until = time.Now().Add(documentTimeout)
	}()
	if len(r.places) > 0 || r.in.ContentLength >= 0 && r.in.ContentLength <= smallDocument {
		return nil
	}
	if r.caller.anonymous {
		return enter(r, r.server.anonymousDocuments)
	}
	return enter(r, r.server.documents)
}

// readXML decodes the body into v and checks the body's digests. If v has a method Check, readXML
// returns its error.
func (r *request) readXML(v any) error {
	document, err := r.readDocument()
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

// readVouched is like readXML, but the request must have a digest or a checksum of the body.
func (r *request) readVouched(v any) error {
	if err := needDigest(r); err != nil {
		return err
	}
	return r.readXML(v)
}

// readDocument reads the whole body, which may have maxDocument bytes, and checks its digests.
func (r *request) readDocument() ([]byte, error) {
	if r.in.ContentLength > maxDocument {
		return nil, tooLarge(r.in.ContentLength, maxDocument)
	}
	if err := admitDocument(r); err != nil {
		return nil, err
	}
	p, err := r.expectBody()
	if err != nil {
		return nil, err
	}
	b, err := r.openBody(p, maxDocument)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(b)
}

// These constants bound the memory for XML documents in responses.
const (
	// listers is the number of listings that are made at a time. Each of them holds one page in
	// memory. Sending a page to the client does not count.
	listers = 16
	// maxHeld is the maximum sum of bytes of the large documents that are being sent.
	maxHeld = 64 << 20
	// smallAnswer is a size in bytes. Documents up to this size do not count toward maxHeld.
	smallAnswer = 64 << 10
)

// answers limits the memory for documents in responses.
type answers struct {
	listing chan struct{} // has one value for each listing in progress
	held    atomic.Int64  // sum of the bytes of large documents that are being sent
	most    int64         // maximum sum of the bytes of large documents that are being sent
}

// listingOf limits the number of concurrent calls of list. Further requests wait.
func listingOf(list handler) handler {
	return func(r *request) error {
		if err := enter(r, r.server.answers.listing); err != nil {
			return err
		}
		return list(r)
	}
}

// hold reserves memory for a document of n bytes until release is called. It fails with SlowDown if
// the sum of all reserved bytes would exceed a.most. It ignores small documents.
func (a *answers) hold(n int) (release func(), err error) {
	if n <= smallAnswer {
		return func() {}, nil
	}
	if a.held.Add(int64(n)) > a.most {
		a.held.Add(-int64(n))
		return nil, s3error.New("SlowDown")
	}
	return func() { a.held.Add(-int64(n)) }, nil
}

// writeXML responds with 200 and v as an XML element with this name. The server limits how many
// requests are handled at once. The request stops counting toward these limits before the document
// is sent, so that a slow client does not delay other requests.
func (r *request) writeXML(name string, v any) error {
	document, err := encodeXML(name, v)
	if err != nil {
		return err
	}
	document = r.fault.replaceTags(document)
	release, err := r.server.answers.hold(cap(document))
	if err != nil {
		return err
	}
	defer release()
	r.leave()
	r.sendDocument("application/xml", document)
	return nil
}

// sendDocument responds with 200 and a document.
func (r *request) sendDocument(contentType string, document []byte) {
	r.w.Header().Set("Content-Type", contentType)
	r.w.WriteHeader(http.StatusOK)
	_, _ = r.w.Write(document)
}

func encodeXML(name string, v any) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	err := xml.NewEncoder(&b).EncodeElement(v, xml.StartElement{
		Name: xml.Name{Local: name},
		Attr: []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: xmldoc.Namespace}},
	})
	return b.Bytes(), err
}

// asAPIError converts err to an S3 error. err must not be nil.
func asAPIError(err error) *s3error.Error {
	e, _ := errors.AsType[*s3error.Error](driverstore.ErrorOf(err, "")) // ErrorOf always returns an S3 error
	return e
}

// writeError responds with the error e. Responses to HEAD and responses with status 304 have no
// body. Like S3's, a response to HEAD has the media type that the document would have.
func (r *request) writeError(e *s3error.Error) {
	r.leave() // a slow client must not delay other requests
	header := r.w.Header()
	maps.Copy(header, e.Header)
	if e.Status == http.StatusNotModified {
		r.w.WriteHeader(e.Status)
		return
	}
	header.Set("Content-Type", "application/xml")
	if r.in.Method == http.MethodHead {
		r.w.WriteHeader(e.Status)
		return
	}
	r.refuse(func() {
		head := xml.Header
		if e.Status == http.StatusOK {
			head += strings.Repeat(" ", 64) // S3 sends spaces to keep the connection alive while it joins parts
		}
		document := append([]byte(head), errorElement(e, r)...)
		header.Set("Content-Length", strconv.Itoa(len(document)))
		r.w.WriteHeader(e.Status)
		_, _ = r.w.Write(document)
	})
}

// errorElement returns the XML element Error of a response.
func errorElement(e *s3error.Error, r *request) []byte {
	var b bytes.Buffer
	element := func(name, value string) {
		fmt.Fprintf(&b, "<%s>%s</%s>", name, strings.ReplaceAll(xmldoc.Escape(value), "&quot;", `"`), name)
	}
	b.WriteString("<Error>")
	element("Code", e.Code)
	element("Message", e.Message)
	for i := 0; i+1 < len(e.Fields); i += 2 {
		element(e.Fields[i], e.Fields[i+1])
	}
	element("RequestId", r.id)
	element("HostId", hostID)
	b.WriteString("</Error>")
	return b.Bytes()
}
