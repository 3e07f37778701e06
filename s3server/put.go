package s3server

import (
	"net/http"

	"github.com/omnibucket/storage/s3server/internal/headers"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// putObject stores an object. The store checks the condition after the body has arrived, and
// together with the write. If several clients create one key at the same time, exactly one
// succeeds.
func putObject(r *request) error {
	condition, err := headers.WriteCondition(r.in.Header)
	if err != nil {
		return err
	}
	o, err := newObject(r, r.in.Header)
	if err != nil {
		return err
	}
	p, err := r.expectBody()
	if err != nil {
		return err
	}
	if err := r.needChecksum(p, o.Lock, "Object"); err != nil {
		return err
	}
	b, err := r.openBody(p, r.server.limits.MaxPutSize)
	if err != nil {
		return err
	}
	v, versionID, err := r.server.store.Put(r.in.Context(), r.write(o, condition), b)
	if err != nil {
		return b.Blame(err)
	}
	written(r, v, versionID)
	header := r.w.Header()
	header.Set("Etag", v.Object.ETag)
	v.Object.Sum.Write(header)
	return r.done(http.StatusOK)
}

// newObject returns the object that the headers of a write describe, without bytes. It fails if the
// bucket does not exist, or if the bucket refuses the ACL or the lock.
func newObject(r *request, header http.Header) (*state.Object, error) {
	o := &state.Object{}
	var err error
	if o.Lock, err = headers.Lock(header, r.server.now()); err != nil {
		return nil, err
	}
	b, err := r.bucket()
	if err != nil {
		return nil, err
	}
	o.Account = b.OwnerOfNew(r.caller.account, header.Get("X-Amz-Acl"))
	if o.ACL, err = newObjectACL(r.server, header, o.Account, b); err != nil {
		return nil, err
	}
	checked := *o
	if err := b.LockNew(&checked, r.server.now()); err != nil {
		return nil, err
	}
	if o.Encryption, err = readEncryption(r, header, b); err != nil {
		return nil, err
	}
	o.Properties, err = headers.Properties(header, r.server.limits.MaxMetadata)
	return o, err
}

func (r *request) write(o *state.Object, c state.WriteCondition) *state.Write {
	return &state.Write{Bucket: r.target.bucket, Key: r.target.key, Object: *o, Condition: c}
}

// written adds the headers that a response to a write has. It also prepares the event of the write.
func written(r *request, v *state.Version, versionID string) {
	r.showID(versionID)
	v.Object.Encryption.Write(r.w.Header())
	showExpiration(r, v)
	r.note(v, versionID)
}

// showID adds the header X-Amz-Version-Id to the response, unless versionID is "".
func (r *request) showID(versionID string) {
	if versionID != "" {
		r.w.Header().Set("X-Amz-Version-Id", versionID)
	}
}
