package engine

import (
	"cmp"
	"context"
	"iter"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

func (b bucket) ListUploads(ctx context.Context, opts *storage.ListOptions) iter.Seq2[storage.UploadEntry, error] {
	return func(yield func(storage.UploadEntry, error) bool) {
		o := &operation{}
		iterate(ctx, o, o.prepareUploads(b.engine, opts), o.eachUpload, yield)
	}
}

// prepareUploads checks the options of ListUploads.
func (o *operation) prepareUploads(c *engine, r *storage.ListOptions) *storage.Error {
	const name = "ListUploads"
	e := o.prepare(c, name, r.Prefix)
	if e == nil && (r.Delimiter != "" || r.StartAfter != "" || r.Limit != 0 || r.PageSize != 0) {
		e = invalid("options", "must be WithPrefix only")
	}
	return cmp.Or(e, c.need(storage.MultipartUploads|storage.ListedUploads, name), c.checkLeadingSlash(o.key))
}

func (o *operation) eachUpload(ctx context.Context, yield func(storage.UploadEntry, error) bool) *storage.Error {
	r := &driver.ListUploadsRequest{Prefix: o.key, Limit: partsPage}
	return eachPage(ctx, &o.engine.desc, func(token string) (next, last string, e *storage.Error) {
		r.Token = token
		page, e := request(ctx, o, func(ctx context.Context) (*driver.UploadPage, error) {
			return o.engine.driver.ListUploads(ctx, r)
		})
		if e != nil {
			return "", "", e
		}
		for _, entry := range page.Uploads {
			last = entry.Key + "\x00" + entry.Upload
			if !strings.HasPrefix(entry.Key, r.Prefix) {
				continue
			}
			entry.Begun = entry.Begun.UTC()
			if !yield(entry, nil) {
				return "", "", errStopped
			}
		}
		return page.Token, last, nil
	})
}

func (b bucket) AbortUpload(ctx context.Context, entry storage.UploadEntry) error {
	c := b.engine
	const name = "AbortUpload"
	o := &operation{}
	e := o.prepare(c, name, entry.Key)
	if e == nil && entry.Upload == "" {
		e = invalid("entry", "must be one that ListUploads has yielded")
	}
	e = cmp.Or(e, c.checkReadKey(o.key), c.need(storage.MultipartUploads, name))
	return abortUpload(ctx, o, e, entry.Upload)
}

func (b bucket) ContinueListedUpload(
	ctx context.Context, entry storage.UploadEntry, opts *storage.UploadOptions,
) (storage.MultipartUpload, error) {
	open := func(o *operation, u *multipartUpload) *storage.Error {
		if entry.Upload == "" {
			return invalid("entry", "must be one that ListUploads has yielded")
		}
		if e := u.resolve(o, opts); e != nil {
			return e
		}
		return u.adopt(entry.Upload)
	}
	return continueUpload(ctx, b.engine, "ContinueListedUpload", entry.Key, open)
}

// adopt turns u into a continuation of the upload with the given name in the store. Another process
// may have begun that upload.
func (u *multipartUpload) adopt(upload string) *storage.Error {
	r := &u.put
	record := &u.record
	if u.engine.desc.AttributesAtBegin {
		if u.attributed {
			return invalid("options", "must not be attributes, tags or locks: the store has those of BeginUpload")
		}
		r.Properties = storage.Properties{}
		record.Type = ""
		// The store keeps the write id of BeginUpload, which is not known here.
		record.WriteID = ""
		u.finishRequest()
	}
	record.Upload = upload
	record.Listed = true
	u.token = record.Token()
	return nil
}

// readBack returns the attributes of the completed object. For an upload that was found in a
// listing, the attributes may be unknown, because a listing does not have them. readBack then reads
// the attributes from the store. If that is not necessary or fails, readBack returns a.
func (c *completion) readBack(ctx context.Context, a *storage.Attrs) *storage.Attrs {
	u := c.upload
	if !u.record.Listed || !c.op.engine.desc.AttributesAtBegin {
		return a
	}
	attrs, e := head(ctx, &c.op, &driver.GetRequest{Key: c.op.key, Length: -1, Native: u.put.Native, Auxiliary: true})
	if e != nil {
		// The object exists, and only its attributes are unknown.
		return a
	}
	attrs = c.op.toUser(ctx, attrs)
	if attrs.Revision != a.Revision {
		return a
	}
	return attrs
}
