package faults

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/omnibucket/storage"
)

// Bounds make a driver appear smaller than it is. A field that is zero, or
// wider than the driver's own, leaves the driver's own.
type Bounds struct {
	Without     storage.Features // are not declared
	EqualParts  bool             // all parts but the last must be of one size
	Sequential  bool             // parts go one after the other, the last with CompleteParts
	MaxSize     int64            // bytes of an object
	MaxPutSize  int64            // bytes
	MinPartSize int64            // bytes
	MaxPartSize int64            // bytes
	MaxParts    int
	PartUnit    int64 // bytes; all parts but the last are a multiple of it
	MaxBatch    int   // requests in one DeleteBatch; below 0: the driver has none
	MaxPage     int   // entries
}

// Limits is a layer that declares b and holds the core to it: a call that
// breaks a bound fails with Internal, which no retry hides. With small parts
// the part engine can be tried with a few kilobytes:
//
//	faults.Limits(faults.Bounds{Without: storage.StreamPut, MaxPutSize: 1 << 10, MinPartSize: 1 << 10})
func Limits(b Bounds) storage.Layer {
	return func(next storage.Driver) storage.Driver {
		d := &limited{Driver: next, bounds: b, in: b.apply(next.Describe())}
		d.folders = b.Without&next.Describe().Features&storage.KeysBesideFolders != 0
		if b.Sequential {
			d.order = &partOrder{native: next.Describe().Features&storage.SequentialParts != 0}
		}
		return d
	}
}

func (b Bounds) apply(d storage.Description) storage.Description {
	d.Features &^= b.Without
	d.FolderOrder = d.FolderOrder && b.Without&storage.OrderedList == 0
	if b.EqualParts {
		d.Features |= storage.EqualParts
	}
	if b.Sequential {
		d.Features |= storage.SequentialParts
	}
	d.PartUnit = max(d.PartUnit, b.PartUnit)
	d.MaxSize = narrower(d.MaxSize, b.MaxSize)
	d.MaxPutSize = narrower(d.MaxPutSize, b.MaxPutSize)
	d.MinPartSize = max(d.MinPartSize, b.MinPartSize)
	d.MaxPartSize = narrower(d.MaxPartSize, b.MaxPartSize)
	d.MaxParts = narrower(d.MaxParts, b.MaxParts)
	d.MaxPage = narrower(d.MaxPage, b.MaxPage)
	if b.MaxBatch != 0 { // a driver's 0 is no batches at all
		d.MaxBatch = min(d.MaxBatch, max(b.MaxBatch, 0))
	}
	return d
}

// narrower is the smaller of two limits, of which 0 is none.
func narrower[N int | int64](a, b N) N {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

var _ storage.Driver = (*limited)(nil)

type limited struct {
	storage.Driver
	bounds Bounds
	in     storage.Description
	order  *partOrder // nil: parts come in any

	folders bool // it refuses a key beside a folder, and the driver below does not
}

func broken(format string, args ...any) error {
	return &storage.Error{Code: storage.Internal, Err: fmt.Errorf("limits: "+format, args...)}
}

func (d *limited) Describe() storage.Description { return d.in }

func (d *limited) has(f storage.Features) bool { return d.in.Features&f == f }

// guard checks what all writes have in common.
func (d *limited) guard(ctx context.Context, key string, c storage.Condition, p storage.Properties, publicRead bool) error {
	if err := d.guardKept(ctx, key, &p); err != nil {
		return err
	}
	switch {
	case c.Absent && !d.has(storage.ConditionalCreate):
		return broken("IfAbsent without ConditionalCreate")
	case c.Revision != "" && !d.has(storage.ConditionalUpdate):
		return broken("IfRevision without ConditionalUpdate")
	case p.StorageClass != "" && !d.has(storage.StorageClasses):
		return broken("a storage class without StorageClasses")
	case publicRead && !d.has(storage.ObjectACL):
		return broken("public read without ObjectACL")
	}
	return nil
}

func (d *limited) Put(ctx context.Context, r *storage.PutRequest) (*storage.Attrs, error) {
	if err := d.guard(ctx, r.Key, r.Condition, r.Properties, r.PublicRead); err != nil {
		return nil, err
	}
	switch _, seeks := r.Body.(io.Seeker); {
	case r.Size < 0 && !d.has(storage.StreamPut):
		return nil, broken("a Put of unknown size without StreamPut")
	case r.Size >= 0 && !seeks:
		return nil, broken("a Put of known size whose body cannot seek")
	case r.CRC32C == nil && !d.has(storage.StreamPut):
		return nil, broken("a Put without a checksum and without StreamPut")
	case d.in.MaxPutSize > 0 && r.Size > d.in.MaxPutSize:
		return nil, broken("a Put of %d bytes, at most %d", r.Size, d.in.MaxPutSize)
	}
	return d.Driver.Put(ctx, r)
}

func (d *limited) BeginParts(ctx context.Context, r *storage.PutRequest) (string, error) {
	if !d.has(storage.UploadParts) {
		return "", broken("BeginParts without UploadParts")
	}
	if err := d.guard(ctx, r.Key, r.Condition, r.Properties, r.PublicRead); err != nil {
		return "", err
	}
	return d.Driver.BeginParts(ctx, r)
}

func (d *limited) PutPart(ctx context.Context, r *storage.PartRequest) (storage.Part, error) {
	switch {
	case r.Number < 1 || d.in.MaxParts > 0 && r.Number > d.in.MaxParts:
		return storage.Part{}, broken("part %d, at most %d", r.Number, d.in.MaxParts)
	case d.in.MaxPartSize > 0 && r.Size > d.in.MaxPartSize:
		return storage.Part{}, broken("a part of %d bytes, at most %d", r.Size, d.in.MaxPartSize)
	case d.has(storage.SequentialParts) && d.in.PartUnit > 0 && r.Size%d.in.PartUnit != 0:
		return storage.Part{}, broken("a part of %d bytes, not a multiple of %d", r.Size, d.in.PartUnit)
	}
	if d.order != nil {
		return d.order.putPart(ctx, d.Driver, r)
	}
	return d.Driver.PutPart(ctx, r)
}

func (d *limited) CompleteParts(ctx context.Context, r *storage.CompleteRequest) (*storage.Attrs, error) {
	for i, part := range r.Parts {
		last := i == len(r.Parts)-1
		switch {
		case i > 0 && part.Number <= r.Parts[i-1].Number:
			return nil, broken("part %d after part %d", part.Number, r.Parts[i-1].Number)
		case !last && part.Size < d.in.MinPartSize:
			return nil, broken("part %d of %d bytes, at least %d", part.Number, part.Size, d.in.MinPartSize)
		case !last && d.has(storage.EqualParts) && part.Size != r.Parts[0].Size,
			last && d.has(storage.EqualParts) && part.Size > r.Parts[0].Size:
			return nil, broken("part %d of %d bytes, the first has %d", part.Number, part.Size, r.Parts[0].Size)
		}
	}
	if d.order != nil {
		return d.order.complete(ctx, d.Driver, r)
	}
	return d.Driver.CompleteParts(ctx, r)
}

func (d *limited) List(ctx context.Context, r *storage.ListRequest) (*storage.Page, error) {
	if r.Limit < 1 || d.in.MaxPage > 0 && r.Limit > d.in.MaxPage {
		return nil, broken("a page of %d entries, at most %d", r.Limit, d.in.MaxPage)
	}
	return d.Driver.List(ctx, r)
}

func (d *limited) Delete(ctx context.Context, r *storage.DeleteRequest) error {
	if r.Condition.Revision != "" && !d.has(storage.ConditionalRemove) {
		return broken("a conditional Delete without ConditionalRemove")
	}
	return d.Driver.Delete(ctx, r)
}

func (d *limited) DeleteBatch(ctx context.Context, r []storage.DeleteRequest) []error {
	if len(r) <= d.in.MaxBatch {
		return d.Driver.DeleteBatch(ctx, r)
	}
	errs := make([]error, len(r))
	for i := range errs {
		errs[i] = broken("a batch of %d, at most %d", len(r), d.in.MaxBatch)
	}
	return errs
}

func (d *limited) Copy(ctx context.Context, r *storage.CopyRequest) (*storage.Attrs, error) {
	if !d.has(storage.ServerCopy) {
		return nil, broken("Copy without ServerCopy")
	}
	if err := d.guard(ctx, r.Key, r.Condition, r.Properties, r.PublicRead); err != nil {
		return nil, err
	}
	return d.Driver.Copy(ctx, r)
}

func (d *limited) Compose(ctx context.Context, r *storage.ComposeRequest) (*storage.Attrs, error) {
	if !d.has(storage.ServerCompose) {
		return nil, broken("Compose without ServerCompose")
	}
	if err := d.guard(ctx, r.Key, r.Condition, r.Properties, r.PublicRead); err != nil {
		return nil, err
	}
	return d.Driver.Compose(ctx, r)
}

func (d *limited) ListVersions(ctx context.Context, r *storage.ListRequest) (*storage.VersionPage, error) {
	if !d.has(storage.KeepVersions) {
		return nil, broken("ListVersions without KeepVersions")
	}
	return d.Driver.ListVersions(ctx, r)
}

func (d *limited) Sign(ctx context.Context, r *storage.SignRequest) (*storage.SignedURL, error) {
	if !d.has(storage.SignURLs) {
		return nil, broken("Sign without SignURLs")
	}
	if r.Method == http.MethodHead && !d.has(storage.SignHead) {
		return nil, broken("a signed HEAD without SignHead")
	}
	return d.Driver.Sign(ctx, r)
}

func (d *limited) SignForm(ctx context.Context, r *storage.SignRequest) (*storage.UploadForm, error) {
	if !d.has(storage.SignForms) {
		return nil, broken("SignForm without SignForms")
	}
	return d.Driver.SignForm(ctx, r)
}
