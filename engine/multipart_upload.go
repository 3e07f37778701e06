package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/redact"
	"github.com/omnibucket/storage/internal/uploadtoken"
)

// A program may begin a multipart upload, and any process may continue it, because the token of the
// upload has all that the engine needs (multipart_token.go). Clients send parts in any order, through
// PutPart or by signed requests (multipart_part.go). Complete makes the object from all parts that
// the store has, or from the parts of WithParts. It may be called again (multipart_complete.go).

// A multipartUpload implements storage.MultipartUpload.
type multipartUpload struct {
	engine *engine
	record uploadtoken.Record
	put    driver.PutRequest // the Put request of BeginParts and CompleteParts; it never changes
	token  string
	// hasAttrs is true if options have set properties, tags, locks or public access.
	hasAttrs bool

	mu   sync.Mutex
	sent map[int]driver.Part // parts that this value has sent, with checksums that the store may not return
}

// BeginUpload begins a multipart upload, which is not a write, because it changes no object.
func (b bucket) BeginUpload(
	ctx context.Context, key string, opts *storage.UploadOptions,
) (storage.MultipartUpload, error) {
	u := &multipartUpload{engine: b.engine}
	o := &operation{}
	checkErr := o.prepare(b.engine, "BeginUpload", key)
	if checkErr == nil {
		checkErr = u.resolve(o, opts)
	}
	return run(ctx, o, checkErr, func(ctx context.Context) (storage.MultipartUpload, *storage.Error) {
		id, err := beginParts(ctx, o, &u.put)
		if err != nil {
			return nil, err
		}
		// If ctx has ended, the call fails, so the caller gets no token with which to abort the upload.
		if ctx.Err() != nil {
			ctxErr := asError(ctx, ctx.Err())
			o.abortParts(ctx, id, ctxErr)
			return nil, ctxErr
		}

		u.record.Upload = id
		u.token = u.record.Token()
		return u, nil
	})
}

// resolve checks the options, and sets the request and the record of an upload that will begin.
func (u *multipartUpload) resolve(o *operation, opts *storage.UploadOptions) *storage.Error {
	e := o.engine
	// The request is that of an Upload with the same options, whose parts come in any order.
	put := &u.put
	setPut(put, opts)
	put.Key = o.key
	put.AnyOrder = true
	put.UncheckedParts = opts.UncheckedParts
	hasControls := put.PublicRead || opts.Tags != nil || hasLock(&opts.Controls)
	u.hasAttrs = opts.Set != 0 || hasControls

	if err := e.need(storage.MultipartUploads|storage.OpenUploads, "BeginUpload"); err != nil {
		return err
	}

	// The object of the upload has the checks of every write.
	err := e.resolveWrite(put.Key, writeFields{
		properties: &put.Properties,
		set:        opts.Set,
		controls:   &put.Controls,
		condition:  &put.Condition,
		native:     &put.Native,
		natives:    opts.Native,
	})
	if err != nil {
		return err
	}
	if err := e.checkSize(put.Size); err != nil {
		return err
	}

	// The record is what the token of the upload contains. It has the metadata as the caller gave them,
	// and the request then has them as the driver expects them.
	put.ContentType = contentType(put.ContentType, put.Key, nil)
	u.record = newUploadRecord(e, put, opts.MaxSize)
	u.finishRequest()
	return nil
}

// finishRequest sets the size and the metadata of the request from the record, in the form that the
// driver expects.
func (u *multipartUpload) finishRequest() {
	req := &u.put
	req.Size = u.record.DeclaredSize()
	req.CRC32C = storage.CRC32C{}
	req.Metadata = u.engine.metadata.Encode(u.record.Metadata, u.record.WriteID)
}

// Key returns the key of the object.
func (u *multipartUpload) Key() string { return u.record.Key }

// String returns only the key, because the token and the store's upload ID are secrets.
func (u *multipartUpload) String() string { return "upload of " + redact.Quoted(u.Key()) }

// GoString returns the same text as String, so that the verb %#v shows no secret either.
func (u *multipartUpload) GoString() string { return u.String() }

// Limits returns the limits that the store has for parts.
func (u *multipartUpload) Limits() storage.PartLimits {
	desc := &u.engine.desc
	// Some stores have other limits for uploads whose parts come in any order.
	if desc.OpenUploadLimits != nil {
		return *desc.OpenUploadLimits
	}
	return storage.PartLimits{
		MinSize:  max(desc.MinPartSize, 1),
		MaxSize:  cmp.Or(desc.MaxPartSize, desc.MaxSize),
		Unit:     desc.PartUnit,
		Equal:    u.engine.has(driver.EqualParts),
		MaxParts: desc.MaxParts,
	}
}

// prepare starts an operation on the upload, and checks that the bucket is open.
func (u *multipartUpload) prepare(o *operation, name string) *storage.Error {
	return o.prepare(u.engine, name, u.Key())
}

// Parts returns the parts of the upload that the store has.
func (u *multipartUpload) Parts(ctx context.Context) ([]storage.UploadedPart, error) {
	o := &operation{}
	checkErr := u.prepare(o, "Parts")
	return run(ctx, o, checkErr, func(ctx context.Context) ([]storage.UploadedPart, *storage.Error) {
		parts, err := u.listParts(ctx, o)
		uploaded := make([]storage.UploadedPart, len(parts))
		for i := range parts {
			uploaded[i] = uploadedPart(&parts[i])
		}
		return uploaded, err
	})
}

// uploadedPart returns a part of the driver in the form that the user sees.
func uploadedPart(part *driver.Part) storage.UploadedPart {
	return storage.UploadedPart{
		Number: part.Number,
		Size:   part.Size,
		ETag:   quotedETag(cmp.Or(part.ETag, part.Tag)),
		CRC32C: part.CRC32C,
	}
}

// partsPage is the number of parts or uploads that one request lists, as on S3.
const partsPage = 1000

// listParts returns all parts that the store has. A checksum that the store does not return is that of
// PutPart, if this value has sent the part.
func (u *multipartUpload) listParts(ctx context.Context, o *operation) ([]driver.Part, *storage.Error) {
	req := &driver.ListPartsRequest{
		Key:    u.put.Key,
		Upload: u.record.Upload,
		Limit:  partsPage,
		Native: u.put.Native,
	}
	var parts []driver.Part
	for {
		// Request the parts after the number req.After.
		page, err := request(ctx, o, func(ctx context.Context) (*driver.PartPage, error) {
			return o.engine.driver.ListParts(ctx, req)
		})
		if err != nil {
			withoutEffect(err)
			if err.Code == storage.ObjectNotFound {
				return nil, errUploadGone(err)
			}
			return nil, err
		}

		// The numbers must rise, because the next page begins after the last of them.
		for _, part := range page.Parts {
			if part.Number <= req.After {
				return nil, &storage.Error{
					Code: storage.Internal,
					Err:  fmt.Errorf("the store listed part %d after part %d", part.Number, req.After),
				}
			}
			req.After = part.Number
			parts = append(parts, part)
		}

		if !page.More {
			break
		}
		// Without a part, the next request would be the same.
		if len(page.Parts) == 0 {
			return nil, &storage.Error{
				Code: storage.Unavailable,
				Err:  errors.New("the store listed no part, and says that there are more"),
			}
		}
	}
	u.addChecksums(parts)
	return parts, nil
}

// addChecksums sets the checksums of listed parts for which the store has returned none, if u itself
// has sent the same parts.
func (u *multipartUpload) addChecksums(parts []driver.Part) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i := range parts {
		part := &parts[i]
		sent, found := u.sent[part.Number]
		if !found || part.CRC32C.Known {
			continue
		}
		isSame := sent.Tag == part.Tag && sent.Size == part.Size
		if isSame {
			part.CRC32C = sent.CRC32C
		}
	}
}

// errUploadGone returns an ObjectNotFound error for an upload that no longer exists. It keeps the cause
// of the store's error, but not its Code, which differs between stores.
func errUploadGone(cause *storage.Error) *storage.Error {
	reason := errors.New("upload must be in progress: it was completed, aborted or dropped")
	return &storage.Error{
		Code:      storage.ObjectNotFound,
		Err:       errors.Join(reason, cause.Err),
		Hint:      "begin a new upload",
		Status:    cause.Status,
		RequestID: cause.RequestID,
	}
}

// Abort aborts the upload. The store drops its parts.
func (u *multipartUpload) Abort(ctx context.Context) error {
	o := &operation{}
	checkErr := u.prepare(o, "AbortUpload")
	return abortUpload(ctx, o, checkErr, u.record.Upload)
}

// abortUpload runs an operation that aborts an upload, unless checkErr, the error of earlier checks, is
// not nil.
func abortUpload(ctx context.Context, o *operation, checkErr *storage.Error, upload string) error {
	return o.do(ctx, checkErr, func(ctx context.Context) *storage.Error {
		return o.call(ctx, func(ctx context.Context) error { return o.engine.driver.AbortParts(ctx, o.key, upload) })
	})
}

// SignPart returns a signed request with which anyone can send the part with this number. If the options
// name a size or a checksum, the request is valid only for such a part.
func (u *multipartUpload) SignPart(
	ctx context.Context, number int, opts ...storage.SignedPartOption,
) (*storage.SignedURL, error) {
	o := &operation{signs: true}
	part := &storage.PartOptions{}
	checkErr := u.prepare(o, "SignPart")
	if checkErr == nil {
		// This sets part from the options.
		checkErr = u.checkSignedPart(o, number, part, opts)
	}

	// If a check has failed, run only calls the hooks, and nothing reads the request.
	req := &driver.SignPartRequest{
		Key:     u.put.Key,
		Upload:  u.record.Upload,
		Number:  number,
		TTL:     cmp.Or(part.TTL, defaultTTL),
		BaseURL: o.engine.signingBaseURL,
		Size:    part.Size,
		CRC32C:  part.CRC32C,
		Native:  u.put.Native,
	}
	return run(ctx, o, checkErr, func(ctx context.Context) (*storage.SignedURL, *storage.Error) {
		signed, err := request(ctx, o, func(ctx context.Context) (*storage.SignedURL, error) {
			return o.engine.driver.SignPart(ctx, req)
		})
		if err != nil {
			return nil, err
		}

		signed.ExpiresAt = signed.ExpiresAt.UTC().Truncate(time.Second)
		signed.Method = cmp.Or(signed.Method, http.MethodPut)
		return signed, nil
	})
}

// checkSignedPart applies the options of SignPart to part, and checks them.
func (u *multipartUpload) checkSignedPart(
	o *operation, number int, part *storage.PartOptions, opts []storage.SignedPartOption,
) *storage.Error {
	e := o.engine
	if err := part.ApplySigned(opts...); err != nil {
		return ownError(err)
	}
	if err := e.needSigning(storage.SignedURLs|storage.SignedParts, "SignPart"); err != nil {
		return err
	}
	if err := u.checkPart(number, part.Size); err != nil {
		return err
	}
	hasSize := part.Size >= 0
	if hasSize {
		if err := e.need(storage.SignedSize, "WithSize on a signed part"); err != nil {
			return err
		}
	}

	// Each part has a checksum, or none has one, as BeginUpload has chosen.
	if !part.CRC32C.Known {
		if u.put.UncheckedParts {
			return nil
		}
		return invalid("WithCRC32C", "must be given: the upload was begun without WithUncheckedParts")
	}
	if u.put.UncheckedParts {
		return invalid("WithCRC32C", "must not be given: the upload was begun WithUncheckedParts")
	}
	if err := e.need(storage.SignedPartChecksums, "WithCRC32C on a signed part"); err != nil {
		err.Hint = "begin the upload WithUncheckedParts"
		return err
	}
	return nil
}
