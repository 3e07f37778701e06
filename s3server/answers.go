package s3server

import (
	"bytes"
	"encoding/xml"
	"net/http"
	"sync/atomic"

	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// These bound the memory that documents in responses take.
const (
	// listers is the number of listings that are made at a time. Each is a page in memory, which
	// no client can hold up.
	listers = 16
	// maxHeld bounds the bytes of all large documents that clients are reading.
	maxHeld = 64 << 20
	// smallAnswer is the size of a document that is not counted.
	smallAnswer = 64 << 10
)

// answers counts the documents in responses.
type answers struct {
	listing chan struct{} // has one value for each listing that is being made
	held    atomic.Int64  // bytes of large documents
	most    int64         // that may be held
}

func newAnswers() answers { return answers{listing: make(chan struct{}, listers), most: maxHeld} }

// listingOf limits how many listings are made at a time.
func listingOf(list handler) handler {
	return func(r *request) error {
		select {
		case r.server.answers.listing <- struct{}{}:
			r.lists = true
		case <-r.Context().Done():
			return r.Context().Err()
		}
		defer leaveListing(r)
		return list(r)
	}
}

func leaveListing(r *request) {
	if r.lists {
		<-r.server.answers.listing
		r.lists = false
	}
}

// hold counts n bytes until release is called. It fails if clients read too many already.
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

// writeXML returns 200 with v. While the client reads, it holds only the document and none of what
// limits other requests.
func (r *request) writeXML(v any) error {
	document, err := encodeXML(v)
	if err != nil {
		return err
	}
	document = r.fault.replaceTags(document)
	release, err := r.server.answers.hold(cap(document))
	if err != nil {
		return err
	}
	defer release()
	leaveListing(r)
	r.leaveDocument()
	r.w.Header().Set("Content-Type", "application/xml")
	r.w.WriteHeader(http.StatusOK)
	r.send(document)
	return nil
}

func encodeXML(v any) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	err := xml.NewEncoder(&b).Encode(v)
	return b.Bytes(), err
}
