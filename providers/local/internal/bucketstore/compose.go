package bucketstore

import (
	"bytes"
	"context"
	"io"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/objectfile"
)

// Compose joins objects of this bucket, and the bytes of r.Tail after them, to a new object.
func (o *Objects) Compose(ctx context.Context, r *driver.ComposeRequest) (*storage.Attrs, error) {
	if err := o.settings.CheckControls(ctx, &r.Controls); err != nil {
		return nil, err
	}
	staged, err := o.staging.Stage(ctx)
	if err != nil {
		return nil, err
	}
	defer o.staging.Discard(staged)

	sum := crc32c.New()
	for _, ref := range r.Sources {
		if err := o.appendSource(ctx, staged, sum, ref); err != nil {
			return nil, err
		}
	}
	if len(r.Tail) > 0 {
		if err := o.staging.Fill(ctx, staged.File, io.TeeReader(bytes.NewReader(r.Tail), sum)); err != nil {
			return nil, bucketdir.WrapError(err)
		}
	}

	crc := storage.CRC32C{Sum: sum.Sum32(), Known: true}
	staged.Attrs = objectfile.NewAttrs(r.Properties, &r.Controls, crc)
	return o.save(ctx, r.Key, staged, r.Condition)
}

// appendSource appends the bytes of a source to the staged file, and writes them to sum.
func (o *Objects) appendSource(
	ctx context.Context, staged *objectfile.StagedFile, sum io.Writer, ref driver.ObjectRef,
) error {
	source, _, err := o.source(ctx, ref)
	if err != nil {
		return err
	}
	defer source.Close()

	// Read only the size that the source had when it was opened.
	content := io.NewSectionReader(source.OSFile(ref.Key), 0, source.Meta.Size)
	if err := o.staging.Fill(ctx, staged.File, io.TeeReader(content, sum)); err != nil {
		return bucketdir.WrapError(err)
	}
	return checkUnchanged(source)
}
