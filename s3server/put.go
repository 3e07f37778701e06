package s3server

import (
	"encoding/hex"
	"net/http"
)

// putObject stores a body. It checks the condition under a lock, after the body has
// come, so that one of many creators wins.
func (r *request) putObject() error {
	condition, err := writeConditionOf(r.Header)
	if err != nil {
		return err
	}
	o, err := r.newObject(r.Header)
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
	stored, d, err := r.store(p, r.server.limits.MaxPutSize)
	if err != nil {
		return err
	}
	o.setContent(stored, d)
	v, err := r.commit(o, condition)
	if err != nil {
		return err
	}
	header := r.w.Header()
	header.Set("Etag", v.etag)
	v.sum.write(header)
	return r.done(http.StatusOK)
}

// newObject returns an object without bytes. It fails if there is no bucket, or if the
// bucket refuses the access control list or the lock.
func (r *request) newObject(header http.Header) (*object, error) {
	o, err := &object{}, error(nil)
	if o.lock, err = r.server.readLock(header); err != nil {
		return nil, err
	}
	err = r.view(func(b *bucket) error {
		o.account = b.ownerOfNew(r.caller.account, header.Get("X-Amz-Acl"))
		var err error
		if o.acl, err = r.server.newObjectACL(header, o.account, b); err != nil {
			return err
		}
		checked := *o
		return b.lockNew(&checked, r.server.now())
	})
	if err != nil {
		return nil, err
	}
	if o.encryption, err = r.readEncryption(header); err != nil {
		return nil, err
	}
	o.properties, err = r.server.readProperties(header)
	return o, err
}

// setContent sets the bytes of the object.
func (o *object) setContent(stored piece, d *digest) {
	o.etag = o.encryption.tag(`"` + hex.EncodeToString(d.md5.Sum(nil)) + `"`)
	o.size, o.pieces, o.sum = d.size, []piece{stored}, d.checksum()
}

// commit makes the object the current version of its key, or releases its bytes.
func (r *request) commit(o *object, c writeCondition) (*version, error) {
	return r.commitFrom(o, c, nil)
}

// commitFrom commits an object, and ends the upload that it came from.
func (r *request) commitFrom(o *object, c writeCondition, from *upload) (*version, error) {
	v := &version{key: r.key, modified: r.server.now(), object: *o}
	shown := ""
	err := r.change(func(b *bucket) (unused []piece, err error) {
		if from != nil && b.uploads[from.id] != from {
			return nil, newError("NoSuchUpload", "UploadId", from.id)
		}
		if err := c.check(r.key, b.current(r.key)); err != nil {
			return nil, err
		}
		if err := b.lockNew(&v.object, v.modified); err != nil {
			return nil, err
		}
		unused = b.add(v)
		if from != nil {
			delete(b.uploads, from.id)
			unused = append(unused, from.pieces()...)
		}
		shown = b.shownID(v)
		return unused, nil
	})
	if err != nil {
		r.server.blobs.release(o.pieces)
		return nil, err
	}
	if shown != "" {
		r.w.Header().Set("X-Amz-Version-Id", shown)
	}
	v.encryption.write(r.w.Header())
	return v, nil
}
