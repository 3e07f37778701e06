package engine

import (
	"cmp"
	"context"
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine/internal/sourcebody"
	"github.com/omnibucket/storage/internal/core/seam"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/objectkey"
)

// Source names the object as the source of a copy. Copy then copies inside the provider if it can.
func (b bucket) Source(key string) storage.CopySource { return storage.NewCopySource(b, key) }

func (b bucket) CopyFrom(
	ctx context.Context, key string, src storage.CopySource, opts *storage.CopyOptions,
) (*storage.Attrs, error) {
	c := b.engine
	o := &copyOp{from: src, opts: opts}
	o.op.keys = []string{src.Key()}
	e := o.op.prepareWrite(c, "Copy", key)
	if e == nil {
		e = c.resolveCopy(objectkey.Checked(ctx, key), &o.req, opts)
		o.req.Key = key
	}
	if o.tail() != nil {
		*optionState(opts).Taken = true
		e = cmp.Or(e, c.need(storage.ConditionalUpdate, "Append"))
	}
	if !o.fromElsewhere(c) {
		ctx = driver.WithoutFailover(ctx)
	}
	return run(ctx, &o.op, e, o.run)
}

// fromElsewhere reports whether the source is known to have no object in common with dst. Only then may the source
// be read from a mirror's second store, which may have an older object: the copy cannot replace a newer one by it.
func (c *copyOp) fromElsewhere(dst *engine) bool {
	src := c.sourceEngine()
	if src == nil || src == dst {
		return false
	}
	if src.desc.Places == nil {
		// The source has no layer with a second store.
		return true
	}
	_, inDst := evidence.Below(src.Places(), dst.Places())
	_, inSrc := evidence.Below(dst.Places(), src.Places())
	return !inDst && !inSrc
}

// A copyOp is one call of Copy. Hooks and telemetry see it as one operation on the destination's
// bucket, and as one download from the source's bucket.
type copyOp struct {
	op   operation
	req  driver.CopyRequest
	opts *storage.CopyOptions
	from storage.CopySource
	// source is the download of the source, in an operation of its own. It is nil if the source is
	// not from package engine.
	source *download
}

// sourceEngine returns the engine of the source, if the source is a Core of this package. A Core of
// another package may embed such a Core. If its source is itself, sourceEngine returns nil.
func (c *copyOp) sourceEngine() *engine {
	b, _ := seam.SourceCore(&c.from).(bucket)
	return b.engine
}

// tail returns the bytes that Append adds to the source. It returns nil for other operations.
func (c *copyOp) tail() []byte { return optionState(c.opts).Tail }

// resolveCopy checks the options of Copy or Compose, and copies them into r.
func (c *engine) resolveCopy(key string, r *driver.CopyRequest, opts *storage.CopyOptions) *storage.Error {
	if e := checkSet(&opts.Properties, opts.Set); e != nil {
		return e
	}
	r.Key = key
	r.Source.Version = opts.Version
	r.Properties = opts.Properties
	r.Controls = opts.Controls
	r.Condition = opts.Condition
	w := writeFields{&r.Properties, opts.Set, &r.Controls, &r.Condition, &r.Native, opts.Native}
	return cmp.Or(c.resolveWrite(key, w), checkTransfer(&opts.Transfer))
}

// run copies inside the provider if that is possible. Otherwise it downloads the source and uploads
// it.
func (c *copyOp) run(ctx context.Context) (*storage.Attrs, *storage.Error) {
	src := c.sourceEngine()
	if src == nil {
		return c.streamCopy(ctx)
	}
	if e := c.openSource(ctx, src); e != nil {
		return nil, e
	}
	defer func() { _ = c.source.Close() }()
	onServer := c.op.engine.has(storage.ServerCopy)
	if added := int64(len(c.tail())); added > 0 {
		limit := c.op.engine.desc.MaxPartSize
		onServer = c.op.engine.has(storage.ServerAppend) && (limit == 0 || added <= limit)
	}
	if onServer {
		srcRef := src.driver.Locate(c.source.op.key)
		dst := c.op.engine.driver.Locate(c.op.key)
		if evidence.EqualValues(srcRef.Account, dst.Account) {
			a, e := c.serverCopy(ctx, srcRef)
			return orStream(ctx, a, e, &c.req, c.streamCopy)
		}
	}
	return c.streamCopy(ctx)
}

// orStream completes a copy that was first tried on the server. The attributes a and the error e
// are the results of that attempt. If the store does not support the copy, orStream calls the
// function stream and returns its results. Otherwise orStream returns the results of the attempt.
//
// In two cases, orStream returns the results of the attempt even if the store does not support the
// copy. First, e has an Op, which means that e is an error of the source. Second, the attempt may
// have taken effect, and the request has a condition. The attempt itself could make the condition
// of a second write fail.
func orStream(
	ctx context.Context, a *storage.Attrs, e *storage.Error, r *driver.CopyRequest,
	stream func(context.Context) (*storage.Attrs, *storage.Error),
) (*storage.Attrs, *storage.Error) {
	if e == nil || e.Code != storage.Unsupported || e.Op != "" || e.Unknown && r.Condition != (storage.Condition{}) {
		return a, e
	}
	a, failure := stream(ctx)
	inheritUnknown(failure, e)
	return a, failure
}

// openSource starts the operation that reads the source. It makes no request.
func (c *copyOp) openSource(ctx context.Context, src *engine) *storage.Error {
	c.source = &download{}
	d := c.source
	set := c.opts
	e := d.prepare(src, c.from.Key(), c.sourceOptions())
	// Auxiliary forbids that the source is read from a cache. A cache may have an older revision of
	// the object. A copy within one bucket could then replace a newer object with an older one.
	d.first.req.Auxiliary = (src == c.op.engine || optionState(set).WriteID != "") && len(set.SourceNative) == 0
	d.ctx, e = d.op.begin(ctx, e)
	if e != nil {
		return sourceError(d.op.end(e))
	}
	return nil
}

// sourceError returns an error of the source as an error of Copy. It keeps the bucket and key of
// the source. PreconditionFailed becomes Changed. Otherwise the caller would think that a condition
// on the destination is not met.
func sourceError(err error) *storage.Error {
	e := ownError(err)
	e.Op = "Copy"
	if e.Code == storage.PreconditionFailed {
		e.Code = storage.Changed
	}
	return e
}

// keepsTags reports whether the copy gets the tags of its source. That is so if no option sets
// other tags, both buckets support tags, and the source is from package engine.
// mayHave is false if the source is known to have no tags.
func (c *copyOp) keepsTags(mayHave bool) bool {
	return mayHave && c.opts.Tags == nil && c.source != nil &&
		c.op.engine.has(storage.ObjectTags) && c.source.op.engine.has(storage.ObjectTags)
}

// sourceTags reads the tags of the source. If the credentials may not read tags, it returns no tags
// and no error. A role that copies objects often lacks the permission to read tags. Such a role
// must be able to copy an object even if a scanner of the store has set tags.
func (c *copyOp) sourceTags() (map[string]string, *storage.Error) {
	d := c.source
	r := d.sourceRequest()
	r.Auxiliary = true
	tags, e := readTags(d.ctx, &d.op, r)
	if e == nil {
		return tags, nil
	}
	if e.Code == storage.PermissionDenied {
		return nil, nil
	}
	return nil, c.sourceLost(e)
}

// sourceLost returns the error of a request that failed although the source existed before.
// ObjectNotFound becomes Changed.
func (c *copyOp) sourceLost(e *storage.Error) *storage.Error {
	if e.Code == storage.ObjectNotFound {
		e.Code = storage.Changed
	}
	return sourceError(c.source.fail(e))
}

// sourceRequest returns a request for the attributes or tags of the object that d reads.
func (d *download) sourceRequest() *driver.GetRequest {
	r := &d.first.req
	return &driver.GetRequest{Key: r.Key, Version: r.Version, Length: -1, Native: r.Native}
}

// checkSource fails with Changed if the source was replaced after its content was opened. Tags are
// read without a condition. If the source was replaced, the tags may belong to the newer object.
func (c *copyOp) checkSource(attrs *storage.Attrs) *storage.Error {
	d := c.source
	current, e := head(d.ctx, &d.op, d.sourceRequest())
	if e == nil && changed(attrs, d.op.toUser(d.ctx, current)) {
		e = &storage.Error{Code: storage.Changed, Err: errors.New("the source was replaced while its tags were read")}
	}
	if e != nil {
		return c.sourceLost(e)
	}
	return nil
}

// keepsClass reports whether the copy keeps the storage class of its source. The source and the
// destination must be of the same provider, because other providers refuse the name of the class or
// give it another meaning. A source that is not from package engine has no known provider.
func (c *copyOp) keepsClass() bool {
	if c.opts.Set&storage.StorageClassSet != 0 {
		return true
	}
	return c.source != nil && c.op.engine.has(storage.StorageClasses) &&
		c.source.op.engine.desc.Provider == c.op.engine.desc.Provider
}

// streamCopy downloads the source and uploads it. The upload is part of the destination's
// operation.
func (c *copyOp) streamCopy(ctx context.Context) (*storage.Attrs, *storage.Error) {
	src, e := c.download(ctx)
	if e != nil {
		return nil, e
	}
	defer src.Close()
	source := src.Attrs()
	r := putOfCopy(&c.req)
	r.Properties = source.Properties
	c.replaceProperties(&r.Properties)
	r.ContentType = cmp.Or(r.ContentType, "application/octet-stream")
	c.op.engine.dropProperties(&r.Properties)
	if !c.keepsClass() {
		r.StorageClass = ""
	}

	// The tags were read after the content, so check that both are of the same object.
	mayHave := source.TagCount > 0 || c.source != nil && c.source.op.engine.desc.TagsByHead
	if c.keepsTags(mayHave) {
		r.Tags, e = c.sourceTags()
		if e == nil && c.req.Source.Version == "" && (len(r.Tags) > 0 || source.TagCount > 0) {
			e = c.checkSource(source)
		}
		if e != nil {
			return nil, e
		}
	}

	// Append must not replace an object that was written meanwhile.
	if c.tail() != nil && r.Condition == (storage.Condition{}) {
		r.Condition.Revision = source.Revision
		if e := c.op.engine.condition(&r.Condition, storage.ConditionalUpdate); e != nil {
			return nil, e
		}
	}
	r.Size, r.CRC32C = c.expectedResult(source)

	body := sourcebody.One(src, c.tail())
	ontoItself := c.source != nil && c.source.op.engine == c.op.engine && c.source.op.key == c.op.key
	if ontoItself && c.tail() == nil && source.Revision != "" {
		untagged, e := c.op.engine.untagged(source.Revision)
		if e != nil {
			return nil, e
		}
		return replaceRead(ctx, &c.op, r, c.req.Source.Version, untagged, c.opts.Transfer, body)
	}
	return storeSource(ctx, &c.op, r, c.opts.Transfer, body)
}

// replaceRead uploads body, which reads the object that the upload replaces. The object may change
// after it was read. So the upload has the revision that was read as its condition, if r has no
// other condition and the store can compare. If the object changed, replaceRead fails with Changed.
// It sets no condition if an old version was read.
func replaceRead(
	ctx context.Context, o *operation, r driver.PutRequest, version, revision string, transfer storage.Transfer,
	body *sourcebody.Body,
) (*storage.Attrs, *storage.Error) {
	if r.Condition != (storage.Condition{}) || version != "" || revision == "" || !o.engine.has(storage.ConditionalUpdate) {
		return storeSource(ctx, o, r, transfer, body)
	}
	r.Condition.Revision = revision
	a, e := storeSource(ctx, o, r, transfer, body)
	if e != nil && e.Code == storage.PreconditionFailed {
		e.Code = storage.Changed
	}
	return a, e
}

// expectedResult returns the size in bytes and the checksum of the result: the source, followed by the bytes
// of Append.
func (c *copyOp) expectedResult(source *storage.Attrs) (size int64, crc storage.CRC32C) {
	added := int64(len(c.tail()))
	return source.Size + added, driver.JoinCRC32C(source.CRC32C, storage.CRC32C{Sum: crc32c.Sum(c.tail()), Known: true},
		added)
}

// putOfCopy returns the Put request for a copy r. Its size and checksum are not set, because they
// depend on the source.
func putOfCopy(r *driver.CopyRequest) driver.PutRequest {
	return driver.PutRequest{
		Key:        r.Key,
		Properties: r.Properties,
		Condition:  r.Condition,
		Controls:   r.Controls,
		Native:     r.Native,
	}
}

// storeSource uploads body, which reads the sources of a copy.
func storeSource(
	ctx context.Context, o *operation, r driver.PutRequest, transfer storage.Transfer, body *sourcebody.Body,
) (*storage.Attrs, *storage.Error) {
	w := &write{op: o, req: r, transfer: transfer}
	if e := w.open(body); e != nil {
		return nil, e
	}
	a, e := w.store(ctx)
	if err := body.SourceFailure(); err != nil && e != nil && e.Code == storage.BodyFailed {
		e = sourceFailed(ctx, err)
	}
	return a, e
}

// download opens the content of the source.
func (c *copyOp) download(ctx context.Context) (*storage.Reader, *storage.Error) {
	if d := c.source; d != nil {
		if e := d.open(); e != nil {
			return nil, sourceError(d.fail(e))
		}
		return d.present(), nil
	}
	return c.streamSource(ctx)
}

// sourceOptions returns the options for the download of the source.
func (c *copyOp) sourceOptions() *storage.DownloadOptions {
	return &storage.DownloadOptions{
		Length:      -1,
		Version:     c.opts.Version,
		Concurrency: c.opts.Concurrency,
		Native:      c.opts.SourceNative,
	}
}

// streamSource opens a source that is not from package engine, by its method Download.
func (c *copyOp) streamSource(ctx context.Context) (r *storage.Reader, e *storage.Error) {
	r, err := c.from.Download(ctx, c.sourceOptions())
	if err == nil {
		return r, nil
	}
	e = asError(ctx, err)
	e.Op = "Copy"
	e.Key = cmp.Or(e.Key, c.from.Key())
	// This error is about the source. With this Code, the caller would think that a condition on
	// the destination is not met.
	if e.Code == storage.PreconditionFailed {
		e.Code = storage.Changed
		e.Err = bodyFailed(err).Err
	}
	return nil, e
}

// sourceFailed returns the error of a copy whose source failed with err. Its Code is BodyFailed or
// Changed. The Code of err would be misleading: after PreconditionFailed, for example, the caller
// would think that the destination has an object.
func sourceFailed(ctx context.Context, err error) *storage.Error {
	if ctx.Err() != nil {
		return asError(ctx, ctx.Err())
	}
	source := ownError(err)
	e := bodyFailed(err)
	switch source.Code {
	case storage.Changed, storage.PreconditionFailed, storage.ObjectNotFound, storage.RangeNotSatisfiable:
		// The source existed when it was opened. Each of these codes means that another client has
		// changed or removed the source since.
		e.Code = storage.Changed
	}
	e.Hint = source.Hint
	e.Status = source.Status
	e.RequestID = source.RequestID
	e.Retryable = source.Retryable
	e.RetryAfter = source.RetryAfter
	return e
}
