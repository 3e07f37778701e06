package gcs

import (
	"context"
	"fmt"
	"net/url"
	"slices"

	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/parallel"
	"github.com/omnibucket/storage/internal/transport"
)

// composeSources is how many objects one request can compose.
const composeSources = 32

// Compose composes up to 32 sources in one request. More sources take several
// levels of intermediate objects, which it removes after the last request.
func (d *objectDriver) Compose(ctx context.Context, r *driver.ComposeRequest) (*storage.Attrs, error) {
	c, err := d.bucket.newComposition(r.Key, &r.Properties, &r.Controls, r.Native, r.Condition)
	if err != nil {
		return nil, err
	}
	c.scratchPrefix = componentsPrefix + randomName() + "/"
	for _, source := range r.Sources {
		if callOf(source.Native).key.Base64() != c.call.key.Base64() {
			return nil, storage.Unsupported // Google takes one key for all sources: the core streams
		}
		c.tagged = c.tagged || source.Attrs == nil || source.Attrs.TagCount > 0
		o, err := d.account.sourceAt(source)
		if err != nil {
			return nil, err
		}
		c.sources = append(c.sources, o)
	}
	if len(r.Tail) > 0 { // the composition replaces the source, which stays the same object to its clients
		keepCustomTime(c.attrs, r.Sources[0])
		if err := d.composites.stageTail(ctx, r, c); err != nil {
			return nil, err
		}
	}
	attrs, err := c.run(ctx)
	if len(c.intermediate) > 0 {
		d.composites.discard(ctx, c.scratchPrefix, c.intermediate)
	}
	if err != nil {
		return nil, d.bucket.lockError(ctx, err, r.Condition, &r.Controls)
	}
	return attrs, nil
}

// A composition makes one object of several, 32 at a time.
type composition struct {
	bucket        *bucket
	call          *call
	target        *gcs.ObjectHandle // the object to make, with the condition and the key
	sources       []*gcs.ObjectHandle
	tagged        bool                // a source may have contexts
	attrs         *gcs.ObjectAttrs    // attributes of the target
	crc           storage.CRC32C      // checksum of the target, which the server checks before it stores
	scratchPrefix string              // prefix of the keys of intermediate objects
	intermediate  []*gcs.ObjectHandle // intermediate objects that were made
}

func (b *bucket) newComposition(
	key string, p *storage.Properties, w *storage.Controls, native []any, cond storage.Condition,
) (*composition, error) {
	c := &composition{bucket: b, call: callOf(native)}
	target, err := withCondition(c.call.on(b.handle().Object(key)), cond)
	if err != nil {
		return nil, err
	}
	c.target = target
	if c.attrs, err = b.account.attrsToSet(key, p, w, c.call); err != nil {
		return nil, err
	}
	return c, checkJoined(c.attrs)
}

// checkJoined returns Unsupported for an object that neither a copy nor a composition would
// verify: the core then streams.
func checkJoined(a *gcs.ObjectAttrs) error {
	if len(a.MD5) > 0 {
		return &storage.Error{
			Code: storage.Unsupported,
			Hint: "Google compares an MD5 only with the bytes of an upload in one request or session: set none here",
		}
	}
	return nil
}

// parameters returns the parameters of a request that the SDK's composer lacks. Without them
// Google ignores the encryption key, and joins the contexts of the sources.
func (c *composition) parameters(contexts *gcs.ObjectContexts) url.Values {
	query := url.Values{}
	if c.attrs.KMSKeyName != "" {
		query.Set("kmsKeyName", c.attrs.KMSKeyName)
	}
	if c.tagged && contexts == nil {
		query.Set(dropContexts, customContexts)
	}
	return query
}

func (c *composition) run(ctx context.Context) (*storage.Attrs, error) {
	if err := c.reduce(ctx); err != nil {
		return nil, err
	}
	return c.join(ctx)
}

// reduce makes intermediate objects until one request can compose them.
func (c *composition) reduce(ctx context.Context) error {
	ctx = transport.WithAnswer(with(ctx, c.call), transport.DefaultAnswer) // a composition takes as long as a rewrite
	for level := 1; len(c.sources) > composeSources; level++ {
		if err := c.step(ctx, level); err != nil {
			return sourceError(err)
		}
	}
	return nil
}

// join makes the request that composes the target.
func (c *composition) join(ctx context.Context) (*storage.Attrs, error) {
	ctx = transport.WithAnswer(with(ctx, c.call), transport.DefaultAnswer)
	composer := c.target.ComposerFrom(c.sources...)
	composer.ObjectAttrs = *c.attrs
	composer.Name = ""
	composer.PredefinedACL = c.attrs.PredefinedACL
	if c.crc.Known {
		composer.CRC32C, composer.SendCRC32C = c.crc.Sum, true
	}
	joined, err := write(adding(ctx, nil, c.parameters(c.attrs.Contexts)), composer.Run)
	if err != nil {
		return nil, sourceError(err)
	}
	return attrsOf(joined), nil
}

// step composes each 32 sources into an intermediate object. A single last source
// is composed too, because all sources of a request must have one storage class.
func (c *composition) step(ctx context.Context, level int) error {
	ctx = adding(ctx, nil, c.parameters(nil))
	groups := slices.Collect(slices.Chunk(c.sources, composeSources))
	next := make([]*gcs.ObjectHandle, len(groups))
	err := parallel.Each(ctx, len(groups), maxParallel, func(ctx context.Context, i int) error {
		o := c.call.on(c.bucket.handle().Object(fmt.Sprintf("%s%d-%06d", c.scratchPrefix, level, i)))
		composer := o.ComposerFrom(groups[i]...)
		composer.ContentType, composer.StorageClass = componentType, c.attrs.StorageClass
		made, err := composer.Run(ctx)
		if err != nil {
			return err
		}
		next[i] = c.bucket.handle().Object(o.ObjectName()).Generation(made.Generation) // a source must not have a key
		return nil
	})
	for _, o := range next {
		if o != nil {
			c.intermediate = append(c.intermediate, o)
		}
	}
	c.sources = next
	return err
}
