package storage

import (
	"cmp"
	"context"
	"errors"
	"io"
)

// Copy copies an object, between any two buckets: on the server if both ends allow
// it, else by streaming. Attributes and metadata are copied unless options replace
// them. A storage class is copied only within one provider. Attributes that the
// destination cannot keep (see [Metadata] and [ContentProperties]) are left out;
// Unsupported is only for those that an option sets. Tags are copied between buckets from [New]
// that both have [ObjectTags]; a retention and a legal hold are not copied.
//
// The source is pinned to one revision: if it changes meanwhile, Copy fails with
// Changed. [IfAbsent] and [IfRevision] guard the destination; [WithVersion] selects
// the version of the source. A copy of an object onto itself restores a version, or
// changes attributes. If the returned Attrs are not needed, [WithoutAttrs] saves a request on S3.
func Copy(ctx context.Context, dst Uploader, dstKey string, src Downloader, srcKey string, opts ...CopyOption) (*Attrs, error) {
	c := &copyOp{src: src, srcKey: srcKey}
	failed := c.req.apply(opts)
	own, ok := dst.(*bucket)
	if !ok {
		if failed != nil {
			return nil, located(dst, "Copy", dstKey, ownError(failed))
		}
		return copyToForeign(ctx, dst, dstKey, c, opts)
	}
	e := c.op.prepare(own, mayUpload, "Copy", dstKey)
	if e == nil {
		e = own.core.resolveCopy(c.op.key, &c.req, failed)
	}
	return run(ctx, &c.op, e, c.run)
}

// A copyOp is one call of Copy. Its operation is the destination's.
type copyOp struct {
	op     operation
	req    CopyRequest
	src    Downloader
	srcKey string
	source *Reader // of a bucket from New, with an operation of its own: a Download
}

// resolveCopy checks the options of Copy and Compose, and completes the request.
// failed is how reading the options went.
func (c *core) resolveCopy(key string, r *CopyRequest, failed error) (e *Error) {
	if e = optionFailure(failed); e != nil {
		return e
	}
	if e = c.resolveWrite(key, &r.Properties, &r.Controls, &r.Condition, &r.set); e != nil {
		return e
	}
	r.Key = key
	return nil
}

// run copies on the server if that is possible, else by streaming.
func (c *copyOp) run(ctx context.Context) (*Attrs, *Error) {
	src, ok := c.src.(*bucket)
	if !ok {
		return c.streamCopy(ctx)
	}
	if e := c.openSource(ctx, src); e != nil {
		return nil, e
	}
	defer func() { _ = c.source.d.Close() }()
	if c.op.core.has(ServerCopy) {
		from := src.core.driver.Locate(c.source.d.op.key)
		to := c.op.core.driver.Locate(c.op.key)
		if comparableEqual(from.Account, to.Account) {
			a, e := c.serverCopy(ctx, from)
			if e == nil || e.Code != Unsupported || e.Op != "" {
				return a, e
			}
		}
	}
	return c.streamCopy(ctx)
}

// openSource begins the operation of the source.
func (c *copyOp) openSource(ctx context.Context, src *bucket) *Error {
	c.source = &Reader{}
	d := &c.source.d
	e := d.op.prepare(src, mayDownload, "Download", c.srcKey)
	if e == nil {
		d.req.Length, d.req.Version, d.req.set.version = -1, c.req.Source.Version, c.req.set.version
		d.req.set.concurrency = c.req.set.concurrency
		d.req.set.natives = c.req.set.sourceNatives
		e = src.core.resolveRead(d.op.key, &d.req)
	}
	if e == nil {
		d.ctx, e = d.op.begin(ctx)
	}
	if e != nil {
		return sourceError(d.op.end(e))
	}
	return nil
}

// sourceError returns an error of the source, with its own bucket and key, as one of
// Copy. PreconditionFailed would say that a condition of this call is not met.
func sourceError(err error) *Error {
	e := ownError(err)
	e.Op = "Copy"
	if e.Code == PreconditionFailed {
		e.Code = Changed
	}
	return e
}

// serverCopy copies inside the provider.
func (c *copyOp) serverCopy(ctx context.Context, from ObjectRef) (*Attrs, *Error) {
	if c.copiesWithoutAttrs() {
		a, e := c.copyWithoutAttrs(ctx, from)
		if e == nil || e.Retryable || e.Unknown || ctx.Err() != nil {
			return a, e
		} // else the attributes of the source show what the matter is
	}
	d := &c.source.d
	source, e := head(d.ctx, &d.op, &d.req)
	if e != nil {
		return nil, sourceError(d.fail(e))
	}
	r := c.req
	from.Version, from.Revision, from.Attrs = r.Source.Version, source.Revision, source
	from.Native = d.req.Native
	r.Source = from
	marked := holdsReserved(source.Metadata)
	source.Metadata = d.op.core.decodeMetadata(source.Metadata)
	merged := mergeProperties(source.Properties, r.Properties, r.set.given)
	c.op.core.dropProperties(&merged)
	if !c.op.core.has(ContentProperties) {
		merged.ContentType = contentType("", c.op.key, nil)
	}
	kept := 0 // tags that the store copies
	switch {
	case !c.keepsTags(source.TagCount > 0):
	case c.op.core.desc.CopiesTags:
		kept = source.TagCount
	default:
		if r.Tags, e = c.sourceTags(); e != nil {
			return nil, e
		}
	}
	r.ReplaceTags = r.set.tags
	writeID := ""
	if r.Condition != (Condition{}) {
		writeID = c.op.core.newWriteID()
	}
	r.Properties = merged
	r.Metadata = c.op.core.encodeMetadata(merged.Metadata, writeID)
	r.Replace = r.set.given != 0 || marked || writeID != "" || !c.op.core.has(Metadata|ContentProperties)
	return writeOnServer(ctx, &c.op, func(ctx context.Context) (*Attrs, error) { return c.op.core.driver.Copy(ctx, &r) }, &intent{
		properties: merged, controls: r.Controls, keptTags: kept, size: source.Size, crc: source.CRC32C, condition: r.Condition, writeID: writeID,
	})
}

// copiesWithoutAttrs reports whether nothing but the returned Attrs takes a look at the source: a
// condition needs a write id, and an option other properties, in the metadata of the copy.
func (c *copyOp) copiesWithoutAttrs() bool {
	r, target := &c.req, c.op.core
	return target.desc.CopiesWithoutAttrs && r.set.withoutAttrs && r.set.given == 0 && r.Condition == (Condition{}) &&
		target.has(Metadata|ContentProperties) && (!c.keepsTags(true) || target.desc.CopiesTags)
}

// copyWithoutAttrs copies a source whose attributes nobody has read. A write id in its metadata does no
// harm in the copy: rule W7.
func (c *copyOp) copyWithoutAttrs(ctx context.Context, from ObjectRef) (*Attrs, *Error) {
	r := c.req
	from.Version, from.Native = r.Source.Version, c.source.d.req.Native
	r.Source, r.ReplaceTags = from, r.set.tags
	a, e := writeOnServer(ctx, &c.op, func(ctx context.Context) (*Attrs, error) { return c.op.core.driver.Copy(ctx, &r) }, &intent{controls: r.Controls, size: -1})
	if a != nil {
		a.ContentType = "" // that of the source, which nobody has read
	}
	return a, e
}

// keepsTags reports whether the copy has the tags of its source, which may have some: no option
// sets others, and both ends have tags. A type of the user's own does not tell.
func (c *copyOp) keepsTags(mayHave bool) bool {
	return mayHave && !c.req.set.tags && c.source != nil && c.op.core.has(ObjectTags) && c.source.d.op.core.has(ObjectTags)
}

// sourceTags reads the tags of the source.
func (c *copyOp) sourceTags() (map[string]string, *Error) {
	d := &c.source.d
	tags, e := readTags(d.ctx, &d.op, d.again())
	if e != nil {
		return nil, c.sourceLost(e)
	}
	return tags, nil
}

// sourceLost returns the error for a request that failed after the source was there.
func (c *copyOp) sourceLost(e *Error) *Error {
	if e.Code == ObjectNotFound {
		e.Code = Changed
	}
	return sourceError(c.source.d.fail(e))
}

// again returns a request for the attributes or tags of the object that d reads.
func (d *download) again() *GetRequest {
	return &GetRequest{Key: d.req.Key, Version: d.req.Version, Length: -1, Native: d.req.Native}
}

// checkSource fails with Changed if the source is another object than the one that is read: the
// tags would not be those of its bytes. Reading tags has no condition.
func (c *copyOp) checkSource(read *Attrs) *Error {
	d := &c.source.d
	now, e := head(d.ctx, &d.op, d.again())
	if e == nil && (&pinnedObject{attrs: read}).changed(d.op.toUser(now)) {
		e = &Error{Code: Changed, Err: errors.New("the source was replaced while its tags were read")}
	}
	if e != nil {
		return c.sourceLost(e)
	}
	return nil
}

// writeOnServer makes the driver call that copies or joins objects inside the provider.
func writeOnServer(ctx context.Context, o *operation, call func(context.Context) (*Attrs, error), in *intent) (*Attrs, *Error) {
	a, e := request(ctx, o, call)
	if e != nil && e.Code == ObjectNotFound { // a source was there a moment ago
		e.Code = Changed
	}
	return finishWrite(ctx, o, a, e, in)
}

// mergeProperties returns the source's properties with those that were given.
func mergeProperties(source, with Properties, given property) Properties {
	for _, text := range textProperties {
		if given&text.bit != 0 {
			*text.of(&source) = *text.of(&with)
		}
	}
	if given&propMetadata != 0 {
		source.Metadata = with.Metadata
	}
	return source
}

// streamCopy streams between two buckets, within the destination's operation.
func (c *copyOp) streamCopy(ctx context.Context) (*Attrs, *Error) {
	from, e := c.download(ctx)
	if e != nil {
		return nil, e
	}
	defer func() { _ = from.Close() }()
	source := from.Attrs()
	r := c.req.put()
	r.Properties = mergeProperties(source.Properties, c.req.Properties, c.req.set.given)
	r.ContentType = cmp.Or(r.ContentType, "application/octet-stream")
	c.op.core.dropProperties(&r.Properties)
	if !c.keepsClass() {
		r.StorageClass = ""
	}
	mayHave := source.TagCount > 0 || c.source != nil && c.source.d.op.core.desc.TagsByHead
	if c.keepsTags(mayHave) {
		r.Tags, e = c.sourceTags()
		if e == nil && c.req.Source.Version == "" && (len(r.Tags) > 0 || source.TagCount > 0) {
			e = c.checkSource(source)
		}
		if e != nil {
			return nil, e
		}
	}
	r.Size, r.CRC32C = source.Size, source.CRC32C
	return storeSource(ctx, &c.op, r, &sourceBody{from: from})
}

// keepsClass reports whether the copy has the source's storage class. Another
// provider would refuse it, or take it for a class of its own; the provider of a
// user's own type is not known.
func (c *copyOp) keepsClass() bool {
	if c.req.set.given&propStorageClass != 0 {
		return true
	}
	return c.source != nil && c.op.core.has(StorageClasses) && c.source.d.op.core.desc.Provider == c.op.core.desc.Provider
}

// put returns the request that stores what r copies, without what the source decides.
func (r *CopyRequest) put() PutRequest {
	return PutRequest{
		Key: r.Key, Properties: r.Properties, Condition: r.Condition, Controls: r.Controls,
		set: settings{concurrency: r.set.concurrency, progress: r.set.progress, resumeFile: r.set.resumeFile},
	}
}

// storeSource stores what a body reads from objects.
func storeSource(ctx context.Context, o *operation, r PutRequest, body interface {
	io.Reader
	sourceFailure() error
}) (*Attrs, *Error) {
	w := &write{op: o, req: r}
	if e := w.open(body); e != nil {
		return nil, e
	}
	a, e := w.store(ctx)
	if failed := body.sourceFailure(); failed != nil && e != nil && e.Code == BodyFailed {
		e = sourceFailed(ctx, failed)
	}
	return a, e
}

// download opens the source's bytes.
func (c *copyOp) download(ctx context.Context) (*Reader, *Error) {
	if r := c.source; r != nil {
		if e := r.d.open(); e != nil {
			return nil, sourceError(r.d.fail(e))
		}
		r.present()
		return r, nil
	}
	var opts []DownloadOption
	if c.req.set.version {
		opts = append(opts, WithVersion(c.req.Source.Version))
	}
	for _, n := range c.req.set.sourceNatives {
		opts = append(opts, nativeOption(n))
	}
	if c.req.set.concurrency > 0 {
		opts = append(opts, WithConcurrency(int(c.req.set.concurrency)))
	}
	r, err := c.src.Download(ctx, c.srcKey, opts...)
	if err != nil {
		e := asError(ctx, err)
		e.Op = "Copy"
		e.Key = cmp.Or(e.Key, c.srcKey)
		if e.Code == PreconditionFailed { // not a condition of this call
			e.Code, e.Err = Changed, bodyError{err}
		}
		return nil, e
	}
	return r, nil
}

// sourceFailed returns the error of a copy whose source failed with err. The Code is
// not the source's: PreconditionFailed would say that the destination exists.
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

// A sourceBody is a download that is uploaded. It keeps the error of the download: to
// Copy that is an error of the source, not of a body.
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

func (b *sourceBody) sourceFailure() error { return b.failed }
