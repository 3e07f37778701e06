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

// CopyFrom makes the object key a copy of src.
func (b bucket) CopyFrom(
	ctx context.Context, key string, src storage.CopySource, opts *storage.CopyOptions,
) (*storage.Attrs, error) {
	o := &copyOp{from: src, opts: opts}
	checkErr := o.open(ctx, b.engine, key)
	if !o.fromElsewhere(b.engine) {
		// The source may be an object that the copy replaces, so it must not be an older one.
		ctx = driver.WithoutFailover(ctx)
	}
	return run(ctx, &o.op, checkErr, o.run)
}

// open checks the options and the key, and completes the request.
func (c *copyOp) open(ctx context.Context, dst *engine, key string) *storage.Error {
	c.op.keys = []string{c.from.Key()}
	isAppend := c.tail() != nil
	if isAppend {
		// Taken tells the function Append that this Core knows of its bytes. A Core that is a user's own
		// type may ignore them.
		*optionState(c.opts).Taken = true
	}

	if err := c.op.prepareWrite(dst, "Copy", key); err != nil {
		return err
	}
	// A move of a folder may write the key "folder/", of which only "folder" obeys the rules of keys.
	if err := dst.resolveCopy(objectkey.Checked(ctx, key), &c.req, c.opts); err != nil {
		return err
	}
	c.req.Key = key

	// Append must not replace an object that another call has changed.
	if isAppend {
		return dst.need(storage.ConditionalUpdate, "Append")
	}
	return nil
}

// fromElsewhere reports whether the bucket of the source is known to share no object with dst. Only
// then may a mirror read the source from its second store. That store may have an older object, which
// must not replace a newer one.
func (c *copyOp) fromElsewhere(dst *engine) bool {
	src := c.sourceEngine()
	if src == nil || src == dst {
		return false
	}
	if src.desc.Places == nil {
		// The source has no layer with a second store.
		return true
	}

	// A place is a bucket, a prefix in one, or a directory. The buckets may share objects if a place of
	// one is inside a place of the other.
	_, isSrcInDst := evidence.Below(src.Places(), dst.Places())
	_, isDstInSrc := evidence.Below(dst.Places(), src.Places())
	return !isSrcInDst && !isDstInSrc
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

// resolveCopy checks the options of Copy or Compose, and copies them into req.
func (e *engine) resolveCopy(key string, req *driver.CopyRequest, opts *storage.CopyOptions) *storage.Error {
	if err := checkSet(&opts.Properties, opts.Set); err != nil {
		return err
	}
	req.Key = key
	req.Source.Version = opts.Version
	req.Properties = opts.Properties
	req.Controls = opts.Controls
	req.Condition = opts.Condition
	err := e.resolveWrite(key, writeFields{
		properties: &req.Properties,
		set:        opts.Set,
		controls:   &req.Controls,
		condition:  &req.Condition,
		native:     &req.Native,
		natives:    opts.Native,
	})
	return cmp.Or(err, checkTransfer(&opts.Transfer))
}

// run copies inside the provider if possible, and otherwise downloads the source and uploads it.
func (c *copyOp) run(ctx context.Context) (*storage.Attrs, *storage.Error) {
	src := c.sourceEngine()
	if src == nil {
		// Only an engine has a driver that can copy inside the provider.
		return c.streamCopy(ctx)
	}
	if err := c.openSource(ctx, src); err != nil {
		return nil, err
	}
	defer func() { _ = c.source.Close() }()
	if !c.copiesOnServer() {
		return c.streamCopy(ctx)
	}

	srcRef := src.driver.Locate(c.source.op.key)
	dstRef := c.op.engine.driver.Locate(c.op.key)
	sameAccount := evidence.EqualValues(srcRef.Account, dstRef.Account)
	if !sameAccount {
		// No server reaches both buckets.
		return c.streamCopy(ctx)
	}
	attrs, err := c.serverCopy(ctx, srcRef)
	return fallBackToStream(ctx, attrs, err, &c.req, c.streamCopy)
}

// copiesOnServer reports whether the destination's store can copy inside the provider, and can append
// the bytes of Append there.
func (c *copyOp) copiesOnServer() bool {
	dst := c.op.engine
	tailSize := int64(len(c.tail()))
	if tailSize == 0 {
		return dst.has(storage.ServerCopy)
	}
	// The server gets the bytes of Append as one part of a multipart upload.
	limit := dst.desc.MaxPartSize // 0 if there is none
	if limit > 0 && tailSize > limit {
		return false
	}
	return dst.has(storage.ServerAppend)
}

// fallBackToStream calls stream, which downloads and uploads the content, if a copy on the server has
// failed because the server does not support it. Otherwise it returns attrs and err, the results of the
// copy on the server.
func fallBackToStream(
	ctx context.Context, attrs *storage.Attrs, err *storage.Error, req *driver.CopyRequest,
	stream func(context.Context) (*storage.Attrs, *storage.Error),
) (*storage.Attrs, *storage.Error) {
	if err == nil || err.Code != storage.Unsupported {
		return attrs, err
	}
	// Only an error of the source has its Op already.
	isSourceError := err.Op != ""
	if isSourceError {
		// The stream would fail with the same error.
		return attrs, err
	}
	hasCondition := req.Condition != (storage.Condition{})
	if err.Unknown && hasCondition {
		// The attempt may have taken effect, and could make the condition of a second write fail.
		return attrs, err
	}

	attrs, streamErr := stream(ctx)
	// If the attempt may have taken effect, the error for the caller must say so.
	inheritUnknown(streamErr, err)
	return attrs, streamErr
}

// openSource begins the operation that reads the source, but makes no request yet.
func (c *copyOp) openSource(ctx context.Context, src *engine) *storage.Error {
	d := &download{}
	c.source = d
	err := d.prepare(src, c.from.Key(), c.sourceOptions())

	// A copy within one bucket must not replace an object with an older revision from a cache. A cache
	// does not answer auxiliary requests. But in such a request, a driver would ignore native options
	// that do not fit, so a request with native options is never auxiliary.
	needsNewest := src == c.op.engine || optionState(c.opts).WriteID != ""
	d.first.req.Auxiliary = needsNewest && len(c.opts.SourceNative) == 0

	// The hooks see the operation even if its options are invalid.
	d.ctx, err = d.op.begin(ctx, err)
	if err != nil {
		return sourceError(d.op.end(err))
	}
	return nil
}

// sourceError returns an error of the source as an error of Copy, which keeps the source's bucket and
// key. PreconditionFailed becomes Changed, because it would seem to be about the destination.
func sourceError(err error) *storage.Error {
	failure := ownError(err)
	failure.Op = "Copy"
	if failure.Code == storage.PreconditionFailed {
		failure.Code = storage.Changed
	}
	return failure
}

// keepsTags reports whether the copy gets the tags of its source: both buckets must support tags, and
// no option may set others. mayHaveTags is false if the source is known to have none.
func (c *copyOp) keepsTags(mayHaveTags bool) bool {
	if !mayHaveTags || c.opts.Tags != nil {
		return false
	}
	if c.source == nil {
		// The source is not from package engine, so its tags cannot be read.
		return false
	}
	return c.op.engine.has(storage.ObjectTags) && c.source.op.engine.has(storage.ObjectTags)
}

// sourceTags reads the tags of the source. If the credentials may not read tags, it returns none and no
// error, so that they can still copy an object that a virus scanner has tagged.
func (c *copyOp) sourceTags() (map[string]string, *storage.Error) {
	d := c.source
	req := d.sourceRequest()

	// The driver then reads no cache, and omits tags that a service of the store has set.
	req.Auxiliary = true
	tags, err := readTags(d.ctx, &d.op, req)
	if err == nil {
		return tags, nil
	}
	if err.Code == storage.PermissionDenied {
		return nil, nil
	}
	return nil, c.sourceLost(err)
}

// sourceLost returns the error of a request to a source that existed before, so that ObjectNotFound
// means Changed.
func (c *copyOp) sourceLost(err *storage.Error) *storage.Error {
	if err.Code == storage.ObjectNotFound {
		err.Code = storage.Changed
	}
	return sourceError(c.source.fail(err))
}

// sourceRequest returns a request for the attributes or tags of the object that d reads.
func (d *download) sourceRequest() *driver.GetRequest {
	r := &d.first.req
	return &driver.GetRequest{Key: r.Key, Version: r.Version, Length: -1, Native: r.Native}
}

// checkSource fails with Changed if the source was replaced after its content was opened with these
// attributes. Its tags are read without a condition, so they could be those of the newer object. It
// compares the attributes of another read, after the tags.
func (c *copyOp) checkSource(attrs *storage.Attrs) *storage.Error {
	d := c.source
	current, err := head(d.ctx, &d.op, d.sourceRequest())
	if err != nil {
		return c.sourceLost(err)
	}
	if changed(attrs, d.op.toUser(d.ctx, current)) {
		return c.sourceLost(&storage.Error{
			Code: storage.Changed,
			Err:  errors.New("the source was replaced while its tags were read"),
		})
	}
	return nil
}

// keepsClass reports whether the request of the copy may name a storage class. One that an option
// sets stays, but that of the source has a meaning only at the same provider.
func (c *copyOp) keepsClass() bool {
	if c.opts.Set&storage.StorageClassSet != 0 {
		return true
	}
	if c.source == nil {
		// The source is not from package engine, so its provider is not known.
		return false
	}
	src := c.source.op.engine
	dst := c.op.engine
	return dst.has(storage.StorageClasses) && src.desc.Provider == dst.desc.Provider
}

// streamCopy downloads the source and uploads what it reads, followed by the bytes of Append.
func (c *copyOp) streamCopy(ctx context.Context) (*storage.Attrs, *storage.Error) {
	reader, err := c.download(ctx)
	if err != nil {
		return nil, err
	}
	defer reader.Close()

	source := reader.Attrs()
	req, err := c.streamRequest(source)
	if err != nil {
		return nil, err
	}
	body := sourcebody.One(reader, c.tail())

	// A copy onto itself must replace the revision that was read. For Append, streamRequest has set that
	// condition already.
	needsCondition := c.copiesOntoItself() && c.tail() == nil && source.Revision != ""
	if !needsCondition {
		return storeSource(ctx, &c.op, req, c.opts.Transfer, body)
	}

	// The reader has the revision as the user sees it, and the driver needs its own form.
	revision, err := c.op.engine.bareRevision(source.Revision)
	if err != nil {
		return nil, err
	}
	return replaceRead(ctx, &c.op, req, c.req.Source.Version, revision, c.opts.Transfer, body)
}

// streamRequest returns the request by which this process uploads the copy of an opened source with
// these attributes.
func (c *copyOp) streamRequest(source *storage.Attrs) (driver.PutRequest, *storage.Error) {
	dst := c.op.engine
	req := putOfCopy(&c.req)

	// The copy has the properties of its source, except for those that the caller sets.
	req.Properties = source.Properties
	c.replaceProperties(&req.Properties)
	req.ContentType = cmp.Or(req.ContentType, "application/octet-stream")
	dst.dropProperties(&req.Properties)
	if !c.keepsClass() {
		req.StorageClass = ""
	}
	req.Size, req.CRC32C = c.expectedResult(source)

	// Tags are not among the properties, so they may need a request of their own. With TagsByHead, the
	// response of the download does not say how many tags the object has.
	isCountUnknown := c.source != nil && c.source.op.engine.desc.TagsByHead
	if c.keepsTags(source.TagCount > 0 || isCountUnknown) {
		tags, err := c.streamTags(source)
		if err != nil {
			return req, err
		}
		req.Tags = tags
	}

	// Append must replace no other object than the one that was read.
	if c.tail() != nil && req.Condition == (storage.Condition{}) {
		req.Condition.Revision = source.Revision
		if err := dst.checkCondition(&req.Condition, storage.ConditionalUpdate); err != nil {
			return req, err
		}
	}
	return req, nil
}

// streamTags reads the tags of the opened source, and checks that its content and tags are of the
// same object.
func (c *copyOp) streamTags(source *storage.Attrs) (map[string]string, *storage.Error) {
	tags, err := c.sourceTags()
	if err != nil {
		return nil, err
	}
	isVersion := c.req.Source.Version != "" // another write never replaces a version
	hasTags := len(tags) > 0 || source.TagCount > 0
	if isVersion || !hasTags {
		return tags, nil
	}
	return tags, c.checkSource(source)
}

// copiesOntoItself reports whether the source and the destination are the same object of the same
// bucket.
func (c *copyOp) copiesOntoItself() bool {
	return c.source != nil && c.source.op.engine == c.op.engine && c.source.op.key == c.op.key
}

// replaceRead uploads body, which reads the very object that the upload replaces. Unless the caller
// has set a condition, the upload fails with Changed if that object no longer has the given revision.
// version is the version that body reads. If it is not "", body reads an old version, and the upload
// may replace any current object.
func replaceRead(
	ctx context.Context, o *operation, req driver.PutRequest, version, revision string, transfer storage.Transfer,
	body *sourcebody.Body,
) (*storage.Attrs, *storage.Error) {
	hasCondition := req.Condition != (storage.Condition{})
	readsCurrent := version == ""
	canCompare := revision != "" && o.engine.has(storage.ConditionalUpdate)
	if hasCondition || !readsCurrent || !canCompare {
		return storeSource(ctx, o, req, transfer, body)
	}

	req.Condition.Revision = revision
	attrs, err := storeSource(ctx, o, req, transfer, body)
	if err != nil && err.Code == storage.PreconditionFailed {
		err.Code = storage.Changed
	}
	return attrs, err
}

// expectedResult returns the size in bytes and the checksum of the source followed by the bytes of
// Append.
func (c *copyOp) expectedResult(source *storage.Attrs) (size int64, crc storage.CRC32C) {
	tail := c.tail()
	tailSize := int64(len(tail))
	tailCRC := storage.CRC32C{Sum: crc32c.Sum(tail), Known: true}
	return source.Size + tailSize, driver.JoinCRC32C(source.CRC32C, tailCRC, tailSize)
}

// putOfCopy returns the upload that writes what the copy req would write, still without the size and
// checksum, which depend on the source.
func putOfCopy(req *driver.CopyRequest) driver.PutRequest {
	return driver.PutRequest{
		Key:        req.Key,
		Properties: req.Properties,
		Condition:  req.Condition,
		Controls:   req.Controls,
		Native:     req.Native,
	}
}

// storeSource uploads body, which reads the sources of a copy. If a source fails, storeSource returns
// its error, and not that of the upload.
func storeSource(
	ctx context.Context, o *operation, req driver.PutRequest, transfer storage.Transfer, body *sourcebody.Body,
) (*storage.Attrs, *storage.Error) {
	w := &write{
		op:       o,
		req:      req,
		transfer: transfer,
	}
	if err := w.open(body); err != nil {
		return nil, err
	}
	attrs, err := w.store(ctx)
	if err == nil || err.Code != storage.BodyFailed {
		return attrs, err
	}

	// The upload could not read its body, usually because a source has failed.
	if err := body.SourceFailure(); err != nil {
		return nil, sourceFailed(ctx, err)
	}
	return nil, err
}

// download opens the content of the source. c.source is nil if the source is not from package engine.
func (c *copyOp) download(ctx context.Context) (*storage.Reader, *storage.Error) {
	d := c.source
	if d == nil {
		return c.streamSource(ctx)
	}
	if err := d.open(); err != nil {
		return nil, sourceError(d.fail(err))
	}
	return d.present(), nil
}

// sourceOptions returns the options for downloading the whole source.
func (c *copyOp) sourceOptions() *storage.DownloadOptions {
	return &storage.DownloadOptions{
		Length:      -1,
		Version:     c.opts.Version,
		Concurrency: c.opts.Concurrency,
		Native:      c.opts.SourceNative,
	}
}

// streamSource opens a source of another package by its method Download.
func (c *copyOp) streamSource(ctx context.Context) (*storage.Reader, *storage.Error) {
	reader, err := c.from.Download(ctx, c.sourceOptions())
	if err != nil {
		failure := asError(ctx, err)
		failure.Op = "Copy"
		failure.Key = cmp.Or(failure.Key, c.from.Key())
		// With PreconditionFailed, the caller would think that the destination does not meet its condition.
		// The cause of a failed body hides that Code from errors.Is, too.
		if failure.Code == storage.PreconditionFailed {
			failure.Code = storage.Changed
			failure.Err = bodyFailed(err).Err
		}
		return nil, failure
	}
	return reader, nil
}

// sourceFailed returns the error of a copy whose opened source failed with err, or that of the
// context. Its Code is BodyFailed or Changed, because the Code of err would seem to be about the
// destination.
func sourceFailed(ctx context.Context, err error) *storage.Error {
	if ctx.Err() != nil {
		return asError(ctx, ctx.Err())
	}

	source := ownError(err)
	failure := bodyFailed(err)
	switch source.Code {
	case storage.Changed, storage.PreconditionFailed, storage.ObjectNotFound, storage.RangeNotSatisfiable:
		// The source existed when it was opened, so another client has changed or removed it since.
		failure.Code = storage.Changed
	}

	// Keep all that the error of the source tells apart from its Code.
	failure.Hint = source.Hint
	failure.Status = source.Status
	failure.RequestID = source.RequestID
	failure.Retryable = source.Retryable
	failure.RetryAfter = source.RetryAfter
	return failure
}
