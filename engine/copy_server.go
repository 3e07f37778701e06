package engine

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/metadata"
	"github.com/omnibucket/storage/internal/unexported"
)

// serverCopy copies inside the provider.
func (c *copyOp) serverCopy(ctx context.Context, from driver.ObjectRef) (*storage.Attrs, *storage.Error) {
	if c.copiesWithoutAttrs() {
		a, e := c.copyWithoutAttrs(ctx, from)
		if e == nil || e.Retryable || e.Unknown || ctx.Err() != nil {
			return a, e
		} // else the attributes of the source show why
	}
	d := c.source
	whole := d.first.req
	whole.NativeAttrs = true // a driver that has to send all attributes finds those that Attrs does not have
	source, e := head(d.ctx, &d.op, &whole)
	if e != nil {
		return nil, sourceError(d.fail(e))
	}
	r := c.req
	from.Version, from.Revision, from.Attrs = r.Source.Version, source.Revision, source
	from.Native = d.first.req.Native
	r.Source = from
	marked := metadata.HoldsReserved(source.Metadata)
	source.Metadata = d.op.core.metadata.Decode(source.Metadata)
	merged := mergeProperties(source.Properties, r.Properties, settings(&c.given).Given)
	c.op.core.dropProperties(&merged)
	if !c.op.core.has(storage.ContentProperties) {
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
	r.ReplaceTags = settings(&c.given).Tags
	writeID := ""
	if r.Condition != (storage.Condition{}) || settings(&c.given).WriteID != "" || c.replacesSource(&from) {
		writeID = c.op.core.newWriteID(settings(&c.given).WriteID)
	}
	r.Properties = merged
	r.Metadata = c.op.core.metadata.Encode(merged.Metadata, writeID)
	r.Replace = settings(&c.given).Given != 0 || marked || writeID != "" || !c.op.core.has(storage.Metadata|storage.ContentProperties)
	return writeOnServer(ctx, &c.op, func(ctx context.Context) (*storage.Attrs, error) { return c.op.core.driver.Copy(ctx, &r) }, &intent{
		properties: merged, controls: r.Controls, keptTags: kept, size: source.Size, crc: source.CRC32C, condition: r.Condition,
		writeID: writeID, named: settings(&c.given).WriteID != "",
	})
}

// replacesSource reports whether the copy replaces its source. If its response is lost, another
// attempt finds another revision of the source: only a write id tells that it is the copy.
func (c *copyOp) replacesSource(from *driver.ObjectRef) bool {
	to := c.op.core.driver.Locate(c.op.key)
	return from.Version == "" && from.Bucket == to.Bucket && from.Key == to.Key
}

// copiesWithoutAttrs reports whether the copy can be made without the attributes of the source. A
// condition needs a write id in the metadata of the copy, and an option may replace properties:
// both write all properties again.
func (c *copyOp) copiesWithoutAttrs() bool {
	r, target := &c.req, c.op.core
	return target.desc.CopiesWithoutAttrs && settings(&c.given).WithoutAttrs && settings(&c.given).Given == 0 && r.Condition == (storage.Condition{}) &&
		target.has(storage.Metadata|storage.ContentProperties) && (!c.keepsTags(true) || target.desc.CopiesTags)
}

// copyWithoutAttrs copies a source whose attributes were not read. If its metadata has a write id, the
// copy has it, too: rule W7 permits that.
func (c *copyOp) copyWithoutAttrs(ctx context.Context, from driver.ObjectRef) (*storage.Attrs, *storage.Error) {
	r := c.req
	from.Version, from.Native = r.Source.Version, c.source.first.req.Native
	r.Source, r.ReplaceTags = from, settings(&c.given).Tags
	a, e := writeOnServer(ctx, &c.op, func(ctx context.Context) (*storage.Attrs, error) { return c.op.core.driver.Copy(ctx, &r) }, &intent{controls: r.Controls, size: -1})
	if a != nil {
		a.ContentType = "" // that of the source, which was not read
	}
	return a, e
}

// writeOnServer makes the driver call that copies or joins objects inside the provider.
func writeOnServer(ctx context.Context, o *operation, call func(context.Context) (*storage.Attrs, error), in *intent) (*storage.Attrs, *storage.Error) {
	a, e := request(ctx, o, call)
	if e != nil && e.Code == storage.ObjectNotFound { // the source existed before this request
		e.Code = storage.Changed
	}
	return finishWrite(ctx, o, a, e, in)
}

// mergeProperties returns the source's properties with those that were given.
func mergeProperties(source, with storage.Properties, given unexported.Property) storage.Properties {
	for _, text := range textProperties {
		if given&text.bit != 0 {
			*text.of(&source) = *text.of(&with)
		}
	}
	if given&unexported.Metadata != 0 {
		source.Metadata = with.Metadata
	}
	return source
}
