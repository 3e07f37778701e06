package engine

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/metadata"
)

// serverCopy lets the provider copy the object, so that no content passes through this process.
func (c *copyOp) serverCopy(ctx context.Context, src driver.ObjectRef) (*storage.Attrs, *storage.Error) {
	// The caller may have chosen a version, and native options for reading the source.
	src.Version = c.req.Source.Version
	src.Native = c.source.first.req.Native

	// If possible, save the request for the attributes of the source.
	if c.copiesWithoutAttrs() {
		attrs, err := c.copyWithoutAttrs(ctx, src)
		failedForGood := err != nil && !err.Retryable && !err.Unknown && ctx.Err() == nil
		if !failedForGood {
			return attrs, err
		}
		// Reading the attributes of the source shows why the copy failed.
	}
	return c.copyRevision(ctx, src)
}

// copyRevision reads the attributes of the source, and lets the provider copy exactly that revision.
// Append also adds its bytes.
func (c *copyOp) copyRevision(ctx context.Context, src driver.ObjectRef) (*storage.Attrs, *storage.Error) {
	source, err := c.headSource()
	if err != nil {
		return nil, err
	}
	isAppend := c.tail() != nil
	if isAppend && c.req.Condition == (storage.Condition{}) {
		// Append must not replace an object that was written meanwhile.
		c.req.Condition.Revision = source.Revision
	}

	src.Revision = source.Revision
	src.Attrs = source
	req := c.req
	req.Source = src
	want, err := c.copyIntent(&req, source)
	if err != nil {
		return nil, err
	}
	if len(c.tail()) > 0 {
		return c.appendOnServer(ctx, &req, want)
	}

	replaced := "" // the revision that the copy replaces, if it replaces its source
	if c.replacesSource(&src) {
		replaced = source.Revision
	}
	call := func(ctx context.Context) (*storage.Attrs, error) {
		// replaceOnServer may set another condition for each call.
		req.Condition = want.condition
		return c.op.engine.driver.Copy(ctx, &req)
	}
	return replaceOnServer(ctx, &c.op, replaced, call, want)
}

// headSource reads the attributes of the source, including the reserved metadata.
func (c *copyOp) headSource() (*storage.Attrs, *storage.Error) {
	source := c.source
	req := source.first.req // a copy
	// Some drivers must send all attributes again. NativeAttrs has those that Attrs lacks.
	req.NativeAttrs = true
	attrs, err := head(source.ctx, &source.op, &req)
	if err != nil {
		return nil, sourceError(source.fail(err))
	}
	return attrs, nil
}

// copyIntent completes req, the request of a copy of source, and returns what the stored object is
// compared with if the response is lost.
func (c *copyOp) copyIntent(req *driver.CopyRequest, source *storage.Attrs) (*intent, *storage.Error) {
	// Without an option for tags, the store may keep those of the source.
	req.ReplaceTags = c.opts.Tags != nil
	keptTags, err := c.copyTags(req, source.TagCount)
	if err != nil {
		return nil, err
	}
	c.copyProperties(req, source)

	callersID := optionState(c.opts).WriteID // a write id that the caller chose, or ""
	want := &intent{
		properties: req.Properties,
		controls:   req.Controls,
		native:     req.Native,
		condition:  req.Condition,
		keptTags:   keptTags,
		named:      callersID != "",
	}
	want.size, want.crc = c.expectedResult(source)

	// After a lost response, a write id in the metadata shows which write made the object.
	dst := c.op.engine
	if req.Condition != (storage.Condition{}) || want.named || c.replacesSource(&req.Source) {
		want.writeID = dst.newWriteID(callersID)
	}
	req.Metadata = dst.metadata.Encode(req.Metadata, want.writeID)

	// Without Replace, the store keeps the properties of the source, with its reserved metadata. That is
	// right only if the copy has the same ones.
	hadReserved := metadata.HoldsReserved(source.Metadata)
	req.Replace = c.opts.Set != 0 || hadReserved || want.writeID != "" || c.dropsProperties()
	return want, nil
}

// copyProperties sets the properties of the copy: those of its source, except for those that the caller
// sets, and without those that the destination cannot keep.
func (c *copyOp) copyProperties(req *driver.CopyRequest, source *storage.Attrs) {
	dst := c.op.engine
	req.Properties = source.Properties
	req.Metadata = c.source.op.engine.metadata.Decode(c.source.ctx, source.Metadata)
	c.replaceProperties(&req.Properties)
	dst.dropProperties(&req.Properties)
	if !dst.has(storage.ContentProperties) {
		// In such a store, the content type follows from the key's extension.
		req.ContentType = contentType("", c.op.key, nil)
	}
}

// dropsProperties reports whether the destination cannot keep all properties of an object.
func (c *copyOp) dropsProperties() bool {
	return !c.op.engine.has(storage.Metadata | storage.ContentProperties)
}

// appendOnServer lets the provider join the source and the bytes of Append to one object.
func (c *copyOp) appendOnServer(
	ctx context.Context, copyReq *driver.CopyRequest, want *intent,
) (*storage.Attrs, *storage.Error) {
	opts := c.opts
	// No option changes anything but the bytes of the object.
	appendsOnly := opts.Set == 0 && opts.Tags == nil && !hasLock(&opts.Controls) && !copyReq.PublicRead
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

// copyTags makes the copy keep the tags of its source, whose number is count, unless options replace
// them. If the store itself copies them, kept is their number. Otherwise kept is 0, and copyTags reads
// the tags and puts them into req.
func (c *copyOp) copyTags(req *driver.CopyRequest, count int) (kept int, err *storage.Error) {
	if !c.keepsTags(count > 0) {
		return 0, nil
	}
	if c.op.engine.desc.CopiesTags && len(c.tail()) == 0 {
		return count, nil
	}
	req.Tags, err = c.sourceTags()
	return 0, err
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
	if replacesProperties || needsWriteID || c.dropsProperties() {
		return false
	}
	const mayHaveTags = true // without the attributes, that is not known
	return !c.keepsTags(mayHaveTags) || dst.desc.CopiesTags
}

// copyWithoutAttrs copies the source without reading its attributes.
func (c *copyOp) copyWithoutAttrs(ctx context.Context, src driver.ObjectRef) (*storage.Attrs, *storage.Error) {
	req := c.req
	req.Source = src
	req.ReplaceTags = c.opts.Tags != nil

	// The copy keeps all metadata of the source, even its write id. That does no harm, because this
	// write has no id of its own, by which it would be recognized after a lost response.
	call := func(ctx context.Context) (*storage.Attrs, error) { return c.op.engine.driver.Copy(ctx, &req) }
	want := &intent{
		controls: req.Controls,
		native:   req.Native,
		size:     -1, // not known
	}
	attrs, err := writeOnServer(ctx, &c.op, call, want)
	if attrs != nil {
		// The type is that of the source, which was not read.
		attrs.ContentType = ""
	}
	return attrs, err
}

// replaceOnServer is writeOnServer for a copy that may replace one of its own sources. replaced is the
// revision of that source, or "" if the copy replaces none. The copy fails with Changed if the source
// has changed, unless the caller has set a condition or the store cannot compare revisions.
// call must send want.condition, which replaceOnServer changes.
func replaceOnServer(
	ctx context.Context, o *operation, replaced string, call func(context.Context) (*storage.Attrs, error), want *intent,
) (*storage.Attrs, *storage.Error) {
	hasCondition := want.condition != (storage.Condition{})
	canCompare := replaced != "" && o.engine.has(storage.ConditionalUpdate)
	if hasCondition || !canCompare {
		return writeOnServer(ctx, o, call, want)
	}

	// The server may read the source at one moment and write at another, so the object that the copy
	// replaces must still be that revision.
	want.condition.Revision = replaced
	attrs, err := writeOnServer(ctx, o, call, want)
	if err == nil {
		return attrs, nil
	}

	wasRefused := err.Code == storage.Unsupported && !err.Unknown
	if wasRefused {
		// Some servers compare revisions in uploads, but not in copies.
		want.condition = storage.Condition{}
		return writeOnServer(ctx, o, call, want)
	}
	if err.Code == storage.PreconditionFailed {
		err.Code = storage.Changed
	}
	return attrs, err
}

// writeOnServer writes an object by call, a copy inside the provider. If the response is lost, it
// finds out whether the store has the object that want describes.
func writeOnServer(
	ctx context.Context, o *operation, call func(context.Context) (*storage.Attrs, error), want *intent,
) (*storage.Attrs, *storage.Error) {
	attrs, err := request(ctx, o, call)
	if err != nil && err.Code == storage.ObjectNotFound {
		// The source existed before, so it was removed meanwhile.
		err.Code = storage.Changed
	}
	return finishWrite(ctx, o, attrs, err, want)
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
