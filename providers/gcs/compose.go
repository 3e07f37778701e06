package gcs

import (
	"context"
	"fmt"
	"slices"

	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/parallel"
	"github.com/omnibucket/storage/internal/transport"
)

// composeSources is how many objects one request can compose.
const composeSources = 32

// Compose composes up to 32 sources in one request. More sources take several
// levels of intermediate objects, which it removes after the last request.
func (d *driver) Compose(ctx context.Context, r *storage.ComposeRequest) (*storage.Attrs, error) {
	target, err := withCondition(d.handle().Object(r.Key), r.Condition)
	if err != nil {
		return nil, err
	}
	c := &composition{driver: d, target: target, attrs: attrsToSet(&r.Properties), public: r.PublicRead, scratchPrefix: componentsPrefix + randomName() + "/"}
	for _, source := range r.Sources {
		o, err := d.sourceAt(source)
		if err != nil {
			return nil, err
		}
		c.sources = append(c.sources, o)
	}
	attrs, err := c.run(ctx)
	if len(r.Sources) > composeSources {
		d.discard(ctx, c.intermediate)
	}
	return attrs, err
}

// A composition makes one object of several, 32 at a time.
type composition struct {
	*driver
	target        *gcs.ObjectHandle // with the condition
	sources       []*gcs.ObjectHandle
	attrs         gcs.ObjectAttrs // of the target
	crc           storage.CRC32C  // of the target, which the server checks before it stores
	public        bool
	scratchPrefix string              // of the keys of intermediate objects
	intermediate  []*gcs.ObjectHandle // that were made
}

func (c *composition) run(ctx context.Context) (*storage.Attrs, error) {
	ctx = transport.WithAnswer(ctx, transport.DefaultAnswer) // it takes as long as a rewrite
	for level := 1; len(c.sources) > composeSources; level++ {
		if err := c.step(ctx, level); err != nil {
			return nil, c.sourceError(err)
		}
	}
	composer := c.target.ComposerFrom(c.sources...)
	composer.ObjectAttrs = c.attrs
	composer.PredefinedACL = predefinedACL(c.public)
	if c.crc.Known {
		composer.CRC32C, composer.SendCRC32C = c.crc.Sum, true
	}
	var joined *gcs.ObjectAttrs
	err := writes(ctx, func(ctx context.Context) (err error) {
		joined, err = composer.Run(ctx)
		return err
	})
	if err != nil {
		return nil, c.sourceError(err)
	}
	return attrsOf(joined), nil
}

// step composes each 32 sources into an intermediate object. A single last source
// is composed too, because all sources of a request must have one storage class.
func (c *composition) step(ctx context.Context, level int) error {
	groups := slices.Collect(slices.Chunk(c.sources, composeSources))
	next := make([]*gcs.ObjectHandle, len(groups))
	err := parallel.Each(ctx, len(groups), maxParallel, func(ctx context.Context, i int) error {
		o := c.handle().Object(fmt.Sprintf("%s%d-%06d", c.scratchPrefix, level, i))
		composer := o.ComposerFrom(groups[i]...)
		composer.ContentType, composer.StorageClass = componentType, c.attrs.StorageClass
		made, err := composer.Run(ctx)
		if err != nil {
			return err
		}
		next[i] = o.Generation(made.Generation)
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
