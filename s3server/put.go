package s3server

import (
	"encoding/hex"
	"net/http"

	"github.com/omnibucket/storage/s3server/internal/checksum"
)

// putObject stores a body. It checks the condition under a lock, after the body has
// come, so that one of many creators wins.
func putObject(r *request) error {
	condition, err := writeConditionOf(r.Header)
	if err != nil {
		return err
	}
	o, err := newObject(r, r.Header)
	if err != nil {
		return err
	}
	p, err := r.expectBody()
	if err != nil {
		return err
	}
	if err := r.needChecksum(p, o.lock, "Object"); err != nil {
		return err
	}
	v, err := put(r, o, p, condition)
	if err != nil {
		return err
	}
	header := r.w.Header()
	header.Set("Etag", v.object.etag)
	v.object.sum.Write(header)
	return r.done(http.StatusOK)
}

// newObject returns an object without bytes. It fails if there is no bucket, or if the
// bucket refuses the access control list or the lock.
func newObject(r *request, header http.Header) (*object, error) {
	o, err := &object{}, error(nil)
	if o.lock, err = readLock(r.server, header); err != nil {
		return nil, err
	}
	var rule *encryptionRule
	err = r.view(func(b *bucket) error {
		rule = b.encryption
		o.account = b.ownerOfNew(r.caller.account, header.Get("X-Amz-Acl"))
		var err error
		if o.acl, err = newObjectACL(r.server, header, o.account, b); err != nil {
			return err
		}
		checked := *o
		return b.lockNew(&checked, r.server.now())
	})
	if err != nil {
		return nil, err
	}
	if o.encryption, err = readEncryption(r, header, rule); err != nil {
		return nil, err
	}
	o.properties, err = readProperties(r.server, header)
	return o, err
}

// setContent sets what depends on the bytes of the object.
func (o *object) setContent(d *checksum.Digest) {
	o.etag = o.encryption.tag(`"` + hex.EncodeToString(d.MD5.Sum(nil)) + `"`)
	o.size, o.sum = d.Size, d.Sum()
}

// put makes an object of the request's body. The condition is checked after the body has come.
func put(r *request, o *object, p *expectedBody, c writeCondition) (*version, error) {
	b, err := r.openBody(p, r.server.limits.MaxPutSize)
	if err != nil {
		return nil, err
	}
	v, shown, err := r.server.store.put(r.Context(), r.write(o, c), b)
	if err != nil {
		return nil, b.blame(err)
	}
	return written(r, v, shown), nil
}

func (r *request) write(o *object, c writeCondition) *write {
	return &write{bucket: r.target.bucket, key: r.target.key, object: *o, condition: c}
}

// written adds the headers that all responses to a write have.
func written(r *request, v *version, shown string) *version {
	r.showID(shown)
	v.object.encryption.write(r.w.Header())
	showExpiration(r, v)
	r.note(v, shown)
	return v
}

// showID adds the id of a version to the response, if the bucket has ever kept versions.
func (r *request) showID(shown string) {
	if shown != "" {
		r.w.Header().Set("X-Amz-Version-Id", shown)
	}
}
