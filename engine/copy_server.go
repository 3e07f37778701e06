package engine

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/metadata"
)

// serverCopy lets the provider copy the object. No content passes through this process.
func (c *copyOp) serverCopy(ctx context.Context, src driver.ObjectRef) (*storage.Attrs, *storage.Error) {
	if c.copiesWithoutAttrs() {
		a, e := c.copyWithoutAttrs(ctx, src)
		if e == nil || e.Retryable || e.Unknown || ctx.Err() != nil {
			return a, e
		}
		// The copy failed for good. Reading the attributes of the source below shows why.
	}

	// Read the attributes of the source. The copy must be of this revision.
	d := c.source
	set := c.opts
	engine := c.op.engine
	req := d.first.req
	// Some drivers must send all attributes again. NativeAttrs has those that Attrs lacks.
	req.NativeAttrs = true
	source, e := head(d.ctx, &d.op, &req)
	if e != nil {
		return nil, sourceError(d.fail(e))
	}
	if c.tail() != nil && c.req.Condition == (storage.Condition{}) {
		c.req.Condition.Revision = source.Revision
	}
	r := c.req
	clone := *source // clone keeps the reserved metadata, which a layer may need
	src.Version = r.Source.Version
	src.Revision = source.Revision
	src.Attrs = &clone
	src.Native = d.first.req.Native
	r.Source = src
	r.ReplaceTags = set.Tags != nil

	// The intent says what the copy must store. After a lost response, the object is compared with it.
	name := optionState(set).WriteID
	in := &intent{native: r.Native, condition: r.Condition, named: name != ""}
	in.size, in.crc = c.expectedResult(source)
	in.keptTags, e = c.copyTags(&r, source.TagCount)
	if e != nil {
		return nil, e
	}

	// The copy has the properties of its source, except for those that the caller sets.
	marked := metadata.HoldsReserved(source.Metadata)
	source.Metadata = d.op.engine.metadata.Decode(d.ctx, source.Metadata)
	r.Properties = source.Properties
	c.replaceProperties(&r.Properties)
	engine.dropProperties(&r.Properties)
	if !engine.has(storage.ContentProperties) {
		r.ContentType = contentType("", c.op.key, nil)
	}
	if r.Condition != (storage.Condition{}) || in.named || c.replacesSource(&src) {
		in.writeID = engine.newWriteID(name)
	}
	in.properties = r.Properties
	in.controls = r.Controls
	r.Metadata = engine.metadata.Encode(r.Metadata, in.writeID)
	r.Replace = set.Set != 0 || marked || in.writeID != "" || !engine.has(storage.Metadata|storage.ContentProperties)
	if len(c.tail()) > 0 {
		return c.appendOnServer(ctx, &r, in)
	}

	replaced := ""
	if c.replacesSource(&src) {
		replaced = source.Revision
	}
	call := func(ctx context.Context) (*storage.Attrs, error) { return engine.driver.Copy(ctx, &r) }
	return replaceOnServer(ctx, &c.op, replaced, &r.Condition, call, in)
}

// appendOnServer joins the source and the bytes of Append to one object, inside the provider.
func (c *copyOp) appendOnServer(
	ctx context.Context, r *driver.CopyRequest, in *intent,
) (*storage.Attrs, *storage.Error) {
	set := c.opts
	req := &driver.ComposeRequest{
		Key:        r.Key,
		Sources:    []driver.ObjectRef{r.Source},
		Tail:       c.tail(),
		Size:       in.size,
		CRC32C:     in.crc,
		Properties: r.Properties,
		Controls:   r.Controls,
		Native:     r.Native,
		Condition:  r.Condition,
		Unchanged:  set.Set == 0 && set.Tags == nil && !locks(&set.Controls) && !r.PublicRead,
	}
	return writeOnServer(
		ctx, &c.op, func(ctx context.Context) (*storage.Attrs, error) { return c.op.engine.driver.Compose(ctx, req) },
		in,
	)
}

// copyTags makes the copy keep the tags of its source, unless options replace them. kept is the
// number of tags that the store copies itself. Other tags go into r.
func (c *copyOp) copyTags(r *driver.CopyRequest, count int) (kept int, e *storage.Error) {
	switch {
	case !c.keepsTags(count > 0):
	case c.op.engine.desc.CopiesTags && len(c.tail()) == 0:
		kept = count
	default:
		r.Tags, e = c.sourceTags()
	}
	return kept, e
}

// replacesSource reports whether the source and the destination are the same object. Such a copy
// needs a write id. A copy can succeed although its response is lost. The next attempt finds the
// object with a new revision. Only the write id shows that this copy made that revision.
func (c *copyOp) replacesSource(src *driver.ObjectRef) bool {
	dst := c.op.engine.driver.Locate(c.op.key)
	return src.Version == "" && src.Bucket == dst.Bucket && src.Key == dst.Key
}

// copiesWithoutAttrs reports whether the copy can be made without reading the attributes of the
// source. In two cases, the request must contain all properties, and the attributes must be read.
// First, a copy with a condition needs a write id in the metadata. Second, an option may replace
// properties.
func (c *copyOp) copiesWithoutAttrs() bool {
	r := &c.req
	target := c.op.engine
	return target.desc.CopiesWithoutAttrs && c.tail() == nil && c.opts.WithoutAttrs && c.opts.Set == 0 &&
		r.Condition == (storage.Condition{}) &&
		target.has(storage.Metadata|storage.ContentProperties) && (!c.keepsTags(true) || target.desc.CopiesTags)
}

// copyWithoutAttrs copies the source without reading its attributes. If the source has a write id
// in its metadata, the copy has the same write id. Rule W7, about lost responses, permits that.
func (c *copyOp) copyWithoutAttrs(ctx context.Context, src driver.ObjectRef) (*storage.Attrs, *storage.Error) {
	r := c.req
	src.Version = r.Source.Version
	src.Native = c.source.first.req.Native
	r.Source = src
	r.ReplaceTags = c.opts.Tags != nil
	call := func(ctx context.Context) (*storage.Attrs, error) { return c.op.engine.driver.Copy(ctx, &r) }
	a, e := writeOnServer(ctx, &c.op, call, &intent{controls: r.Controls, native: r.Native, size: -1})
	if a != nil {
		// The type is that of the source, which was not read.
		a.ContentType = ""
	}
	return a, e
}

// replaceOnServer is like writeOnServer, for a copy that may replace one of its sources. A server may read that source
// in one moment and write in another. So the request has the revision that was read, which is the parameter replaced,
// as its condition, if it has no other condition and the store can compare. If the object changed, replaceOnServer
// fails with Changed. A server that compares in uploads but not in copies makes the copy without the condition.
func replaceOnServer(
	ctx context.Context, o *operation, replaced string, condition *storage.Condition,
	call func(context.Context) (*storage.Attrs, error), in *intent,
) (*storage.Attrs, *storage.Error) {
	if replaced == "" || *condition != (storage.Condition{}) || !o.engine.has(storage.ConditionalUpdate) {
		return writeOnServer(ctx, o, call, in)
	}
	condition.Revision = replaced
	in.condition = *condition
	a, e := writeOnServer(ctx, o, call, in)
	switch {
	case e == nil:
	case e.Code == storage.PreconditionFailed:
		e.Code = storage.Changed
	case e.Code == storage.Unsupported && !e.Unknown:
		*condition = storage.Condition{}
		in.condition = *condition
		return writeOnServer(ctx, o, call, in)
	}
	return a, e
}

// writeOnServer calls the given function. That function copies or joins objects inside the
// provider. If the response is lost, writeOnServer finds out whether the write took effect.
func writeOnServer(
	ctx context.Context, o *operation, call func(context.Context) (*storage.Attrs, error), in *intent,
) (*storage.Attrs, *storage.Error) {
	a, e := request(ctx, o, call)
	if e != nil && e.Code == storage.ObjectNotFound {
		// The source existed before, so it was removed meanwhile.
		e.Code = storage.Changed
	}
	return finishWrite(ctx, o, a, e, in)
}

// replaceProperties replaces the properties in p that options have set. p has the properties of the
// source.
func (c *copyOp) replaceProperties(p *storage.Properties) {
	set := c.opts.Set
	for _, text := range textProperties {
		if set&text.bit != 0 {
			*text.of(p) = *text.of(&c.req.Properties)
		}
	}
	if set&storage.MetadataSet != 0 {
		p.Metadata = c.req.Metadata
	}
}
