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

// resultFromObject returns the result of a completed upload from the current object of its key, for a client that
// repeats the completion. It is for results that the server has no longer in memory, such as after a restart. It fails
// with NoSuchUpload if the upload did not make the object.
func resultFromObject(r *request.Request, c *completion, id string) (*completed.Upload, error) {
	v, versionID, err := r.Find(state.VersionName{Bucket: r.Target.Bucket, Key: r.Target.Key})
	// Find may return a version together with an error, so release it in any case.
	defer r.Server.Store.Release(v)
	if s3error.Is(err, "NoSuchKey") {
		return nil, state.NoUpload(id)
	}
	if err != nil {
		return nil, err
	}

	// The upload of an object is "" if another write made it.
	isOfUpload := id != "" && v.Object.Upload == id
	if !isOfUpload || !mayHaveParts(&v.Object, c) {
		return nil, state.NoUpload(id)
	}

	setVersionIDHeader(r, versionID)
	v.Object.Encryption.Write(r.Writer.Header())
	setExpirationHeader(r, v)
	return &completed.Upload{Result: completeResultOf(r, v), Header: objectHeadersOf(r)}, nil
}

// mayHaveParts reports whether an object may consist of the parts in a completion, judging by the number
// of its parts and its entity tag.
func mayHaveParts(o *state.Object, c *completion) bool {
	if o.Parts == nil {
		// An object behind a gateway may have no list of parts.
		return true
	}
	if len(o.Parts) != len(c.parts) {
		return false
	}

	// With KMS or a customer's key, the object's tag is random and proves nothing.
	tag := c.tag()
	isComparable := o.Encryption.Tag(tag) == tag
	return !isComparable || tag == o.ETag
}

// objectHeadersOf returns the headers of the response that describe the object. The server sends them again if
// the client repeats the request.
func objectHeadersOf(r *request.Request) http.Header {
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
