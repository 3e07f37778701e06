package engine

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/escape"
)

const defaultTTL = time.Hour

// A signOp holds the state of one call that signs a request.
type signOp struct {
	op   operation
	req  driver.SignRequest
	opts *storage.SignOptions
}

// SignedUploadURL returns a signed request with which anyone can store one object.
func (b bucket) SignedUploadURL(
	ctx context.Context, key string, opts *storage.SignOptions,
) (*storage.SignedURL, error) {
	s := &signOp{opts: opts}
	checkErr := s.openUpload(b.engine, "SignedUploadURL", key, http.MethodPut)
	// MaxSize is -1 without the option WithSize.
	if checkErr == nil && s.req.MaxSize >= 0 {
		checkErr = s.op.engine.need(storage.SignedSize, "WithSize on a signed upload")
	}
	return s.sign(ctx, checkErr)
}

// SignedDownloadURL returns a signed request with which anyone can read the object.
func (b bucket) SignedDownloadURL(
	ctx context.Context, key string, opts *storage.SignOptions,
) (*storage.SignedURL, error) {
	s := &signOp{opts: opts}
	return s.sign(ctx, s.openDownload(b.engine, key))
}

// openDownload prepares a signed request that reads an object.
func (s *signOp) openDownload(e *engine, key string) *storage.Error {
	method := cmp.Or(s.opts.Method, http.MethodGet)
	if err := s.openObject(e, "SignedDownloadURL", key, method); err != nil {
		return err
	}

	switch method {
	case http.MethodGet:
		// Every store that signs can sign a GET.
	case http.MethodHead:
		if err := e.need(storage.SignedHead, "a signed HEAD"); err != nil {
			err.Hint = "leave out WithMethod: a signature of this store has no method, and an address that reads serves HEAD too"
			return err
		}
	default:
		return invalid("Method", "must be GET or HEAD")
	}
	if s.opts.StableFor > 0 {
		return s.keepStable()
	}
	return nil
}

// SignedRemoveURL returns a signed request with which anyone can remove the object.
func (b bucket) SignedRemoveURL(
	ctx context.Context, key string, opts *storage.SignOptions,
) (*storage.SignedURL, error) {
	const name = "SignedRemoveURL"
	s := &signOp{opts: opts}
	err := s.openObject(b.engine, name, key, http.MethodDelete)
	return s.sign(ctx, cmp.Or(err, b.engine.need(storage.SignedRemovals, name)))
}

// openObject prepares a signed request for an object that exists.
func (s *signOp) openObject(e *engine, op, key, method string) *storage.Error {
	if err := s.open(e, op, key, method); err != nil {
		return err
	}
	if err := e.checkReadKey(key); err != nil {
		return err
	}
	if err := e.needVersion(s.opts.Version); err != nil {
		return err
	}
	native, err := e.nativeValues(s.opts.Native)
	if err != nil {
		return err
	}
	s.req.Native = native
	return nil
}

// keepStable makes all URLs that are signed within one window of time equal, so that browsers may cache
// the response for that time.
func (s *signOp) keepStable() *storage.Error {
	if err := s.op.engine.need(storage.StableURLs, "WithStableFor"); err != nil {
		err.Hint = "sign with a long-lived key, or redirect to a signed URL from an address of your own"
		return err
	}
	// Only the error matters here: Term fails at any time if StableFor plus the TTL is too long.
	if _, _, err := s.opts.Term(time.Time{}); err != nil {
		return ownError(err)
	}

	window := s.opts.StableFor
	seconds := int64(window / time.Second)
	s.req.StableFor = window
	s.req.ResponseCacheControl = "private, max-age=" + strconv.FormatInt(seconds, 10)
	return nil
}

// SignedUploadForm returns a signed form with which anyone can store one object of minSize to maxSize
// bytes from a web page.
func (b bucket) SignedUploadForm(
	ctx context.Context, key string, minSize, maxSize int64, opts *storage.SignOptions,
) (*storage.SignedForm, error) {
	s := &signOp{opts: opts}
	checkErr := s.openForm(b.engine, key, minSize, maxSize)
	return run(ctx, &s.op, checkErr, func(ctx context.Context) (*storage.SignedForm, *storage.Error) {
		return request(ctx, &s.op, func(ctx context.Context) (*storage.SignedForm, error) {
			return b.engine.driver.SignForm(ctx, &s.req)
		})
	})
}

// openForm prepares a signed form for an upload of minSize to maxSize bytes.
func (s *signOp) openForm(e *engine, key string, minSize, maxSize int64) *storage.Error {
	const name = "SignedUploadForm"
	if err := s.openUpload(e, name, key, http.MethodPost); err != nil {
		return err
	}
	// MaxSize is -1 without the option WithSize.
	if s.req.MaxSize >= 0 {
		return invalid("WithSize", "does not fit a form, which has bounds of its own")
	}
	if minSize < 0 || maxSize < minSize {
		return invalid("minSize and maxSize", "must satisfy 0 <= minSize <= maxSize")
	}
	s.req.MinSize = minSize
	s.req.MaxSize = maxSize
	return e.need(storage.SignedForms, name)
}

// open makes the checks that all kinds of signed requests have in common, and fills the request.
func (s *signOp) open(e *engine, op, key, method string) *storage.Error {
	s.op.signs = true
	if err := s.op.prepare(e, op, key); err != nil {
		return err
	}

	opts := s.opts
	exactSize := opts.Size // of WithSize, or -1 for any size
	s.req = driver.SignRequest{
		Key:                        s.op.key,
		Method:                     method,
		BaseURL:                    e.signingBaseURL,
		Version:                    opts.Version,
		TTL:                        cmp.Or(opts.TTL, defaultTTL),
		Properties:                 opts.Properties,
		Controls:                   opts.Controls,
		Condition:                  opts.Condition,
		MinSize:                    exactSize,
		MaxSize:                    exactSize,
		CRC32C:                     opts.CRC32C,
		ResponseType:               opts.ResponseType,
		ResponseName:               opts.ResponseName,
		ResponseContentDisposition: opts.ResponseContentDisposition,
	}

	return e.needSigning(storage.SignedURLs, op)
}

// signing is the set of all features of signed requests.
const signing = storage.SignedURLs | storage.SignedContentType | storage.SignedSize | storage.SignedIfAbsent |
	storage.SignedForms | storage.SignedHead | storage.SignedTags | storage.SignedLocks | storage.SignedParts |
	storage.SignedPartChecksums | storage.SignedRemovals | storage.StableURLs

// needSigning returns Unsupported if the bucket does not have the features for signing that what
// needs. The hint of the error says how to get them.
func (e *engine) needSigning(features storage.Features, what string) *storage.Error {
	err := e.need(features, what)
	if err == nil {
		return nil
	}
	err.Hint = e.desc.SigningHint
	if e.desc.NeedsSigningBase && e.signingBaseURL == "" {
		err.Hint = "open the bucket with WithSigningBaseURL, or signing_base_url in its address, where the handler of package serve is mounted"
	}
	return err
}

// openUpload prepares a signed request that stores an object.
func (s *signOp) openUpload(e *engine, op, key, method string) *storage.Error {
	if err := s.open(e, op, key, method); err != nil {
		return err
	}
	req := &s.req

	// A signed upload has the checks of every write.
	err := e.resolveWrite(s.op.key, writeFields{
		properties: &req.Properties,
		set:        s.opts.Set,
		controls:   &req.Controls,
		condition:  &req.Condition,
		native:     &req.Native,
		natives:    s.opts.Native,
	})
	if err != nil {
		return err
	}

	// These options need features of their own if the request is signed.
	if req.Condition.Absent {
		if err := e.need(storage.SignedIfAbsent, "IfAbsent on a signed upload"); err != nil {
			return err
		}
	}
	if err := e.signedControls(&req.Controls); err != nil {
		return err
	}

	const noWriteID = "" // a client that sends the request needs none
	req.Metadata = e.metadata.Encode(req.Metadata, noWriteID)

	// A web page cannot add fields to a signed form, so the form must have a content type. A client
	// of a signed URL may send any content type if none was signed.
	isForm := method == http.MethodPost
	if isForm && req.ContentType == "" {
		req.ContentType = contentType("", s.op.key, nil)
	}
	return nil
}

// signedControls returns Unsupported if controls has tags or locks that the store does not check in
// a signed request, because a client could then omit them.
func (e *engine) signedControls(controls *storage.Controls) *storage.Error {
	if len(controls.Tags) > 0 {
		if err := e.need(storage.SignedTags, "WithTags on a signed upload"); err != nil {
			err.Hint = "a signature of this store cannot enforce tags: call SetTags after the upload"
			return err
		}
	}
	if hasLock(controls) {
		if err := e.need(storage.SignedLocks, "a lock on a signed upload"); err != nil {
			err.Hint = "a signature of this store cannot enforce locks: call SetRetention or SetLegalHold after the upload"
			return err
		}
	}
	return nil
}

// sign runs the operation that signs the request, unless checkErr, the error of earlier checks, is
// not nil.
func (s *signOp) sign(ctx context.Context, checkErr *storage.Error) (*storage.SignedURL, error) {
	return run(ctx, &s.op, checkErr, func(ctx context.Context) (*storage.SignedURL, *storage.Error) {
		signed, err := request(ctx, &s.op, func(ctx context.Context) (*storage.SignedURL, error) {
			return s.op.engine.driver.Sign(ctx, &s.req)
		})
		if err != nil {
			return nil, err
		}
		signed.ExpiresAt = signed.ExpiresAt.UTC().Truncate(time.Second)
		return signed, nil
	})
}

// PublicURL returns the URL from which anyone can read the object without a signature.
func (b bucket) PublicURL(key string) (string, error) {
	o := &operation{}
	checkErr := o.preparePublic(b.engine, key)
	// PublicURL has no context, because it makes no request.
	_, failure := o.callHooks(context.Background(), checkErr)
	if err := o.end(failure); err != nil {
		return "", err
	}
	return b.engine.publicBaseURL + escape.Path(o.key), nil
}

// preparePublic prepares PublicURL, and fails with NotPublic if the bucket has no public URL.
func (o *operation) preparePublic(e *engine, key string) *storage.Error {
	if err := o.prepare(e, "PublicURL", key); err != nil {
		return err
	}
	if err := e.checkReadKey(o.key); err != nil {
		return err
	}
	hasPublicURL := e.public && e.publicBaseURL != ""
	if hasPublicURL {
		return nil
	}

	// Choose the hint that fits the store.
	err := &storage.Error{
		Code: storage.NotPublic,
		Hint: "open the bucket with WithPublicBaseURL or WithPublicAccess(true)",
	}
	switch {
	case e.desc.NeedsSigningBase:
		err.Hint = "open the bucket with WithPublicAccess(true), and with WithPublicBaseURL or WithSigningBaseURL, where the handler of package serve is mounted"
	case e.public:
		// A layer has removed the public base URL, because the store's bytes differ from those that
		// the bucket shows.
		err.Hint = "the store's own address does not have what the bucket shows: open it with WithPublicBaseURL, " +
			"where package serve serves it"
	}
	return err
}
