package storage

import (
	"context"
	"io"
)

// Copy copies inside the provider where both ends allow it, and streams
// otherwise, between any two buckets. Attributes and metadata come along,
// one by one, unless options replace them; a storage class, which is a word of
// one provider's, only within that. The source is pinned to one revision
// (Changed). IfAbsent and IfRevision guard the destination, WithVersion picks
// the source. Onto itself it restores a version, or changes attributes.
func Copy(ctx context.Context, dst Uploader, dstKey string, src Downloader, srcKey string, opts ...CopyOption) (*Attrs, error) {
	c := &copying{src: src, srcKey: srcKey, opts: opts}
	bad := c.req.apply(opts)
	own, ok := dst.(*bucket)
	if !ok {
		if bad != nil {
			return nil, located(dst, "Copy", dstKey, ownError(bad))
		}
		return c.streamTo(ctx, dst, dstKey)
	}
	e := c.open(own, dstKey, bad)
	if e == nil {
		ctx, e = c.begin(ctx)
	}
	if e != nil {
		return nil, c.end(e)
	}
	a, e := c.run(ctx)
	if e != nil {
		return nil, c.end(e)
	}
	return a, c.end(nil)
}

// copying is one call of Copy; its operation, and the upload where the bytes
// pass through this process, are the destination's.
type copying struct {
	upload
	req    CopyRequest
	src    Downloader
	srcKey string
	opts   []CopyOption
	from   *Reader // of a source of New's: its operation, which is a Download to its hooks
}

// open checks the options, of which bad says that they are wrong, and the
// destination's side.
func (c *copying) open(dst *bucket, key string, bad error) *Error {
	r := &c.req
	if e := c.prepare(dst, mayUpload, "Copy", key); e != nil {
		return e
	}
	if bad != nil {
		return ownError(bad)
	}
	if e := checkWriteKey(c.key); e != nil {
		return e
	}
	if e := c.core.resolveWrite(&r.Properties, r.PublicRead, &r.Condition, &r.set); e != nil {
		return e
	}
	r.Key = c.key
	native, e := c.core.natives(r.set.natives)
	r.Native = native
	return e
}

// run copies on the server's side where that is possible, else by streaming.
func (c *copying) run(ctx context.Context) (*Attrs, *Error) {
	src, ok := c.src.(*bucket)
	if !ok {
		return c.throughHere(ctx)
	}
	if e := c.openSource(ctx, src); e != nil {
		return nil, e
	}
	defer func() { _ = c.from.d.Close() }()
	if c.core.has(ServerCopy) {
		from := src.core.driver.Locate(c.from.d.key)
		to := c.core.driver.Locate(c.key)
		if comparableEqual(from.Account, to.Account) {
			a, e := c.onServer(ctx, from)
			if e == nil || e.Code != Unsupported || e.Op != "" {
				return a, e
			}
		}
	}
	return c.throughHere(ctx)
}

// openSource begins the source's own operation.
func (c *copying) openSource(ctx context.Context, src *bucket) *Error {
	c.from = &Reader{}
	d := &c.from.d
	e := d.prepare(src, mayDownload, "Download", c.srcKey)
	if e == nil {
		d.req.Length, d.req.Version, d.req.set.version = -1, c.req.Source.Version, c.req.set.version
		d.req.set.concurrency = c.req.set.concurrency
		e = d.resolveRead(&d.req)
	}
	if e == nil {
		d.ctx, e = d.begin(ctx)
	}
	if e != nil {
		return c.ofSource(d.end(e))
	}
	return nil
}

// ofSource is an error that the source's operation has put into its context.
func (c *copying) ofSource(err error) *Error {
	e := ownError(err)
	e.Op = "Copy"
	return e
}

// onServer is the provider's own copy.
func (c *copying) onServer(ctx context.Context, from ObjectRef) (*Attrs, *Error) {
	d := &c.from.d
	var source *Attrs
	e := d.call(d.ctx, func(ctx context.Context) (err error) {
		source, err = d.core.driver.Head(ctx, &d.req)
		return err
	})
	if e != nil {
		return nil, c.ofSource(d.fail(e))
	}
	r := c.req
	from.Version, from.Revision, from.Attrs = r.Source.Version, source.Revision, source
	r.Source = from
	marked := holdsReserved(source.Metadata)
	source.Metadata = d.core.shown(source.Metadata)
	merged := mergeProperties(source.Properties, r.Properties, r.set.given)
	if r.Condition != (Condition{}) {
		c.identify()
	}
	r.Properties = merged
	r.Metadata = c.core.stored(merged.Metadata, c.writeID)
	r.Replace = r.set.given != 0 || marked || c.writeID != ""
	var a *Attrs
	e = c.call(ctx, func(ctx context.Context) (err error) {
		a, err = c.core.driver.Copy(ctx, &r)
		return err
	})
	if e != nil {
		if e.Code == ObjectNotFound { // it was there a moment ago
			e.Code = Changed
		}
		a, e = c.settle(ctx, e, r.Condition, c.writeID)
		if e != nil {
			return nil, e
		}
		return c.present(a), nil
	}
	class := a.StorageClass
	a.Size, a.Properties = source.Size, merged
	if class != "" {
		a.StorageClass = class
	}
	if a.CRC32C == nil {
		a.CRC32C = source.CRC32C
	}
	return c.presentWritten(a), nil
}

// mergeProperties is the source's properties with those that were given.
func mergeProperties(source, with Properties, given property) Properties {
	for _, p := range [...]struct {
		bit      property
		to, from *string
	}{
		{propContentType, &source.ContentType, &with.ContentType},
		{propContentEncoding, &source.ContentEncoding, &with.ContentEncoding},
		{propContentDisposition, &source.ContentDisposition, &with.ContentDisposition},
		{propContentLanguage, &source.ContentLanguage, &with.ContentLanguage},
		{propCacheControl, &source.CacheControl, &with.CacheControl},
		{propStorageClass, &source.StorageClass, &with.StorageClass},
	} {
		if given&p.bit != 0 {
			*p.to = *p.from
		}
	}
	if given&propMetadata != 0 {
		source.Metadata = with.Metadata
	}
	return source
}

// throughHere streams between two buckets, within the destination's operation.
func (c *copying) throughHere(ctx context.Context) (*Attrs, *Error) {
	from, e := c.download(ctx)
	if e != nil {
		return nil, e
	}
	defer func() { _ = from.Close() }()
	body := &sourceBody{from: from}
	u := &c.upload
	u.writeID = ""
	u.req = PutRequest{Condition: c.req.Condition, PublicRead: c.req.PublicRead, Native: c.req.Native, Key: c.key}
	c.fill(&u.req, from.Attrs())
	u.req.set.concurrency, u.req.set.progress, u.req.set.journal = c.req.set.concurrency, c.req.set.progress, c.req.set.journal
	if e := u.src.init(body, u.req.Size); e != nil {
		return nil, e
	}
	if e := u.core.checkSize(u.req.Size); e != nil {
		return nil, e
	}
	a, e := u.store(ctx)
	if body.failed != nil && e != nil && e.Code == BodyFailed {
		e = sourceFailed(ctx, body.failed)
	}
	return a, e
}

// fill says of the upload what the source says of itself, and what was given.
func (c *copying) fill(r *PutRequest, source *Attrs) {
	r.Properties = mergeProperties(source.Properties, c.req.Properties, c.req.set.given)
	if r.ContentType == "" {
		r.ContentType = "application/octet-stream"
	}
	if !c.keepsClass() {
		r.StorageClass = ""
	}
	r.Size, r.CRC32C = source.Size, source.CRC32C
}

// keepsClass: another provider would refuse the source's storage class, or take
// it for one of its own. Whose the objects of a user's type are is not known.
func (c *copying) keepsClass() bool {
	if c.req.set.given&propStorageClass != 0 {
		return true
	}
	return c.from != nil && c.core.has(StorageClasses) && c.from.d.core.desc.Provider == c.core.desc.Provider
}

// download opens the source's bytes.
func (c *copying) download(ctx context.Context) (*Reader, *Error) {
	if r := c.from; r != nil {
		if e := r.d.open(r); e != nil {
			return nil, c.ofSource(r.d.fail(e))
		}
		r.attrs, r.from = r.d.present(r.d.attrs), &r.d
		return r, nil
	}
	var opts []DownloadOption
	if c.req.set.version {
		opts = append(opts, WithVersion(c.req.Source.Version))
	}
	if c.req.set.concurrency > 1 {
		opts = append(opts, WithConcurrency(int(c.req.set.concurrency)))
	}
	r, err := c.src.Download(ctx, c.srcKey, opts...)
	if err != nil {
		e := asError(ctx, err)
		e.Op = "Copy"
		if e.Key == "" {
			e.Key = c.srcKey
		}
		if e.Code == PreconditionFailed { // no condition of this call's
			e.Code, e.Err = Changed, bodyError{err}
		}
		return nil, e
	}
	return r, nil
}

// streamTo streams into a bucket that is not ours, by its Upload.
func (c *copying) streamTo(ctx context.Context, dst Uploader, key string) (*Attrs, error) {
	from, e := c.download(ctx)
	if e != nil {
		return nil, e
	}
	defer func() { _ = from.Close() }()
	body := &sourceBody{from: from}
	a, err := dst.Upload(ctx, key, body, c.uploadOptions(from.Attrs().Properties)...)
	if body.failed != nil && (err == nil || CodeOf(err) == BodyFailed) {
		return nil, located(dst, "Copy", key, sourceFailed(ctx, body.failed))
	}
	return a, err
}

// uploadOptions say to a bucket that is not ours what the source says of itself,
// and then what was given. They say neither size nor checksum: the bucket may
// store other bytes.
func (c *copying) uploadOptions(source Properties) []UploadOption {
	if source.ContentType == "" {
		source.ContentType = "application/octet-stream"
	}
	said := source.said() &^ propStorageClass // whose it is, is not known
	opts := []UploadOption{writeOption(func(w written) {
		*w.properties = mergeProperties(*w.properties, source, said)
	})}
	return append(opts, c.givenOptions()...)
}

// said is what p says anything of.
func (p *Properties) said() (said property) {
	for bit, isSaid := range map[property]bool{
		propContentType:        p.ContentType != "",
		propContentEncoding:    p.ContentEncoding != "",
		propContentDisposition: p.ContentDisposition != "",
		propContentLanguage:    p.ContentLanguage != "",
		propCacheControl:       p.CacheControl != "",
		propStorageClass:       p.StorageClass != "",
		propMetadata:           len(p.Metadata) > 0,
	} {
		if isSaid {
			said |= bit
		}
	}
	return said
}

// givenOptions are those of the call that fit an upload: all but WithVersion.
func (c *copying) givenOptions() []UploadOption {
	var opts []UploadOption
	for _, o := range c.opts {
		if o, ok := o.(UploadOption); ok {
			opts = append(opts, o)
		}
	}
	return opts
}

// sourceFailed is the error of a copy whose source broke off. The source's Code is
// not the copy's: its PreconditionFailed would say that the destination is there.
func sourceFailed(ctx context.Context, err error) *Error {
	if ctx.Err() != nil {
		return asError(ctx, ctx.Err())
	}
	source, e := ownError(err), bodyFailed(err)
	switch source.Code {
	case Changed, PreconditionFailed, ObjectNotFound, RangeNotSatisfiable: // it was there when it was opened
		e.Code = Changed
	}
	e.Hint, e.Status, e.RequestID = source.Hint, source.Status, source.RequestID
	e.Retryable, e.RetryAfter = source.Retryable, source.RetryAfter
	return e
}

// A sourceBody is a download that is uploaded. It remembers what the download
// failed with: to Copy that is an error of the source, not of a body.
type sourceBody struct {
	from   io.Reader
	failed error
}

func (b *sourceBody) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	if err != nil && err != io.EOF {
		b.failed = err
	}
	return n, err
}
