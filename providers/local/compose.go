package local

import (
	"bytes"
	"context"
	"io"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/crc32c"
)

// Compose joins its sources. It reads them in this process, to compute the checksum of
// the result.
func (d *objectDriver) Compose(ctx context.Context, r *driver.ComposeRequest) (*storage.Attrs, error) {
	s, err := d.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer d.release(s)
	if err := s.settings.checkControls(ctx, &r.Controls); err != nil {
		return nil, err
	}
	st, err := s.staging.stage(ctx)
	if err != nil {
		return nil, err
	}
	defer s.staging.discard(st)
	sum := crc32c.New()
	parent, bucket := resolvedPath(d)
	for _, ref := range r.Sources {
		if ref.Account != (account{parent}) || ref.Bucket != bucket {
			return nil, storage.Unsupported
		}
		if err := s.objects.appendSource(ctx, st, sum, ref); err != nil {
			return nil, err
		}
	}
	if len(r.Tail) > 0 {
		if err := s.objects.staging.fill(ctx, st.file, io.TeeReader(bytes.NewReader(r.Tail), sum)); err != nil {
			return nil, failure(err)
		}
	}
	st.attrs = newAttrs(r.Properties, &r.Controls, storage.CRC32C{Sum: sum.Sum32(), Known: true})
	return s.objects.save(ctx, r.Key, st, r.Condition)
}

func (o *objects) appendSource(ctx context.Context, st *stagedFile, sum io.Writer, ref driver.ObjectRef) error {
	source, _, err := o.source(ctx, ref)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }()
	bytes := io.NewSectionReader(source.OSFile(ref.Key), 0, source.Meta.Size)
	if err := o.staging.fill(ctx, st.file, io.TeeReader(bytes, sum)); err != nil {
		return failure(err)
	}
	return checkUnchanged(source)
}
