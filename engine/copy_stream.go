package engine

import (
	"cmp"
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/sourcebody"
	"github.com/omnibucket/storage/internal/unexported"
)

// streamCopy streams between two buckets, within the destination's operation.
func (c *copyOp) streamCopy(ctx context.Context) (*storage.Attrs, *storage.Error) {
	from, e := c.download(ctx)
	if e != nil {
		return nil, e
	}
	defer func() { _ = from.Close() }()
	source := from.Attrs()
	r := putOfCopy(&c.req)
	r.Properties = mergeProperties(source.Properties, c.req.Properties, settings(&c.given).Given)
	r.ContentType = cmp.Or(r.ContentType, "application/octet-stream")
	c.op.core.dropProperties(&r.Properties)
	if !c.keepsClass() {
		r.StorageClass = ""
	}
	mayHave := source.TagCount > 0 || c.source != nil && c.source.op.core.desc.TagsByHead
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
	return storeSource(ctx, &c.op, r, settings(&c.given).OfCopy(), sourcebody.One(from))
}

// putOfCopy returns the request that stores what r copies, without what the source decides.
func putOfCopy(r *driver.CopyRequest) driver.PutRequest {
	return driver.PutRequest{Key: r.Key, Properties: r.Properties, Condition: r.Condition, Controls: r.Controls}
}

// storeSource stores what a body reads from objects.
func storeSource(ctx context.Context, o *operation, r driver.PutRequest, set unexported.Settings, body sourcebody.Body) (*storage.Attrs, *storage.Error) {
	w := &write{op: o, req: r}
	*settings(&w.given) = set
	if e := w.open(body); e != nil {
		return nil, e
	}
	a, e := w.store(ctx)
	if failed := body.SourceFailure(); failed != nil && e != nil && e.Code == storage.BodyFailed {
		e = sourceFailed(ctx, failed)
	}
	return a, e
}

// download opens the source's bytes.
func (c *copyOp) download(ctx context.Context) (*storage.Reader, *storage.Error) {
	if d := c.source; d != nil {
		if e := d.open(); e != nil {
			return nil, sourceError(d.fail(e))
		}
		return d.present(), nil
	}
	return openForeignSource(ctx, c.src, c.srcKey, &c.given)
}
