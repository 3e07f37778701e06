package operations

import (
	"net/http"

	"github.com/omnibucket/storage/s3server/internal/access"
	"github.com/omnibucket/storage/s3server/internal/headers"
	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// putObject stores an object. The store checks the condition together with the write, after the body has
// arrived, so that only one of several clients that create a key at the same time succeeds.
func putObject(r *request.Request) error {
	condition, err := headers.WriteCondition(r.HTTP.Header)
	if err != nil {
		return err
	}
	o, err := NewObject(r, r.HTTP.Header)
	if err != nil {
		return err
	}

	// Refuse as much as possible before the body is read.
	p, err := r.ExpectBody()
	if err != nil {
		return err
	}
	if err := requireChecksum(r, p, o.Lock, "Object"); err != nil {
		return err
	}
	b, err := r.OpenBody(p, r.Server.Limits.MaxPutSize)
	if err != nil {
		return err
	}

	v, versionID, err := r.Server.Store.Put(r.HTTP.Context(), writeOf(r, o, condition), b)
	if err != nil {
		return b.Cause(err)
	}

	setWriteHeaders(r, v, versionID)
	header := r.Writer.Header()
	header.Set("Etag", v.Object.ETag)
	v.Object.Sum.Write(header)
	return r.Done(http.StatusOK)
}

// NewObject returns the object that the headers of a write describe, without bytes. It fails if the
// bucket does not exist, or refuses the ACL or the lock.
func NewObject(r *request.Request, header http.Header) (*state.Object, error) {
	o := &state.Object{}
	var err error
	o.Lock, err = headers.Lock(header, r.Server.Now())
	if err != nil {
		return nil, err
	}
	b, err := r.Bucket()
	if err != nil {
		return nil, err
	}

	// With this ACL, the bucket's owner may become the owner of the object.
	o.Account = b.OwnerOfNew(r.Caller.Account, header.Get("X-Amz-Acl"))
	o.ACL, err = access.NewObjectACL(r.Server, header, o.Account, b)
	if err != nil {
		return nil, err
	}

	// Check the lock before the body is sent. LockNew also sets the bucket's default retention, which must begin only
	// when the object is stored, so call it with a copy.
	unstored := *o
	if err := b.LockNew(&unstored, r.Server.Now()); err != nil {
		return nil, err
	}

	o.Encryption, err = readEncryption(r, header, b)
	if err != nil {
		return nil, err
	}
	o.Properties, err = headers.Properties(header, r.Server.Limits.MaxMetadata)
	return o, err
}

func writeOf(r *request.Request, o *state.Object, c state.WriteCondition) *state.Write {
	return &state.Write{Bucket: r.Target.Bucket, Key: r.Target.Key, Object: *o, Condition: c}
}

// setWriteHeaders sets the headers of the response to a write, and prepares the event of the write.
func setWriteHeaders(r *request.Request, v *state.Version, versionID string) {
	setVersionIDHeader(r, versionID)
	v.Object.Encryption.Write(r.Writer.Header())
	setExpirationHeader(r, v)
	prepareEvent(r, v, versionID)
}

// setVersionIDHeader adds the header X-Amz-Version-Id to the response, unless versionID is "".
func setVersionIDHeader(r *request.Request, versionID string) {
	if versionID != "" {
		r.Writer.Header().Set("X-Amz-Version-Id", versionID)
	}
}
