package memstore

import (
	"context"
	"hash/crc32"

	"github.com/omnibucket/storage"
)

// Copy shares the source's bytes, within the account.
func (d *driver) Copy(ctx context.Context, r *storage.CopyRequest) (*storage.Attrs, error) {
	if from, ours := r.Source.Account.(*account); !ours || from != d.account {
		return nil, storage.Unsupported
	}
	to, err := d.open(ctx, r.Native...)
	if err != nil {
		return nil, err
	}
	from, err := d.account.find(r.Source.Bucket)
	if err != nil {
		return nil, lost(r.Source, err)
	}
	sources, err := from.sources([]storage.ObjectRef{r.Source})
	if err != nil {
		return nil, err
	}
	source := sources[0]
	o := &object{
		key: r.Key, data: source.data, Properties: source.Properties, public: r.PublicRead,
		summed: source.summed, crc32c: source.crc32c,
	}
	if r.Replace {
		o.Properties = r.Properties
	}
	return to.commit(ctx, o, r.Condition, nil)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Compose joins its sources as they are at one moment. The checksum of the
// whole is computed here, as a store does: the request has none.
func (d *driver) Compose(ctx context.Context, r *storage.ComposeRequest) (*storage.Attrs, error) {
	b, err := d.open(ctx, r.Native...)
	if err != nil {
		return nil, err
	}
	sources, err := b.sources(r.Sources)
	if err != nil {
		return nil, err
	}
	chunks, total := make([][]byte, len(sources)), 0
	for i, source := range sources {
		chunks[i] = source.data
		total += len(source.data)
	}
	data := join(chunks, total)
	sum := crc32.Checksum(data, castagnoli)
	o := newObject(r.Key, data, r.Properties, &sum)
	o.public = r.PublicRead
	return b.commit(ctx, o, r.Condition, nil)
}

// sources are the objects that refs name, all of one moment.
func (b *bucket) sources(refs []storage.ObjectRef) ([]*object, error) {
	found := make([]*object, len(refs))
	if err := b.rlock(); err != nil {
		return nil, err
	}
	defer b.mu.RUnlock()
	for i, ref := range refs {
		revision, err := parseVersion(ref.Version)
		if err != nil {
			return nil, err
		}
		o := b.find(ref.Key, revision)
		if o == nil {
			return nil, lost(ref, storage.ObjectNotFound)
		}
		if ref.Revision != "" && ref.Revision != o.revisionText() {
			return nil, storage.Changed
		}
		found[i] = o
	}
	return found, nil
}

// lost is what a missing source means: one that the core has seen is Changed.
func lost(ref storage.ObjectRef, err error) error {
	if ref.Revision != "" {
		return storage.Changed
	}
	return err
}
