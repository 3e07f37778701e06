package engine

import (
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

func (b bucket) Compose(
	ctx context.Context, key string, srcKeys []string, opts *storage.CopyOptions,
) (*storage.Attrs, error) {
	o := &composeOp{srcKeys: srcKeys, opts: opts}
	// The result may replace a source. It must not be made of an object that a mirror's second store has.
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
func (c *composeOp) open(b *engine, key string) *storage.Error {
	c.op.keys = c.srcKeys
	if e := c.op.prepareWrite(b, "Compose", key); e != nil {
		return e
	}
	if e := b.resolveCopy(c.op.key, &c.req, c.opts); e != nil {
		return e
	}
	native, e := b.natives(c.opts.SourceNative)
	if e != nil {
		return e
	}
	c.req.Source.Native = native
	for _, key := range c.srcKeys {
		if e := b.checkReadKey(key); e != nil {
			return e
		}
	}
	return nil
}

func (c *composeOp) run(ctx context.Context) (*storage.Attrs, *storage.Error) {
	if e := c.headSources(ctx); e != nil {
		return nil, e
	}
	if c.req.ContentType == "" {
		c.req.ContentType = contentType("", c.op.key, nil)
		if headertext.MediaTypeByExtension(c.op.key) == "" && c.sources[0].ContentType != "" &&
			c.op.engine.has(storage.ContentProperties) {
			c.req.ContentType = c.sources[0].ContentType
		}
	}
	if c.op.engine.has(storage.ServerCompose) {
		a, e := c.serverCompose(ctx)
		return orStream(ctx, a, e, &c.req, c.streamCompose)
	}
	return c.streamCompose(ctx)
}

// headSources reads the attributes of all sources. Compose then reads exactly the revisions that
// these attributes name.
func (c *composeOp) headSources(ctx context.Context) *storage.Error {
	c.sources = make([]*storage.Attrs, len(c.srcKeys))
	errs := make([]*storage.Error, len(c.srcKeys))
	running.All(len(c.srcKeys), removal.AtOnce, func(i int) error {
		c.sources[i], errs[i] = head(ctx, &c.op, &driver.GetRequest{
			Key:    c.srcKeys[i],
			Length: -1,
			Native: c.req.Source.Native,
		})
		return nil
	})
	for i, e := range errs {
		if e != nil {
			return keyError(&c.op, e, c.srcKeys[i])
		}
	}
	return nil
}

// serverCompose lets the provider join the sources. No content passes through this process.
func (c *composeOp) serverCompose(ctx context.Context) (*storage.Attrs, *storage.Error) {
	engine := c.op.engine
	r := &driver.ComposeRequest{
		Key:        c.op.key,
		Properties: c.req.Properties,
		Controls:   c.req.Controls,
		Native:     c.req.Native,
		Condition:  c.req.Condition,
	}
	r.CRC32C.Known = true

	for i, source := range c.sources {
		ref := engine.driver.Locate(c.srcKeys[i])
		ref.Revision = source.Revision
		ref.Attrs = source
		ref.Native = c.req.Source.Native
		r.Sources = append(r.Sources, ref)
		r.CRC32C = driver.JoinCRC32C(r.CRC32C, source.CRC32C, source.Size)
		r.Size += source.Size
	}

	name := optionState(c.opts).WriteID
	writeID := ""
	// The composed object may replace one of its sources. If the response is lost, a retry would
	// read the new object as a source. Only a write id shows that the first attempt has succeeded.
	// So the request needs a write id in this case, too (see replacesSource).
	if c.req.Condition != (storage.Condition{}) || name != "" || slices.Contains(c.srcKeys, c.op.key) {
		writeID = engine.newWriteID(name)
	}
	r.Metadata = engine.metadata.Encode(c.req.Metadata, writeID)
	replaced := ""
	if i := slices.Index(c.srcKeys, c.op.key); i >= 0 {
		replaced = c.sources[i].Revision
	}

	call := func(ctx context.Context) (*storage.Attrs, error) { return engine.driver.Compose(ctx, r) }
	return replaceOnServer(ctx, &c.op, replaced, &r.Condition, call, &intent{
		properties: c.req.Properties,
		controls:   c.req.Controls,
		native:     c.req.Native,
		size:       r.Size,
		crc:        r.CRC32C,
		condition:  r.Condition,
		writeID:    writeID,
		named:      name != "",
	})
}

// streamCompose downloads the sources one after the other, and uploads them as one object.
func (c *composeOp) streamCompose(ctx context.Context) (*storage.Attrs, *storage.Error) {
	r := putOfCopy(&c.req)
	for _, source := range c.sources {
		r.Size += source.Size
	}
	body := &sourcebody.Body{Open: func(i int) (io.ReadCloser, error) {
		if i == len(c.srcKeys) {
			return nil, io.EOF
		}
		return c.openSource(ctx, i)
	}}
	defer body.Close()
	if i := slices.Index(c.srcKeys, c.op.key); i >= 0 {
		return replaceRead(ctx, &c.op, r, "", c.sources[i].Revision, c.opts.Transfer, body)
	}
	return storeSource(ctx, &c.op, r, c.opts.Transfer, body)
}

// openSource opens source i. It fails with Changed if the source is not the revision that
// headSources has seen.
func (c *composeOp) openSource(ctx context.Context, i int) (io.ReadCloser, error) {
	d := &download{ctx: ctx}
	want := c.sources[i]
	d.first.req = driver.GetRequest{
		Key:       c.srcKeys[i],
		Length:    -1,
		Condition: storage.Condition{Revision: want.Revision},
		Native:    c.req.Source.Native,
	}
	d.op.engine = c.op.engine
	d.op.name = c.op.name
	d.op.key = c.srcKeys[i]
	e := d.open()
	switch {
	case e == nil && !changed(want, d.reader.Attrs()):
		return d, nil
	case e == nil:
		_ = d.Close()
		e = &storage.Error{Code: storage.Changed}
	case e.Code == storage.PreconditionFailed || e.Code == storage.ObjectNotFound:
		e.Code = storage.Changed
	}
	return nil, d.fail(e)
}
