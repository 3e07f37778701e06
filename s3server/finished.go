package s3server

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"

	"github.com/omnibucket/storage/s3server/internal/keylock"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// maxFinished is the number of completed uploads that a server remembers.
const maxFinished = 1000

// finishedUploads are the latest uploads that were completed. A client whose response was lost
// sends CompleteMultipartUpload again, and S3 returns the same result, also if the object has been
// replaced or removed meanwhile.
type finishedUploads struct {
	active keylock.Locks // locks of the uploads that are being completed

	mu   sync.Mutex
	byID map[string]*finishedUpload
	ids  []string // oldest first
}

func newFinishedUploads() *finishedUploads {
	return &finishedUploads{byID: map[string]*finishedUpload{}}
}

type finishedUpload struct {
	bucket, key string
	parts       [sha256.Size]byte // hash of the parts in the request
	header      http.Header       // headers of the response
	result      completeResult
}

// fingerprint identifies the parts of a completion.
func (c *completion) fingerprint() (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, p := range c.parts {
		_, _ = fmt.Fprintf(h, "%d %q\n", *p.PartNumber, strings.Trim(p.ETag, `"`))
	}
	h.Sum(sum[:0])
	return sum
}

// add remembers an upload and forgets the oldest.
func (f *finishedUploads) add(id string, u *finishedUpload) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.byID[id] = u
	f.ids = append(f.ids, id)
	if len(f.ids) > maxFinished {
		delete(f.byID, f.ids[0])
		f.ids = f.ids[1:]
	}
}

// find returns the upload, or nil if it is not known. It fails with NoSuchUpload if the upload was
// completed with other parts.
func (f *finishedUploads) find(bucket, key, id string, parts [sha256.Size]byte) (*finishedUpload, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := f.byID[id]
	if u != nil && (u.bucket != bucket || u.key != key || u.parts != parts) {
		return nil, state.NoUpload(id)
	}
	return u, nil
}

// forget forgets the uploads of a bucket that is deleted.
func (f *finishedUploads) forget(bucket string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, u := range f.byID {
		if u.bucket == bucket {
			delete(f.byID, id) // its place in ids stays
		}
	}
}

// finishedObject returns the upload that made the current object, if the store knows its id: the upload may
// have been completed before the server was restarted. If the upload has not made it, the error is
// NoSuchUpload.
func finishedObject(r *request, c *completion, id string) (*finishedUpload, error) {
	v, shown, err := r.find(state.VersionName{Bucket: r.target.bucket, Key: r.target.key})
	defer r.server.store.Release(v)
	switch {
	case s3error.Is(err, "NoSuchKey"):
		return nil, state.NoUpload(id)
	case err != nil: // the store does not report whether there is an object
		return nil, err
	case id == "" || v.Object.Upload != id || v.Object.Parts != nil && len(v.Object.Parts) != len(c.parts): // a gateway keeps no parts
		return nil, state.NoUpload(id)
	}
	if tag := c.tag(); v.Object.Parts != nil && v.Object.Encryption.Tag(tag) == tag && tag != v.Object.ETag {
		return nil, state.NoUpload(id) // it was completed with other parts
	}
	r.showID(shown)
	v.Object.Encryption.Write(r.w.Header())
	showExpiration(r, v)
	return &finishedUpload{result: completeResultOf(r, v), header: finishedHeader(r)}, nil
}

// finishedHeader returns the headers of the response that tell about the object.
func finishedHeader(r *request) http.Header {
	header := http.Header{}
	for name, values := range r.w.Header() {
		if strings.HasPrefix(name, "X-Amz-") && name != "X-Amz-Request-Id" && name != "X-Amz-Id-2" {
			header[name] = values
		}
	}
	return header
}

// writeFinished returns the result of a completed upload.
func writeFinished(r *request, u *finishedUpload) error {
	maps.Copy(r.w.Header(), u.header)
	return r.writeXML("CompleteMultipartUploadResult", u.result)
}
