package storage

import (
	"context"
	"errors"

	"github.com/omnibucket/storage/internal/equal"
	"github.com/omnibucket/storage/internal/scope"
	"github.com/omnibucket/storage/internal/serving"
	"github.com/omnibucket/storage/internal/unexported"
)

// A ServerCopier is a bucket that copies and joins objects on the server: one from [New], or a type
// of your own, for which [Copy] with this destination and [Compose] call these methods.
type ServerCopier interface {
	CopyFrom(ctx context.Context, key string, src Downloader, srcKey string, opts ...CopyOption) (*Attrs, error)
	Compose(ctx context.Context, key string, srcKeys []string, opts ...CopyOption) (*Attrs, error)
}

// Copy copies an object, between any two buckets: on the server if both ends allow
// it, else by streaming. Attributes and metadata are copied unless options replace
// them. A storage class is copied only within one provider. Attributes that the
// destination cannot keep (see [Metadata] and [ContentProperties]) are left out;
// Unsupported is only for those that an option sets. Tags are copied between buckets from [New], or
// [Unwrapper]s of such, that both have [ObjectTags]; a retention and a legal hold are not copied. If the credentials may
// not read the source's tags on Azure, the copy has none. Annotations of S3 are copied only if S3
// copies the object in one request.
//
// The source is pinned to one revision: if it changes meanwhile, Copy fails with
// Changed. [IfAbsent] and [IfRevision] guard the destination; [WithVersion] selects
// the version of the source. A copy of an object onto itself restores a version, or
// changes attributes. If the returned Attrs are not needed, [WithoutAttrs] saves a request on S3.
func Copy(ctx context.Context, dst Uploader, dstKey string, src Downloader, srcKey string, opts ...CopyOption) (*Attrs, error) {
	if to, ok := find[ServerCopier](dst); ok {
		return to.CopyFrom(ctx, dstKey, src, srcKey, opts...)
	}
	return copyToForeign(ctx, dst, dstKey, src, srcKey, opts)
}

func (b *bucket) CopyFrom(ctx context.Context, key string, src Downloader, srcKey string, opts ...CopyOption) (*Attrs, error) {
	c := &copyOp{src: src, srcKey: srcKey}
	failed := readCopyOptions(&c.req, &c.given, opts)
	e := c.op.prepare(b, scope.Upload, "Copy", key)
	if e == nil {
		e = b.core.resolveCopy(c.op.key, &c.req, &c.given.set, failed)
	}
	return run(ctx, &c.op, e, c.run)
}

// A copyOp is one call of Copy. Its operation is the destination's.
type copyOp struct {
	op     operation
	req    CopyRequest
	given  CopyOptions
	src    Downloader
	srcKey string
	source *download // of a bucket from New, with an operation of its own
}

// readCopyOptions reads the options of Copy and Compose.
func readCopyOptions(r *CopyRequest, given *CopyOptions, opts []CopyOption) error {
	err := given.Apply(opts...)
	r.Source.Version, r.Properties, r.Controls, r.Condition = given.Version, given.Properties, given.Controls, given.Condition
	return err
}

// resolveCopy checks the options of Copy and Compose, and completes the request.
// failed is how reading the options went.
func (c *core) resolveCopy(key string, r *CopyRequest, set *unexported.Settings, failed error) (e *Error) {
	if e = optionFailure(failed); e != nil {
		return e
	}
	if e = c.resolveWrite(key, &r.Properties, &r.Controls, &r.Condition, set); e != nil {
		return e
	}
	r.Key = key
	return nil
}

// run copies on the server if that is possible, else by streaming.
func (c *copyOp) run(ctx context.Context) (*Attrs, *Error) {
	src, ok := serving.Reach(c.src).(*bucket)
	if !ok {
		return c.streamCopy(ctx)
	}
	if e := c.openSource(ctx, src); e != nil {
		return nil, e
	}
	defer func() { _ = c.source.Close() }()
	if c.op.core.has(ServerCopy) {
		from := src.core.driver.Locate(c.source.op.key)
		to := c.op.core.driver.Locate(c.op.key)
		if equal.Values(from.Account, to.Account) {
			a, e := c.serverCopy(ctx, from)
			if e == nil || e.Code != Unsupported || e.Op != "" || e.Unknown && c.req.Condition != (Condition{}) {
				return a, e
			}
			a, failed := c.streamCopy(ctx)
			after(failed, e)
			return a, failed
		}
	}
	return c.streamCopy(ctx)
}

// openSource begins the operation of the source.
func (c *copyOp) openSource(ctx context.Context, src *bucket) *Error {
	c.source = &download{}
	d := c.source
	e := d.op.prepare(src, scope.Download, "Download", c.srcKey)
	if e == nil {
		d.req.Length, d.req.Version, d.given.set.Version = -1, c.req.Source.Version, c.given.set.Version
		d.given.set.Concurrency = c.given.set.Concurrency
		d.given.set.Natives = c.given.set.SourceNatives
		e = src.core.resolveRead(d.op.key, &d.req, &d.given.set)
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

// keepsTags reports whether the copy has the tags of its source, which may have some: no option
// sets others, and both ends have tags. A type of the user's own does not tell.
func (c *copyOp) keepsTags(mayHave bool) bool {
	return mayHave && !c.given.set.Tags && c.source != nil && c.op.core.has(ObjectTags) && c.source.op.core.has(ObjectTags)
}

// sourceTags reads the tags of the source. If the credentials may not, the copy has none: a role that
// may read and write objects need not be allowed to read tags, which scanners of the store set, too.
func (c *copyOp) sourceTags() (map[string]string, *Error) {
	d := c.source
	r := d.again()
	r.Auxiliary = true
	tags, e := readTags(d.ctx, &d.op, r)
	switch {
	case e == nil:
		return tags, nil
	case e.Code == PermissionDenied:
		return nil, nil
	}
	return nil, c.sourceLost(e)
}

// sourceLost returns the error for a request that failed after the source was there.
func (c *copyOp) sourceLost(e *Error) *Error {
	if e.Code == ObjectNotFound {
		e.Code = Changed
	}
	return sourceError(c.source.fail(e))
}

// again returns a request for the attributes or tags of the object that d reads.
func (d *download) again() *GetRequest {
	return &GetRequest{Key: d.req.Key, Version: d.req.Version, Length: -1, Native: d.req.Native}
}

// checkSource fails with Changed if the source is another object than the one that is read: the
// tags would not be those of its bytes. Reading tags has no condition.
func (c *copyOp) checkSource(read *Attrs) *Error {
	d := c.source
	now, e := head(d.ctx, &d.op, d.again())
	if e == nil && changed(read, d.op.toUser(now)) {
		e = &Error{Code: Changed, Err: errors.New("the source was replaced while its tags were read")}
	}
	if e != nil {
		return c.sourceLost(e)
	}
	return nil
}

// keepsClass reports whether the copy has the source's storage class. Another
// provider would refuse it, or take it for a class of its own; the provider of a
// user's own type is not known.
func (c *copyOp) keepsClass() bool {
	if c.given.set.Given&unexported.StorageClass != 0 {
		return true
	}
	return c.source != nil && c.op.core.has(StorageClasses) && c.source.op.core.desc.Provider == c.op.core.desc.Provider
}
