package engine

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/metadata"
)

// serverCopy lets the provider copy the object, so that no content passes through this process.
func (c *copyOp) serverCopy(ctx context.Context, src driver.ObjectRef) (*storage.Attrs, *storage.Error) {
	// If possible, save the request for the attributes of the source.
	if c.copiesWithoutAttrs() {
		attrs, e := c.copyWithoutAttrs(ctx, src)
		if e == nil || e.Retryable || e.Unknown || ctx.Err() != nil {
			return attrs, e
		}
		// The copy failed for good. Reading the attributes of the source below shows why.
	}

	source, e := c.headSource()
	if e != nil {
		return nil, e
	}
	if c.tail() != nil && c.req.Condition == (storage.Condition{}) {
		// Append must not replace an object that was written meanwhile.
		c.req.Condition.Revision = source.Revision
	}

	// Copy exactly the revision whose attributes were read.
	req := c.req
	stored := *source // copyIntent removes the reserved metadata from source, but a layer may need it
	src.Version = req.Source.Version
	src.Revision = source.Revision
	src.Attrs = &stored
	src.Native = c.source.first.req.Native
	req.Source = src

	want, e := c.copyIntent(&req, source)
	if e != nil {
		return nil, e
	}

	// Append joins the source with a tail.
	if len(c.tail()) > 0 {
		return c.appendOnServer(ctx, &req, want)
	}

	replaced := "" // the revision that the copy replaces, if it replaces its source
	if c.replacesSource(&src) {
		replaced = source.Revision
	}
	call := func(ctx context.Context) (*storage.Attrs, error) { return c.op.engine.driver.Copy(ctx, &req) }
	return replaceOnServer(ctx, &c.op, replaced, &req.Condition, call, want)
}

// headSource reads the attributes of the source, including the reserved metadata.
func (c *copyOp) headSource() (*storage.Attrs, *storage.Error) {
	d := c.source
	req := d.first.req
	// Some drivers must send all attributes again. NativeAttrs has those that Attrs lacks.
	req.NativeAttrs = true
	source, e := head(d.ctx, &d.op, &req)
	if e != nil {
		return nil, sourceError(d.fail(e))
	}
	return source, nil
}

// copyIntent completes req, the request of a copy of source, and removes the reserved metadata from
// source. It returns what the stored object is compared with if the response is lost.
func (c *copyOp) copyIntent(req *driver.CopyRequest, source *storage.Attrs) (*intent, *storage.Error) {
	dst := c.op.engine
	name := optionState(c.opts).WriteID // a write id that the caller chose, or ""
	// want gets the same values as the request.
	want := &intent{
		native:    req.Native,
		condition: req.Condition,
		named:     name != "",
	}
	want.size, want.crc = c.expectedResult(source)

	// Without an option for tags, the store may keep those of the source.
	req.ReplaceTags = c.opts.Tags != nil
	kept, e := c.copyTags(req, source.TagCount)
	if e != nil {
		return nil, e
	}
	want.keptTags = kept

	// The copy has the properties of its source, except for those that the caller sets.
	hadReserved := metadata.HoldsReserved(source.Metadata)
	source.Metadata = c.source.op.engine.metadata.Decode(c.source.ctx, source.Metadata)
	req.Properties = source.Properties
	c.replaceProperties(&req.Properties)
	dst.dropProperties(&req.Properties)
	if !dst.has(storage.ContentProperties) {
		req.ContentType = contentType("", c.op.key, nil)
	}
	want.properties = req.Properties
	want.controls = req.Controls

	// After a lost response, a write id in the metadata shows which write made the object.
	if req.Condition != (storage.Condition{}) || want.named || c.replacesSource(&req.Source) {
		want.writeID = dst.newWriteID(name)
	}
	req.Metadata = dst.metadata.Encode(req.Metadata, want.writeID)

	// Without Replace, the store keeps the properties of the source, with its reserved metadata.
	dropsProperties := !dst.has(storage.Metadata | storage.ContentProperties)
	req.Replace = c.opts.Set != 0 || hadReserved || want.writeID != "" || dropsProperties
	return want, nil
}

// appendOnServer lets the provider join the source and the bytes of Append to one object.
func (c *copyOp) appendOnServer(
	ctx context.Context, copyReq *driver.CopyRequest, want *intent,
) (*storage.Attrs, *storage.Error) {
	opts := c.opts
	appendsOnly := opts.Set == 0 && opts.Tags == nil && !locks(&opts.Controls) && !copyReq.PublicRead
	req := &driver.ComposeRequest{
		Key:        copyReq.Key,
		Sources:    []driver.ObjectRef{copyReq.Source},
		Tail:       c.tail(),
		Size:       want.size,
		CRC32C:     want.crc,
		Properties: copyReq.Properties,
		Controls:   copyReq.Controls,
		Native:     copyReq.Native,
		Condition:  copyReq.Condition,
		Unchanged:  appendsOnly,
	}
	call := func(ctx context.Context) (*storage.Attrs, error) { return c.op.engine.driver.Compose(ctx, req) }
	return writeOnServer(ctx, &c.op, call, want)
}

// copyTags makes the copy keep the count tags of its source, unless options replace them. If the store
// copies tags itself, kept is their number. Otherwise the tags go into req.
func (c *copyOp) copyTags(req *driver.CopyRequest, count int) (kept int, e *storage.Error) {
	if !c.keepsTags(count > 0) {
		return 0, nil
	}
	if c.op.engine.desc.CopiesTags && len(c.tail()) == 0 {
		return count, nil
	}
	req.Tags, e = c.sourceTags()
	return 0, e
}

// replacesSource reports whether the source and the destination are the same object. Such a copy
// needs a write id. A copy can succeed although its response is lost. The next attempt finds the
// object with a new revision. Only the write id shows that this copy made that revision.
func (c *copyOp) replacesSource(src *driver.ObjectRef) bool {
	dst := c.op.engine.driver.Locate(c.op.key)
	return src.Version == "" && src.Bucket == dst.Bucket && src.Key == dst.Key
}

// copiesWithoutAttrs reports whether the copy needs no attributes of the source, so that reading them
// is saved.
func (c *copyOp) copiesWithoutAttrs() bool {
	dst := c.op.engine
	if !dst.desc.CopiesWithoutAttrs || !c.opts.WithoutAttrs || c.tail() != nil {
		return false
	}
	// In each of these cases, the request must have all properties, which come from the source.
	replacesProperties := c.opts.Set != 0
	needsWriteID := c.req.Condition != (storage.Condition{})
	dropsProperties := !dst.has(storage.Metadata | storage.ContentProperties)
	if replacesProperties || needsWriteID || dropsProperties {
		return false
	}
	const mayHaveTags = true // without the attributes, that is not known
	return !c.keepsTags(mayHaveTags) || dst.desc.CopiesTags
}

// copyWithoutAttrs copies the source without reading its attributes. The copy then has the write id
// of the source, too, which rule W7 about lost responses permits.
func (c *copyOp) copyWithoutAttrs(ctx context.Context, src driver.ObjectRef) (*storage.Attrs, *storage.Error) {
	req := c.req
	src.Version = req.Source.Version
	src.Native = c.source.first.req.Native
	req.Source = src
	req.ReplaceTags = c.opts.Tags != nil

	call := func(ctx context.Context) (*storage.Attrs, error) { return c.op.engine.driver.Copy(ctx, &req) }
	want := &intent{
		controls: req.Controls,
		native:   req.Native,
		size:     -1, // not known
	}
	attrs, e := writeOnServer(ctx, &c.op, call, want)
	if attrs != nil {
		// The type is that of the source, which was not read.
		attrs.ContentType = ""
	}
	return attrs, e
}

// replaceOnServer is writeOnServer for a copy that may replace one of its own sources. replaced is the
// revision of that source, or "" if the copy replaces none. The copy fails with Changed if the source
// has changed, unless the caller has set a condition or the store cannot compare revisions.
// condition points to the condition that call sends.
func replaceOnServer(
	ctx context.Context, o *operation, replaced string, condition *storage.Condition,
	call func(context.Context) (*storage.Attrs, error), want *intent,
) (*storage.Attrs, *storage.Error) {
	// Without a source to guard, or with a condition of the caller, the copy needs no other condition.
	if replaced == "" || *condition != (storage.Condition{}) || !o.engine.has(storage.ConditionalUpdate) {
		return writeOnServer(ctx, o, call, want)
	}

	// The server may read the source at one moment and write at another.
	condition.Revision = replaced
	want.condition = *condition
	attrs, e := writeOnServer(ctx, o, call, want)
	if e == nil {
		return attrs, nil
	}

	if e.Code == storage.Unsupported && !e.Unknown {
		// Some servers compare revisions in uploads, but not in copies.
		*condition = storage.Condition{}
		want.condition = storage.Condition{}
		return writeOnServer(ctx, o, call, want)
	}
	if e.Code == storage.PreconditionFailed {
		e.Code = storage.Changed
	}
	return attrs, e
}

// writeOnServer writes an object by call, a copy inside the provider. If the response is lost, it
// finds out whether the write took effect.
func writeOnServer(
	ctx context.Context, o *operation, call func(context.Context) (*storage.Attrs, error), want *intent,
) (*storage.Attrs, *storage.Error) {
	attrs, e := request(ctx, o, call)
	if e != nil && e.Code == storage.ObjectNotFound {
		// The source existed before, so it was removed meanwhile.
		e.Code = storage.Changed
	}
	return finishWrite(ctx, o, attrs, e, want)
}

// replaceProperties replaces, in the properties of the source, those that options have set for the
// copy.
func (c *copyOp) replaceProperties(properties *storage.Properties) {
	set := c.opts.Set
	for _, text := range textProperties {
		if set&text.bit != 0 {
			*text.field(properties) = *text.field(&c.req.Properties)
		}
	}
	if set&storage.MetadataSet != 0 {
		properties.Metadata = c.req.Metadata
	}
}
