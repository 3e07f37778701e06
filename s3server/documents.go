package s3server

import (
	"bytes"
	"time"

	"github.com/omnibucket/storage/s3server/internal/s3error"
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

	maxElementTags = 200_000 // a list of 10,000 parts has 80,000
	maxTagSize     = 8 << 10 // from "<" to ">"
	maxXMLDepth    = 32
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

// checkShape refuses XML that would take much more memory than its size: too many or too large
// tags, or tags in tags. It sees a tag in a comment or in CDATA too, which no client of S3 sends.
func checkShape(document []byte) error {
	depth, tags := 0, 0
	for {
		from := bytes.IndexByte(document, '<')
		if from < 0 {
			return nil
		}
		document = document[from:]
		to := bytes.IndexByte(document[:min(len(document), maxTagSize)], '>')
		if tags++; to < 0 || tags > maxElementTags {
			return s3error.New("MalformedXML")
		}
		switch {
		case document[1] == '/':
			depth--
		case document[1] != '?' && document[1] != '!' && document[to-1] != '/':
			depth++
		}
		if depth > maxXMLDepth {
			return s3error.New("MalformedXML")
		}
		document = document[to:]
	}
}
