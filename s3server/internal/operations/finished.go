package operations

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http"
	"strings"

	"github.com/omnibucket/storage/s3server/internal/completed"
	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// fingerprint returns a hash of the numbers and entity tags of the parts in a completion, by which a
// repeated completion is recognized.
func (c *completion) fingerprint() (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, p := range c.parts {
		_, _ = fmt.Fprintf(h, "%d %q\n", *p.PartNumber, strings.Trim(p.ETag, `"`))
	}
	h.Sum(sum[:0])
	return sum
}

// finishedObject returns the result of a completed upload. It reads the result from the object that
// the upload made. The server calls finishedObject if it has no result in memory, for example
// after a restart. If the upload did not make the current object, finishedObject fails with
// NoSuchUpload.
func finishedObject(r *request.Request, c *completion, id string) (*completed.Upload, error) {
	v, versionID, err := r.Find(state.VersionName{Bucket: r.Target.Bucket, Key: r.Target.Key})
	defer r.Server.Store.Release(v)
	if s3error.Is(err, "NoSuchKey") {
		return nil, state.NoUpload(id)
	}
	if err != nil { // it is unknown whether the object exists
		return nil, err
	}
	if id == "" || v.Object.Upload != id || !mayHaveParts(&v.Object, c) {
		return nil, state.NoUpload(id)
	}

	setVersionIDHeader(r, versionID)
	v.Object.Encryption.Write(r.Writer.Header())
	showExpiration(r, v)
	return &completed.Upload{Result: completeResultOf(r, v), Header: finishedHeader(r)}, nil
}

// mayHaveParts reports whether an object may consist of the parts in a completion, judging by the number
// of its parts and its entity tag.
func mayHaveParts(o *state.Object, c *completion) bool {
	if o.Parts == nil {
		return true // an object behind a gateway may have no list of parts
	}
	if len(o.Parts) != len(c.parts) {
		return false
	}
	tag := c.tag()

	hasPlainTag := o.Encryption.Tag(tag) == tag
	return !hasPlainTag || tag == o.ETag
}

// finishedHeader returns the headers of the response that describe the object. If the client
// repeats the request, the server sends these headers again.
func finishedHeader(r *request.Request) http.Header {
	header := http.Header{}
	for name, values := range r.Writer.Header() {
		if strings.HasPrefix(name, "X-Amz-") && name != "X-Amz-Request-Id" && name != "X-Amz-Id-2" {
			header[name] = values
		}
	}
	return header
}

// writeFinished responds with the result of a completed upload.
func writeFinished(r *request.Request, u *completed.Upload) error {
	maps.Copy(r.Writer.Header(), u.Header)
	return r.WriteXML("CompleteMultipartUploadResult", u.Result)
}
