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
	// maxDocument is larger than any list that S3 accepts: 1,000 keys, 10,000 parts.
	maxDocument = 4 << 20
	// smallDocument is the size up to which a document does not wait for others.
	smallDocument = 64 << 10
	// largeDocuments is the number of larger documents that are read and used at a time.
	// Documents of anonymous clients have a number of their own, so that clients without a key
	// cannot hold up the others.
	largeDocuments, anonymousDocuments = 4, 2
	// documentTimeout is how long a client may take to send a document, or a form up to its file.
	documentTimeout = 30 * time.Second
)

// enter waits for one of the places, for as long as one document may take. ServeHTTP calls leave.
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

// leave frees the places that the request has taken.
func (r *request) leave() {
	for _, places := range r.places {
		<-places
	}
	r.places = nil
}

// admitDocument waits while too many large documents are in use.
func admitDocument(r *request) error {
	defer func() { r.body.until = time.Now().Add(documentTimeout) }()
	switch {
	case len(r.places) > 0 || r.in.ContentLength >= 0 && r.in.ContentLength <= smallDocument:
		return nil
	case r.caller.anonymous:
		return enter(r, r.server.anonymousDocuments)
	}
	return enter(r, r.server.documents)
}

// readXML decodes the body into v and checks its digests. If v has a method Check, that refuses further
// documents.
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

// readVouched is like readXML, for a body that must have a digest or checksum.
func (r *request) readVouched(v any) error {
	if err := needDigest(r); err != nil {
		return err
	}
	return r.readXML(v)
}

// readDocument returns a small body.
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

// These constants bound the memory for documents in responses.
const (
	// listers is the number of listings that are made at a time. Each holds one page in memory,
	// and does not wait for its client.
	listers = 16
	// maxHeld bounds the bytes of all large documents that clients are reading.
	maxHeld = 64 << 20
	// smallAnswer is the size up to which a document is not counted.
	smallAnswer = 64 << 10
)

// answers counts the documents in responses.
type answers struct {
	listing chan struct{} // has one value for each listing in progress
	held    atomic.Int64  // bytes of large documents
	most    int64         // bytes that may be held
}

// listingOf limits how many listings are made at a time.
func listingOf(list handler) handler {
	return func(r *request) error {
		if err := enter(r, r.server.answers.listing); err != nil {
			return err
		}
		return list(r)
	}
}

// hold counts n bytes until release is called. It fails if the documents that clients are
// reading have too many already.
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

// writeXML returns 200 with v as an element with this name. While the client reads, writeXML holds
// only the document, and no place that limits other requests.
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

// sendDocument returns 200 with a document.
func (r *request) sendDocument(contentType string, document []byte) {
	r.w.Header().Set("Content-Type", contentType)
	r.w.WriteHeader(http.StatusOK)
	_, _ = r.w.Write(document)
}

func encodeXML(name string, v any) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	err := xml.NewEncoder(&b).EncodeElement(v, xml.StartElement{
		Name: xml.Name{Local: name}, Attr: []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: xmldoc.Namespace}},
	})
	return b.Bytes(), err
}

// asAPIError returns the S3 error for err, which is not nil.
func asAPIError(err error) *s3error.Error {
	e, _ := errors.AsType[*s3error.Error](driverstore.ErrorOf(err, "")) // which has one
	return e
}

// writeError returns e to the client. A response to HEAD, and a 304, have no body.
func (r *request) writeError(e *s3error.Error) {
	r.leave() // other requests need not wait until the client reads
	header := r.w.Header()
	maps.Copy(header, e.Header)
	if r.in.Method == http.MethodHead || e.Status == http.StatusNotModified {
		r.w.WriteHeader(e.Status)
		return
	}
	r.refuse(func() {
		head := xml.Header
		if e.Status == http.StatusOK {
			head += strings.Repeat(" ", 64) // keeps the connection alive while the parts are joined
		}
		document := append([]byte(head), errorElement(e, r)...)
		header.Set("Content-Type", "application/xml")
		header.Set("Content-Length", strconv.Itoa(len(document)))
		r.w.WriteHeader(e.Status)
		_, _ = r.w.Write(document)
	})
}

// errorElement returns the Error element of a response.
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
	element("Resource", r.in.URL.Path)
	element("RequestId", r.id)
	element("HostId", hostID)
	b.WriteString("</Error>")
	return b.Bytes()
}
