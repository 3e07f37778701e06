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

// composeSources is how many objects one request joins.
const composeSources = 32

// Compose joins up to 32 sources in one request. More take several levels:
// objects of this package's own hold what each 32 make, and are removed when the
// last request has been answered.
func (d *driver) Compose(ctx context.Context, r *storage.ComposeRequest) (*storage.Attrs, error) {
	if len(r.Native) > 0 {
		return nil, storage.Unsupported
	}
	target, err := when(d.handle().Object(r.Key), r.Condition)
	if err != nil {
		return nil, err
	}
	j := &join{driver: d, target: target, attrs: attrsToSet(&r.Properties), public: r.PublicRead, scratch: componentsPrefix + randomName() + "/"}
	for _, source := range r.Sources {
		o, err := d.pinned(source)
		if err != nil {
			return nil, err
		}
		j.sources = append(j.sources, o)
	}
	attrs, err := j.run(ctx)
	if len(r.Sources) > composeSources {
		d.discard(ctx, j.made)
	}
	return attrs, err
}

// A join makes one object of several, in steps of 32.
type join struct {
	*driver
	target  *gcs.ObjectHandle // with the condition
	sources []*gcs.ObjectHandle
	attrs   gcs.ObjectAttrs // of the target
	crc     *uint32         // of the target, checked before it is made; nil: not known
	public  bool
	scratch string              // prefix of what levels between make
	made    []*gcs.ObjectHandle // by them
}

func (j *join) run(ctx context.Context) (*storage.Attrs, error) {
	ctx = transport.WithAnswer(ctx, transport.DefaultAnswer) // as a rewrite
	for level := 1; len(j.sources) > composeSources; level++ {
		if err := j.step(ctx, level); err != nil {
			return nil, j.sourceFailed(err)
		}
	}
	composer := j.target.ComposerFrom(j.sources...)
	composer.ObjectAttrs = j.attrs
	composer.PredefinedACL = predefinedACL(j.public)
	if j.crc != nil {
		composer.CRC32C, composer.SendCRC32C = *j.crc, true
	}
	var joined *gcs.ObjectAttrs
	err := writes(ctx, func(ctx context.Context) (err error) {
		joined, err = composer.Run(ctx)
		return err
	})
	if err != nil {
		return nil, j.sourceFailed(err)
	}
	return attrsOf(joined), nil
}

// step makes one object of each 32 sources. All go through one, also a last one
// that is alone: what is joined has to be of one storage class.
func (j *join) step(ctx context.Context, level int) error {
	groups := slices.Collect(slices.Chunk(j.sources, composeSources))
	next := make([]*gcs.ObjectHandle, len(groups))
	err := parallel.Each(ctx, len(groups), atOnce, func(ctx context.Context, i int) error {
		o := j.handle().Object(fmt.Sprintf("%s%d-%06d", j.scratch, level, i))
		composer := o.ComposerFrom(groups[i]...)
		composer.ContentType, composer.StorageClass = componentType, j.attrs.StorageClass
		made, err := composer.Run(ctx)
		if err != nil {
			return err
		}
		next[i] = o.Generation(made.Generation)
		return nil
	})
	for _, o := range next {
		if o != nil {
			j.made = append(j.made, o)
		}
	}
	j.sources = next
	return err
}
