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
	// attributed is true if options have set properties, tags, locks or public access.
	attributed bool

	mu   sync.Mutex
	sent map[int]driver.Part // parts that this value has sent, with checksums that the store may not return
}

func (b bucket) BeginUpload(
	ctx context.Context, key string, opts *storage.UploadOptions,
) (storage.MultipartUpload, error) {
	u := &multipartUpload{engine: b.engine}
	o := &operation{}
	e := o.prepare(b.engine, "BeginUpload", key) // not a write, because beginning an upload changes no object
	if e == nil {
		e = u.resolve(o, opts)
	}
	return run(ctx, o, e, func(ctx context.Context) (storage.MultipartUpload, *storage.Error) {
		id, e := beginParts(ctx, o, &u.put)
		if e != nil {
			return nil, e
		}
		if ctx.Err() != nil {
			e := asError(ctx, ctx.Err())
			o.abortParts(ctx, id, e)
			return nil, e
		}
		u.record.Upload = id
		u.token = u.record.Token()
		return u, nil
	})
}

// resolve checks the options, and sets the fields of u, before the upload begins.
func (u *multipartUpload) resolve(o *operation, opts *storage.UploadOptions) *storage.Error {
	r := &u.put
	c := o.engine
	setPut(r, opts)
	r.Key = o.key
	r.AnyOrder = true
	r.UncheckedParts = opts.UncheckedParts
	u.attributed = opts.Set != 0 || r.PublicRead || opts.Tags != nil || locks(&opts.Controls)
	e := c.need(storage.MultipartUploads|storage.OpenUploads, "BeginUpload")
	w := writeFields{
		properties: &r.Properties,
		set:        opts.Set,
		controls:   &r.Controls,
		condition:  &r.Condition,
		native:     &r.Native,
		natives:    opts.Native,
	}
	e = cmp.Or(e, c.resolveWrite(r.Key, w), c.checkSize(r.Size))
	if e != nil {
		return e
	}
	r.ContentType = contentType(r.ContentType, r.Key, nil)
	u.record = newUploadRecord(c, r, opts.MaxSize)
	u.finishRequest()
	return nil
}

// finishRequest sets the size and the metadata in put. The values come from the record.
// They have the form that the driver expects.
func (u *multipartUpload) finishRequest() {
	r := &u.put
	r.Size = u.record.DeclaredSize()
	r.CRC32C = storage.CRC32C{}
	r.Metadata = u.engine.metadata.Encode(u.record.Metadata, u.record.WriteID)
}

// Key returns the key of the object.
func (u *multipartUpload) Key() string { return u.record.Key }

// String returns only the key, because the token and the store's upload ID are secrets.
func (u *multipartUpload) String() string { return "upload of " + redact.Quoted(u.Key()) }

// GoString returns the same text as String, so that the verb %#v shows no secret either.
func (u *multipartUpload) GoString() string { return u.String() }

func (u *multipartUpload) Limits() storage.PartLimits {
	d := &u.engine.desc
	if d.OpenUploadLimits != nil {
		return *d.OpenUploadLimits
	}
	return storage.PartLimits{
		MinSize:  max(d.MinPartSize, 1),
		MaxSize:  cmp.Or(d.MaxPartSize, d.MaxSize),
		Unit:     d.PartUnit,
		Equal:    u.engine.has(driver.EqualParts),
		MaxParts: d.MaxParts,
	}
}

// prepare starts an operation on the upload, and checks that the bucket is open.
func (u *multipartUpload) prepare(o *operation, name string) *storage.Error {
	return o.prepare(u.engine, name, u.Key())
}

func (u *multipartUpload) Parts(ctx context.Context) ([]storage.UploadedPart, error) {
	o := &operation{}
	e := u.prepare(o, "Parts")
	return run(ctx, o, e, func(ctx context.Context) ([]storage.UploadedPart, *storage.Error) {
		parts, e := u.listParts(ctx, o)
		uploaded := make([]storage.UploadedPart, len(parts))
		for i := range parts {
			uploaded[i] = uploadedPart(&parts[i])
		}
		return uploaded, e
	})
}

// uploadedPart returns a driver's part in the form that the user sees.
func uploadedPart(p *driver.Part) storage.UploadedPart {
	return storage.UploadedPart{
		Number: p.Number,
		Size:   p.Size,
		ETag:   quotedETag(cmp.Or(p.ETag, p.Tag)),
		CRC32C: p.CRC32C,
	}
}

// partsPage is the number of parts or uploads that one request lists, as on S3.
const partsPage = 1000

// listParts returns all parts that the store has. If the store does not return the checksum of a
// part, the result has the one that PutPart computed.
func (u *multipartUpload) listParts(ctx context.Context, o *operation) ([]driver.Part, *storage.Error) {
	r := &driver.ListPartsRequest{Key: u.put.Key, Upload: u.record.Upload, Limit: partsPage, Native: u.put.Native}
	var parts []driver.Part
	for {
		page, e := request(ctx, o, func(ctx context.Context) (*driver.PartPage, error) {
			return o.engine.driver.ListParts(ctx, r)
		})
		if e != nil {
			withoutEffect(e)
			if e.Code == storage.ObjectNotFound {
				return nil, errUploadGone(e)
			}
			return nil, e
		}
		for _, part := range page.Parts {
			if part.Number <= r.After {
				return nil, &storage.Error{
					Code: storage.Internal,
					Err:  fmt.Errorf("the store listed part %d after part %d", part.Number, r.After),
				}
			}
			r.After = part.Number
			parts = append(parts, part)
		}
		if !page.More {
			break
		}
		if len(page.Parts) == 0 {
			return nil, &storage.Error{
				Code: storage.Unavailable,
				Err:  errors.New("the store listed no part, and says that there are more"),
			}
		}
	}

	u.mu.Lock()
	defer u.mu.Unlock()
	for i := range parts {
		if part, ok := u.sent[parts[i].Number]; ok && !parts[i].CRC32C.Known && part.Tag == parts[i].Tag &&
			part.Size == parts[i].Size {
			parts[i].CRC32C = part.CRC32C
		}
	}
	return parts, nil
}

// errUploadGone returns ObjectNotFound for an upload that no longer exists. It keeps the store's
// error as its cause, but not its Code, which differs between stores.
func errUploadGone(cause *storage.Error) *storage.Error {
	return &storage.Error{
		Code:      storage.ObjectNotFound,
		Err:       errors.Join(errors.New("upload must be in progress: it was completed, aborted or dropped"), cause.Err),
		Hint:      "begin a new upload",
		Status:    cause.Status,
		RequestID: cause.RequestID,
	}
}

func (u *multipartUpload) Abort(ctx context.Context) error {
	o := &operation{}
	e := u.prepare(o, "AbortUpload")
	return abortUpload(ctx, o, e, u.record.Upload)
}

func abortUpload(ctx context.Context, o *operation, e *storage.Error, upload string) error {
	return o.do(ctx, e, func(ctx context.Context) *storage.Error {
		return o.call(ctx, func(ctx context.Context) error { return o.engine.driver.AbortParts(ctx, o.key, upload) })
	})
}

func (u *multipartUpload) SignPart(
	ctx context.Context, number int, opts ...storage.SignedPartOption,
) (*storage.SignedURL, error) {
	o := &operation{signs: true}
	p := &storage.PartOptions{}
	e := u.prepare(o, "SignPart")
	if e == nil {
		e = u.checkSignedPart(o, number, p, opts)
	}

	r := &driver.SignPartRequest{
		Key:     u.put.Key,
		Upload:  u.record.Upload,
		Number:  number,
		TTL:     cmp.Or(p.TTL, defaultTTL),
		BaseURL: o.engine.signingBaseURL,
		Size:    p.Size,
		CRC32C:  p.CRC32C,
		Native:  u.put.Native,
	}
	return run(ctx, o, e, func(ctx context.Context) (*storage.SignedURL, *storage.Error) {
		signedURL, e := request(ctx, o, func(ctx context.Context) (*storage.SignedURL, error) {
			return o.engine.driver.SignPart(ctx, r)
		})
		if e == nil {
			signedURL.ExpiresAt = signedURL.ExpiresAt.UTC().Truncate(time.Second)
			signedURL.Method = cmp.Or(signedURL.Method, http.MethodPut)
		}
		return signedURL, e
	})
}

func (u *multipartUpload) checkSignedPart(
	o *operation, number int, p *storage.PartOptions, opts []storage.SignedPartOption,
) *storage.Error {
	if err := p.ApplySigned(opts...); err != nil {
		return ownError(err)
	}
	if e := cmp.Or(o.engine.needSigning(storage.SignedURLs|storage.SignedParts, "SignPart"), u.checkPart(number, p.Size)); e != nil {
		return e
	}
	if p.Size >= 0 && !o.engine.has(storage.SignedSize) {
		return o.engine.need(storage.SignedSize, "WithSize on a signed part")
	}
	if !p.CRC32C.Known && !u.put.UncheckedParts {
		return invalid("WithCRC32C", "must be given: the upload was begun without WithUncheckedParts")
	}
	if p.CRC32C.Known && u.put.UncheckedParts {
		return invalid("WithCRC32C", "must not be given: the upload was begun WithUncheckedParts")
	}
	if p.CRC32C.Known && !o.engine.has(storage.SignedPartChecksums) {
		e := o.engine.need(storage.SignedPartChecksums, "WithCRC32C on a signed part")
		e.Hint = "begin the upload WithUncheckedParts"
		return e
	}
	return nil
}
