// Package completed keeps the results of the latest completed multipart uploads. Its main type is
// [Uploads].
package completed

import (
	"crypto/sha256"
	"net/http"
	"sync"

	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/keylock"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// maxUploads is the number of completed uploads whose results a server keeps.
const maxUploads = 1000

// Uploads keeps the results of the latest completed uploads. If a client has lost the
// response, it repeats CompleteMultipartUpload. S3 then returns the first result, even if the
// object has been replaced or removed in the meantime.
type Uploads struct {
	Active keylock.Locks // locks by id; held while an upload is being completed

	mu   sync.Mutex
	byID map[string]*Upload
	ids  []string // oldest first
}

// New returns an empty list.
func New() *Uploads {
	return &Uploads{byID: map[string]*Upload{}}
}

// An Upload is a completed upload with the response that the client got.
type Upload struct {
	Bucket, Key string
	Parts       [sha256.Size]byte // fingerprint of the parts in the request
	Header      http.Header       // headers of the response
	Result      Result
}

// Add stores the result of an upload, and drops the oldest result if there are too many.
func (f *Uploads) Add(id string, u *Upload) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.byID[id] = u
	f.ids = append(f.ids, id)
	if len(f.ids) > maxUploads {
		delete(f.byID, f.ids[0])
		f.ids = f.ids[1:]
	}
}

// Find returns the result of a completed upload, or nil if the server has not kept it. It fails with NoSuchUpload if
// the upload was for another key, or was completed with other parts. parts is the fingerprint of the parts.
func (f *Uploads) Find(bucket, key, id string, parts [sha256.Size]byte) (*Upload, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := f.byID[id]
	if u != nil && (u.Bucket != bucket || u.Key != key || u.Parts != parts) {
		return nil, state.NoUpload(id)
	}
	return u, nil
}

// Forget drops the results of all uploads to a bucket that is deleted.
func (f *Uploads) Forget(bucket string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, u := range f.byID {
		if u.Bucket == bucket {
			delete(f.byID, id) // f.ids still has the id; the method Add may delete it again later, without harm
		}
	}
}

// A Result is the XML response of CompleteMultipartUpload.
type Result struct {
	Location xmldoc.Text
	Bucket   string
	Key      xmldoc.Text
	ETag     string
	checksum.Elements
	ChecksumType string `xml:",omitempty"`
}
