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

// maxFinished is the number of completed uploads whose results a server keeps.
const maxFinished = 1000

// finishedUploads keeps the results of the latest completed uploads. If a client has lost the
// response, it repeats CompleteMultipartUpload. S3 then returns the first result, even if the
// object has been replaced or removed in the meantime.
type finishedUploads struct {
	active keylock.Locks // locks by id; held while an upload is being completed

	mu   sync.Mutex
	byID map[string]*finishedUpload
	ids  []string // oldest first
}

func newFinishedUploads() *finishedUploads {
	return &finishedUploads{byID: map[string]*finishedUpload{}}
}

type finishedUpload struct {
	bucket, key string
	parts       [sha256.Size]byte // fingerprint of the parts in the request
	header      http.Header       // headers of the response
	result      completeResult
}

// fingerprint returns a hash of the numbers and entity tags of the parts in a completion. A
// repeated completion has the same fingerprint.
func (c *completion) fingerprint() (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, p := range c.parts {
		_, _ = fmt.Fprintf(h, "%d %q\n", *p.PartNumber, strings.Trim(p.ETag, `"`))
	}
	h.Sum(sum[:0])
	return sum
}

// add stores the result of an upload, and drops the oldest result if there are too many.
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

// find returns the result of a completed upload, or nil if the server has not kept it. It fails
// with NoSuchUpload if the upload was completed with other parts, or for another key.
func (f *finishedUploads) find(bucket, key, id string, parts [sha256.Size]byte) (*finishedUpload, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := f.byID[id]
	if u != nil && (u.bucket != bucket || u.key != key || u.parts != parts) {
		return nil, state.NoUpload(id)
	}
	return u, nil
}

// forget drops the results of all uploads to a bucket. It is called when the bucket is deleted.
func (f *finishedUploads) forget(bucket string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, u := range f.byID {
		if u.bucket == bucket {
			delete(f.byID, id) // f.ids still has the id; the method add may delete it again later, without harm
		}
	}
}

// finishedObject returns the result of a completed upload. It reads the result from the object that
// the upload made. The server calls finishedObject if it has no result in memory, for example
// after a restart. If the upload did not make the current object, finishedObject fails with
// NoSuchUpload.
func finishedObject(r *request, c *completion, id string) (*finishedUpload, error) {
	v, versionID, err := r.find(state.VersionName{Bucket: r.target.bucket, Key: r.target.key})
	defer r.server.store.Release(v)
	if s3error.Is(err, "NoSuchKey") {
		return nil, state.NoUpload(id)
	}
	if err != nil { // it is unknown whether the object exists
		return nil, err
	}
	// An object behind a gateway may have no list of parts, so its Parts may be nil.
	if id == "" || v.Object.Upload != id || v.Object.Parts != nil && len(v.Object.Parts) != len(c.parts) {
		return nil, state.NoUpload(id)
	}
	if tag := c.tag(); v.Object.Parts != nil && v.Object.Encryption.Tag(tag) == tag && tag != v.Object.ETag {
		return nil, state.NoUpload(id) // the upload was completed with other parts
	}
	r.showID(versionID)
	v.Object.Encryption.Write(r.w.Header())
	showExpiration(r, v)
	return &finishedUpload{result: completeResultOf(r, v), header: finishedHeader(r)}, nil
}

// finishedHeader returns the headers of the response that describe the object. If the client
// repeats the request, the server sends these headers again.
func finishedHeader(r *request) http.Header {
	header := http.Header{}
	for name, values := range r.w.Header() {
		if strings.HasPrefix(name, "X-Amz-") && name != "X-Amz-Request-Id" && name != "X-Amz-Id-2" {
			header[name] = values
		}
	}
	return header
}

// writeFinished responds with the result of a completed upload.
func writeFinished(r *request, u *finishedUpload) error {
	maps.Copy(r.w.Header(), u.header)
	return r.writeXML("CompleteMultipartUploadResult", u.result)
}
