package gcs

import (
	"context"
	"fmt"
	"net/url"
	"slices"

	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/internal/transport"
)

// composeSources is the maximum number of objects that one request can compose.
const composeSources = 32

// Compose composes up to 32 sources in one request. If there are more sources, it creates
// intermediate objects in several levels, and removes them after the last request.
func (d *objectDriver) Compose(ctx context.Context, r *driver.ComposeRequest) (*storage.Attrs, error) {
	c, err := d.bucket.newComposition(r.Key, &r.Properties, &r.Controls, r.Native, r.Condition)
	if err != nil {
		return nil, err
	}

	c.scratchPrefix = componentsPrefix + randomName() + "/"
	if err := c.addSources(r.Sources); err != nil {
		return nil, err
	}

	// In an append, the new object replaces the source, and must keep the custom time of the source.
	hasTail := len(r.Tail) > 0
	if hasTail {
		keepCustomTime(c.attrs, r.Sources[0])
		if err := d.composites.stageTail(ctx, r, c); err != nil {
			return nil, err
		}
	}

	// The tail, and the results of all levels but the last, are intermediate objects.
	hasIntermediates := hasTail || len(r.Sources) > composeSources
	attrs, err := c.run(ctx)
	if err != nil {
		err = d.bucket.lockError(ctx, err, r.Condition, &r.Controls)
		if !hasIntermediates {
			return nil, err
		}
		return nil, d.composites.undo(ctx, c, err)
	}
	if hasIntermediates {
		// The object is made. SweepParts removes what discard cannot.
		_ = d.composites.discard(ctx, c.scratchPrefix, c.intermediates)
	}
	return attrs, nil
}

// A composition creates one object from several sources, at most 32 in each request.
type composition struct {
	bucket         *bucket
	opts           *callOptions
	target         *gcs.ObjectHandle // the object to create, with the condition and the key
	sources        []*gcs.ObjectHandle
	copiesContexts bool                // true if a source may have contexts, which are Google's tags
	attrs          *gcs.ObjectAttrs    // attributes of the target
	crc            storage.CRC32C      // checksum of the target; the server verifies it before it stores the target
	scratchPrefix  string              // prefix of the keys of intermediate objects
	intermediates  []*gcs.ObjectHandle // intermediate objects that exist and must be removed
}

// addSources adds the sources of a Compose. It fails with Unsupported if one has another customer's
// key than the target, because Google accepts only one key. The engine then streams the sources.
func (c *composition) addSources(sources []driver.ObjectRef) error {
	for _, source := range sources {
		if newCallOptions(source.Native).key.Base64() != c.opts.key.Base64() {
			return storage.Unsupported
		}

		// Without attributes, the number of tags is not known.
		mayHaveTags := source.Attrs == nil || source.Attrs.TagCount > 0
		if mayHaveTags {
			c.copiesContexts = true
		}

		handle, err := c.bucket.account.sourceAt(source)
		if err != nil {
			return err
		}
		c.sources = append(c.sources, handle)
	}
	return nil
}

// newComposition returns a composition without sources, which the caller adds.
func (b *bucket) newComposition(
	key string, props *storage.Properties, controls *storage.Controls, native []any, condition storage.Condition,
) (*composition, error) {
	opts := newCallOptions(native)
	target, err := withCondition(opts.addKey(b.handle().Object(key)), condition)
	if err != nil {
		return nil, err
	}
	attrs, err := b.account.attrsToSet(key, props, controls, opts)
	if err != nil {
		return nil, err
	}
	if err := refuseMD5(attrs); err != nil {
		return nil, err
	}
	return &composition{bucket: b, opts: opts, target: target, attrs: attrs}, nil
}

// refuseMD5 returns Unsupported if the object should have an MD5. Neither a copy nor a
// composition would verify the MD5, so the engine streams instead.
func refuseMD5(a *gcs.ObjectAttrs) error {
	if len(a.MD5) > 0 {
		return &storage.Error{
			Code: storage.Unsupported,
			Hint: "Google compares an MD5 only with the bytes of an upload in one request or session: set none here",
		}
	}
	return nil
}

// parameters returns the parameters of a composition that the SDK cannot set. contexts are the tags that
// the request sets, which Google calls contexts, or nil. Without kmsKeyName, Google would ignore the
// encryption key. Without dropContextGroups, an object without tags of its own would get those of all
// sources.
func (c *composition) parameters(contexts *gcs.ObjectContexts) url.Values {
	query := url.Values{}
	if c.attrs.KMSKeyName != "" {
		query.Set("kmsKeyName", c.attrs.KMSKeyName)
	}
	if c.copiesContexts && contexts == nil {
		query.Set(dropContexts, customContexts)
	}
	return query
}

// run creates the object. If it fails, some of c.intermediates may exist.
func (c *composition) run(ctx context.Context) (*storage.Attrs, error) {
	if err := c.reduce(ctx); err != nil {
		return nil, err
	}
	return c.composeTarget(ctx)
}

// reduce composes the sources into intermediate objects until there are at most 32, which one request can
// compose.
func (c *composition) reduce(ctx context.Context) error {
	ctx = c.withLongWait(ctx)
	for level := 1; len(c.sources) > composeSources; level++ {
		if err := c.composeLevel(ctx, level); err != nil {
			return sourceError(err)
		}
	}
	return nil
}

// composeTarget sends the last request, which composes the target from at most 32 sources.
func (c *composition) composeTarget(ctx context.Context) (*storage.Attrs, error) {
	ctx = withRequestFields(c.withLongWait(ctx), nil, c.parameters(c.attrs.Contexts))

	composer := c.target.ComposerFrom(c.sources...)
	composer.ObjectAttrs = *c.attrs
	composer.Name = "" // the target has it already
	composer.PredefinedACL = c.attrs.PredefinedACL
	if c.crc.Known {
		composer.CRC32C = c.crc.Sum
		composer.SendCRC32C = true
	}

	attrs, err := write(ctx, composer.Run)
	if err != nil {
		return nil, sourceError(err)
	}
	return attrsOf(attrs), nil
}

// withLongWait returns a context for the requests of the composition, which may wait longer than others for the
// response: as for a rewrite, Google may need half a minute.
func (c *composition) withLongWait(ctx context.Context) context.Context {
	return transport.WithAnswer(withCallOptions(ctx, c.opts), transport.DefaultAnswer)
}

// composeLevel composes each group of 32 sources into an intermediate object. The intermediate objects
// are then the sources. They have the storage class of the target, because all sources of a later
// request must have the same one. For the same reason, a single source that remains is composed, too.
func (c *composition) composeLevel(ctx context.Context, level int) error {
	ctx = withRequestFields(ctx, nil, c.parameters(nil))
	groups := slices.Collect(slices.Chunk(c.sources, composeSources))
	composed := make([]*gcs.ObjectHandle, len(groups)) // nil for a group whose request failed
	err := running.Each(ctx, len(groups), maxParallel, func(ctx context.Context, i int) error {
		key := fmt.Sprintf("%s%d-%06d", c.scratchPrefix, level, i)
		object, err := c.composeIntermediate(ctx, key, groups[i])
		if err != nil {
			return err
		}
		composed[i] = object
		return nil
	})

	// Even if a request failed, the others may have created objects, which must be removed later.
	for _, object := range composed {
		if object != nil {
			c.intermediates = append(c.intermediates, object)
		}
	}
	if err != nil {
		return err
	}
	c.sources = composed
	return nil
}

// composeIntermediate composes sources into an intermediate object with this key.
func (c *composition) composeIntermediate(
	ctx context.Context, key string, sources []*gcs.ObjectHandle,
) (*gcs.ObjectHandle, error) {
	composer := c.opts.addKey(c.bucket.handle().Object(key)).ComposerFrom(sources...)
	composer.ContentType = componentType
	composer.StorageClass = c.attrs.StorageClass
	attrs, err := composer.Run(ctx)
	if err != nil {
		return nil, err
	}
	// The next composition needs a handle without the customer's key, because the SDK refuses a source
	// with a key.
	return c.bucket.handle().Object(key).Generation(attrs.Generation), nil
}
