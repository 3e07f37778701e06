package engine

import (
	"cmp"
	"context"
	"iter"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/scope"
)

func (b *bucket) ListUploads(ctx context.Context, opts ...storage.ListOption) iter.Seq2[storage.UploadEntry, error] {
	return func(yield func(storage.UploadEntry, error) bool) {
		o := &operation{}
		iterate(ctx, o, o.prepareUploads(b, opts), o.eachUpload, yield)
	}
}

// prepareUploads prepares ListUploads.
func (o *operation) prepareUploads(b *bucket, opts []storage.ListOption) *storage.Error {
	const name = "ListUploads"
	var r storage.ListOptions
	e := cmp.Or(o.prepare(b, scope.List, name, ""), ownError(r.Apply(opts...)))
	if e == nil && (r.Delimiter != "" || r.StartAfter != "" || r.Limit != 0 || r.PageSize != 0) {
		e = invalid("options", "must be WithPrefix only")
	}
	o.key += r.Prefix
	return cmp.Or(e, b.core.need(storage.MultipartUploads|storage.ListedUploads, name), b.core.checkLeadingSlash(o.key))
}

func (o *operation) eachUpload(ctx context.Context, yield func(storage.UploadEntry, error) bool) *storage.Error {
	r := &driver.ListUploadsRequest{Prefix: o.key, Limit: partsPage}
	return eachPage(ctx, &o.core.desc, func(token string) (next, last string, e *storage.Error) {
		r.Token = token
		page, e := request(ctx, o, func(ctx context.Context) (*driver.UploadPage, error) { return o.core.driver.ListUploads(ctx, r) })
		if e != nil {
			return "", "", e
		}
		for _, entry := range page.Uploads {
			last = entry.Key + "\x00" + entry.Upload
			key, inside := strings.CutPrefix(entry.Key, o.prefix)
			if !inside || !strings.HasPrefix(entry.Key, r.Prefix) {
				continue
			}
			entry.Key, entry.Begun = key, entry.Begun.UTC()
			if !yield(entry, nil) {
				return "", "", errStopped
			}
		}
		return page.Token, last, nil
	})
}

func (b *bucket) AbortUpload(ctx context.Context, entry storage.UploadEntry) error {
	const name = "AbortUpload"
	o := &operation{}
	e := o.prepare(b, scope.Upload, name, entry.Key)
	if e == nil && entry.Upload == "" {
		e = invalid("entry", "must be one that ListUploads has yielded")
	}
	e = cmp.Or(e, b.core.checkReadKey(o.key), b.core.need(storage.MultipartUploads, name))
	return abortUpload(ctx, o, e, entry.Upload)
}

func (b *bucket) ContinueListedUpload(ctx context.Context, entry storage.UploadEntry, opts ...storage.MultipartOption) (storage.MultipartUpload, error) {
	return continueUpload(ctx, b, "ContinueListedUpload", entry.Key, func(o *operation, u *multipartUpload) *storage.Error {
		if entry.Upload == "" {
			return invalid("entry", "must be one that ListUploads has yielded")
		}
		if e := u.resolve(o, opts); e != nil {
			return e
		}
		return u.adopt(entry.Upload)
	})
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
	if found = c.op.toUser(ctx, found); found.Revision != a.Revision {
		return a
	}
	return found
}
