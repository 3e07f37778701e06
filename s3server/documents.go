package s3server

import (
	"io"
	"time"

	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// These bound the memory that XML and JSON documents of requests take.
const (
	// maxDocument is larger than any list that S3 accepts: 1,000 keys, 10,000 parts.
	maxDocument = 4 << 20
	// smallDocument is the size of a document that waits for no other.
	smallDocument = 64 << 10
	// largeDocuments is the number of larger documents that are read and used at a time.
	// Those of anonymous clients have a number of their own, so that nobody without a key can
	// hold up the others.
	largeDocuments, anonymousDocuments = 4, 2
	// documentTimeout is how long a client may take to send a document.
	documentTimeout = 30 * time.Second
)

// admitDocument waits while too many large documents are in use. ServeHTTP calls leaveDocument.
func admitDocument(r *request) error {
	defer func() { r.body.until = time.Now().Add(documentTimeout) }()
	if r.slot != nil || r.ContentLength >= 0 && r.ContentLength <= smallDocument {
		return nil
	}
	slots := r.server.documents
	if r.caller.anonymous {
		slots = r.server.anonymousDocuments
	}
	select {
	case slots <- struct{}{}:
		r.slot = slots
		return nil
	case <-r.Context().Done():
		return r.Context().Err()
	}
}

func (r *request) leaveDocument() {
	if r.slot != nil {
		<-r.slot
		r.slot = nil
	}
}

// readXML decodes the body into v and checks its digests.
func (r *request) readXML(v any) error {
	document, err := r.readDocument()
	if err != nil {
		return err
	}
	return xmldoc.Parse(document, v)
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
