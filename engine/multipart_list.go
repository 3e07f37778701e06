package engine

import (
	"context"
	"iter"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// ListUploads yields the multipart uploads that are in progress.
func (b bucket) ListUploads(ctx context.Context, opts *storage.ListOptions) iter.Seq2[storage.UploadEntry, error] {
	return func(yield func(storage.UploadEntry, error) bool) {
		o := &operation{}
		iterate(ctx, o, o.prepareUploads(b.engine, opts), o.eachUpload, yield)
	}
}

// prepareUploads prepares ListUploads, which takes no option other than WithPrefix.
func (o *operation) prepareUploads(e *engine, opts *storage.ListOptions) *storage.Error {
	const name = "ListUploads"
	if err := o.prepare(e, name, opts.Prefix); err != nil {
		return err
	}
	if opts.Delimiter != "" || opts.StartAfter != "" || opts.Limit != 0 || opts.PageSize != 0 {
		return invalid("options", "must be WithPrefix only")
	}
	if err := e.need(storage.MultipartUploads|storage.ListedUploads, name); err != nil {
		return err
	}
	return e.checkLeadingSlash(o.key)
}

// eachUpload yields all uploads whose key begins with the key of the operation.
func (o *operation) eachUpload(ctx context.Context, yield func(storage.UploadEntry, error) bool) *storage.Error {
	req := &driver.ListUploadsRequest{Prefix: o.key, Limit: partsPage}
	return eachPage(ctx, &o.engine.desc, func(token string) (next, last string, err *storage.Error) {
		req.Token = token
		page, err := request(ctx, o, func(ctx context.Context) (*driver.UploadPage, error) {
			return o.engine.driver.ListUploads(ctx, req)
		})
		if err != nil {
			return "", "", err
		}

		if !yieldUploads(page.Uploads, req.Prefix, yield) {
			return "", "", errStopped
		}
		return page.Token, lastUpload(page.Uploads), nil
	})
}

// yieldUploads yields the uploads of one page. It returns false if yield does.
func yieldUploads(page []storage.UploadEntry, prefix string, yield func(storage.UploadEntry, error) bool) bool {
	for _, entry := range page {
		// Some servers return keys outside of the prefix.
		if !strings.HasPrefix(entry.Key, prefix) {
			continue
		}
		entry.Begun = entry.Begun.UTC()
		if !yield(entry, nil) {
			return false
		}
	}
	return true
}

// lastUpload returns a text that identifies the last upload of a page, or "" if the page is empty.
func lastUpload(page []storage.UploadEntry) string {
	if len(page) == 0 {
		return ""
	}
	last := page[len(page)-1]
	// A key may have several uploads.
	return last.Key + "\x00" + last.Upload
}

// AbortUpload aborts an upload that ListUploads has yielded.
func (b bucket) AbortUpload(ctx context.Context, entry storage.UploadEntry) error {
	o := &operation{}
	checkErr := o.prepareAbort(b.engine, entry)
	return abortUpload(ctx, o, checkErr, entry.Upload)
}

// prepareAbort prepares AbortUpload, and checks the entry.
func (o *operation) prepareAbort(e *engine, entry storage.UploadEntry) *storage.Error {
	const name = "AbortUpload"
	if err := o.prepare(e, name, entry.Key); err != nil {
		return err
	}
	if entry.Upload == "" {
		return invalid("entry", "must be one that ListUploads has yielded")
	}
	if err := e.checkReadKey(o.key); err != nil {
		return err
	}
	return e.need(storage.MultipartUploads, name)
}

// ContinueListedUpload returns the upload that ListUploads has yielded, without a request.
func (b bucket) ContinueListedUpload(
	ctx context.Context, entry storage.UploadEntry, opts *storage.UploadOptions,
) (storage.MultipartUpload, error) {
	open := func(o *operation, u *multipartUpload) *storage.Error {
		if entry.Upload == "" {
			return invalid("entry", "must be one that ListUploads has yielded")
		}
		if err := u.resolve(o, opts); err != nil {
			return err
		}
		return u.adopt(entry.Upload)
	}
	return continueUpload(ctx, b.engine, "ContinueListedUpload", entry.Key, open)
}

// adopt makes u continue the upload that has the name upload in the store. Another process may have
// begun it. adopt fails if options set attributes that only BeginUpload can set.
func (u *multipartUpload) adopt(upload string) *storage.Error {
	// Some stores get the attributes at the beginning of an upload, and others at its completion.
	storeHasAttrs := u.engine.desc.AttributesAtBegin
	if storeHasAttrs && u.hasAttrs {
		return invalid("options", "must not be attributes, tags or locks: the store has those of BeginUpload")
	}
	if storeHasAttrs {
		// The object gets the attributes and the write id of BeginUpload, which are not known here. So drop
		// the defaults that resolve has set.
		u.put.Properties = storage.Properties{}
		u.record.Type = ""
		u.record.WriteID = ""
		u.finishRequest()
	}
	u.record.Upload = upload
	u.record.Listed = true
	u.token = u.record.Token()
	return nil
}

// readBack returns the attributes of the completed object. It reads them if the upload was found in a
// listing, which does not have those that were set when the upload began. Otherwise, or if reading
// fails, it returns attrs.
func (c *completion) readBack(ctx context.Context, attrs *storage.Attrs) *storage.Attrs {
	u := c.upload
	lacksAttributes := u.record.Listed && c.op.engine.desc.AttributesAtBegin
	if !lacksAttributes {
		return attrs
	}

	current, err := head(ctx, &c.op, &driver.GetRequest{
		Key:       c.op.key,
		Length:    -1, // the whole object
		Native:    u.put.Native,
		Auxiliary: true,
	})
	if err != nil {
		// The object exists, and only its attributes are unknown.
		return attrs
	}

	current = c.op.toUser(ctx, current)
	if current.Revision != attrs.Revision {
		// Another write has replaced the object.
		return attrs
	}
	return current
}
