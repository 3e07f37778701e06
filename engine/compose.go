package engine

import (
	"cmp"
	"context"
	"io"
	"slices"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine/internal/sourcebody"
	"github.com/omnibucket/storage/internal/core/removal"
	"github.com/omnibucket/storage/internal/headertext"
	"github.com/omnibucket/storage/internal/running"
)

// Compose joins the sources, in their order, to one object.
func (b bucket) Compose(
	ctx context.Context, key string, srcKeys []string, opts *storage.CopyOptions,
) (*storage.Attrs, error) {
	o := &composeOp{srcKeys: srcKeys, opts: opts}
	// The result may replace a source, so no older object of a mirror's second store may go into it.
	ctx = driver.WithoutFailover(ctx)
	return run(ctx, &o.op, o.open(b.engine, key), o.run)
}

// A composeOp holds the state of one call of Compose.
type composeOp struct {
	op      operation
	req     driver.CopyRequest
	opts    *storage.CopyOptions
	srcKeys []string
	sources []*storage.Attrs
}

// open checks the options and keys, and completes the request.
func (c *composeOp) open(e *engine, key string) *storage.Error {
	c.op.keys = c.srcKeys
	if err := c.op.prepareWrite(e, "Compose", key); err != nil {
		return err
	}
	if err := e.resolveCopy(c.op.key, &c.req, c.opts); err != nil {
		return err
	}
	native, err := e.nativeValues(c.opts.SourceNative)
	if err != nil {
		return err
	}
	c.req.Source.Native = native
	for _, key := range c.srcKeys {
		if err := e.checkReadKey(key); err != nil {
			return err
		}
	}
	return nil
}

// run composes the object inside the provider if possible, and otherwise downloads the sources and
// uploads them.
func (c *composeOp) run(ctx context.Context) (*storage.Attrs, *storage.Error) {
	if err := c.headSources(ctx); err != nil {
		return nil, err
	}
	if c.req.ContentType == "" {
		c.req.ContentType = c.composedType()
	}
	if !c.op.engine.has(storage.ServerCompose) {
		return c.streamCompose(ctx)
	}
	// If the server refuses these sources, the content passes through this process.
	attrs, err := c.serverCompose(ctx)
	return fallBackToStream(ctx, attrs, err, &c.req, c.streamCompose)
}

// composedType returns the content type of the composed object if no option sets one: the type of the
// key's extension, or else that of the first source.
func (c *composeOp) composedType() string {
	byExtension := headertext.MediaTypeByExtension(c.op.key)
	byKey := contentType("", c.op.key, nil) // byExtension or, if that is "", application/octet-stream
	if byExtension != "" || !c.op.engine.has(storage.ContentProperties) {
		return byKey
	}
	return cmp.Or(c.sources[0].ContentType, byKey)
}

// headSources reads the attributes of all sources, and thereby fixes the revisions to join.
func (c *composeOp) headSources(ctx context.Context) *storage.Error {
	c.sources = make([]*storage.Attrs, len(c.srcKeys))
	errs := make([]*storage.Error, len(c.srcKeys))
	headSource := func(i int) error {
		req := &driver.GetRequest{
			Key:    c.srcKeys[i],
			Length: -1,
			Native: c.req.Source.Native,
		}
		// The error stays in errs, because All would return it as another type.
		c.sources[i], errs[i] = head(ctx, &c.op, req)
		return nil
	}
	running.All(len(c.srcKeys), removal.AtOnce, headSource)

	// Return the error of the first source that has one.
	for i, err := range errs {
		if err != nil {
			return keyError(&c.op, err, c.srcKeys[i])
		}
	}
	return nil
}

// serverCompose lets the provider join the sources, so that no content passes through this process.
func (c *composeOp) serverCompose(ctx context.Context) (*storage.Attrs, *storage.Error) {
	engine := c.op.engine
	req := c.composeRequest()
	callersID := optionState(c.opts).WriteID // a write id that the caller chose, or ""
	want := &intent{
		properties: c.req.Properties,
		controls:   c.req.Controls,
		native:     c.req.Native,
		size:       req.Size,
		crc:        req.CRC32C,
		condition:  c.req.Condition,
		named:      callersID != "",
	}

	replacedRevision := ""
	replaced := c.replacedSource()
	if replaced != nil {
		replacedRevision = replaced.Revision
	}

	// If the response is lost, only a write id shows that an attempt has succeeded. A retry could
	// otherwise read the composed object as one of its own sources.
	hasCondition := want.condition != (storage.Condition{})
	if hasCondition || want.named || replaced != nil {
		want.writeID = engine.newWriteID(callersID)
	}
	req.Metadata = engine.metadata.Encode(c.req.Metadata, want.writeID)

	// replaceOnServer may change the condition between two calls.
	call := func(ctx context.Context) (*storage.Attrs, error) {
		req.Condition = want.condition
		return engine.driver.Compose(ctx, req)
	}
	return replaceOnServer(ctx, &c.op, replacedRevision, call, want)
}

// replacedSource returns the attributes of the source that the composed object replaces, or nil.
func (c *composeOp) replacedSource() *storage.Attrs {
	i := slices.Index(c.srcKeys, c.op.key)
	if i < 0 {
		return nil
	}
	return c.sources[i]
}

// composeRequest returns the request that joins the sources in the revisions whose attributes were
// read.
func (c *composeOp) composeRequest() *driver.ComposeRequest {
	req := &driver.ComposeRequest{
		Key:        c.op.key,
		Properties: c.req.Properties,
		Controls:   c.req.Controls,
		Native:     c.req.Native,
		Condition:  c.req.Condition,
	}
	req.CRC32C.Known = true
	for i, source := range c.sources {
		ref := c.op.engine.driver.Locate(c.srcKeys[i])
		ref.Revision = source.Revision
		ref.Attrs = source
		ref.Native = c.req.Source.Native
		req.Sources = append(req.Sources, ref)
		req.CRC32C = driver.JoinCRC32C(req.CRC32C, source.CRC32C, source.Size)
		req.Size += source.Size
	}
	return req
}

// streamCompose downloads the sources one after the other, and uploads them as one object.
func (c *composeOp) streamCompose(ctx context.Context) (*storage.Attrs, *storage.Error) {
	// The object has the bytes of all sources.
	req := putOfCopy(&c.req)
	for _, source := range c.sources {
		req.Size += source.Size
	}

	// body reads the sources in order: it calls openNext with 0, 1 and so on, until that returns io.EOF.
	openNext := func(i int) (io.ReadCloser, error) {
		if i == len(c.srcKeys) {
			return nil, io.EOF
		}
		return c.openSource(ctx, i)
	}
	body := &sourcebody.Body{Open: openNext}
	defer body.Close()

	replaced := c.replacedSource()
	if replaced == nil {
		return storeSource(ctx, &c.op, req, c.opts.Transfer, body)
	}
	const version = "" // the sources are all current objects
	return replaceRead(ctx, &c.op, req, version, replaced.Revision, c.opts.Transfer, body)
}

// openSource opens the source of this index, or fails with Changed if it no longer has the revision
// whose attributes were read.
func (c *composeOp) openSource(ctx context.Context, index int) (io.ReadCloser, error) {
	expected := c.sources[index]

	// Request the revision whose attributes were read before.
	d := &download{ctx: ctx}
	d.op.engine = c.op.engine
	d.op.name = c.op.name
	d.op.key = c.srcKeys[index]
	d.first.req = driver.GetRequest{
		Key:       c.srcKeys[index],
		Length:    -1, // the whole object
		Condition: storage.Condition{Revision: expected.Revision},
		Native:    c.req.Source.Native,
	}

	if err := d.open(); err != nil {
		wasReplaced := err.Code == storage.PreconditionFailed
		wasRemoved := err.Code == storage.ObjectNotFound
		if wasReplaced || wasRemoved {
			err.Code = storage.Changed
		}
		return nil, d.fail(err)
	}

	// A store without conditions has sent the current object, whatever its revision is.
	if changed(expected, d.reader.Attrs()) {
		_ = d.Close()
		return nil, d.fail(&storage.Error{Code: storage.Changed})
	}
	return d, nil
}
