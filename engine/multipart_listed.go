package engine

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/scope"
)

func (b *bucket) ContinueListedUpload(ctx context.Context, entry storage.UploadEntry, opts ...storage.MultipartOption) (storage.MultipartUpload, error) {
	o := &operation{}
	e := o.prepare(b, scope.Upload, "ContinueListedUpload", entry.Key)
	if e == nil && ctx.Err() != nil {
		e = asError(ctx, ctx.Err())
	}
	if e == nil && entry.Upload == "" {
		e = invalid("entry", "must be one that ListUploads has yielded")
	}
	u := &multipartUpload{bucket: b}
	if e == nil {
		e = u.resolve(o, opts)
	}
	if e == nil {
		e = u.adopt(entry.Upload)
	}
	if e != nil {
		return nil, o.end(e)
	}
	return u, nil
}

// adopt makes u the upload of that name, which this value has not begun.
func (u *multipartUpload) adopt(upload string) *storage.Error {
	r, record := &u.put, &u.record
	if u.bucket.core.desc.AttributesAtBegin {
		if u.attributed {
			return invalid("options", "must not be attributes, tags or locks: the store has those of BeginUpload")
		}
		r.Properties, record.Type = storage.Properties{}, ""
		record.WriteID = "" // the object has another one, which nobody knows
		u.finishRequest()
	}
	record.Upload, record.Listed = upload, true
	u.token = record.Token()
	return nil
}

// readBack returns the attributes of the object that the upload has made, if the store has them
// and this value does not know them.
func (c *completion) readBack(ctx context.Context, a *storage.Attrs) *storage.Attrs {
	u := c.upload
	if !u.record.Listed || !c.op.core.desc.AttributesAtBegin {
		return a
	}
	found, e := head(ctx, &c.op, &driver.GetRequest{Key: c.op.key, Length: -1, Native: u.put.Native, Auxiliary: true})
	if e != nil {
		return a // the object is there; only its attributes are not known
	}
	if found = c.op.toUser(found); found.Revision != a.Revision {
		return a
	}
	return found
}
