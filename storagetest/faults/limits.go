package faults

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// Limits makes a driver appear weaker than it is. A field that is zero, or less strict than the
// driver's own limit, has no effect.
type Limits struct {
	Disable     storage.Features // features that the driver no longer declares
	EqualParts  bool             // all parts except the last must have the same size
	Sequential  bool             // parts must be sent in order, the last with CompleteParts
	MaxSize     int64            // largest object, in bytes
	MaxPutSize  int64            // largest body of one Put, in bytes
	MinPartSize int64            // smallest part, in bytes
	MaxPartSize int64            // largest part, in bytes
	MaxParts    int
	PartUnit    int64 // the size of all parts except the last must be a multiple of this number of bytes
	MaxBatch    int   // largest number of requests in one DeleteBatch; a negative value disables DeleteBatch
	MaxPage     int   // largest number of entries in one List
}

// WithLimits returns a layer that declares the limits and enforces them. A call that
// breaks one fails with Internal, which is never retried. With small parts, multipart
// uploads can be tested with a few kilobytes:
//
//	faults.WithLimits(faults.Limits{Disable: driver.StreamingPut, MaxPutSize: 1 << 10, MinPartSize: 1 << 10})
func WithLimits(limits Limits) driver.Layer {
	return func(next driver.Driver) driver.Driver {
		desc := next.Describe()
		d := &limited{Driver: next, limits: limits, desc: limits.apply(desc)}

		// A limit that next has itself needs no check of this layer.
		disablesKeysBesideFolders := limits.Disable&storage.KeysBesideFolders != 0
		d.folders = disablesKeysBesideFolders && desc.Features&storage.KeysBesideFolders != 0
		if limits.Sequential {
			d.order = &partOrder{isSequential: desc.Features&driver.SequentialParts != 0}
		}
		return d
	}
}

// apply returns the description of a driver with d that also has these limits.
func (l Limits) apply(d driver.Description) driver.Description {
	d.Features &^= l.Disable

	// A listing without any order is not in the order of folders either.
	if l.Disable&storage.OrderedListing != 0 {
		d.FolderOrder = false
	}
	if l.EqualParts {
		d.Features |= driver.EqualParts
	}
	if l.Sequential {
		d.Features |= driver.SequentialParts
	}

	d.MaxSize = narrower(d.MaxSize, l.MaxSize)
	d.MaxPutSize = narrower(d.MaxPutSize, l.MaxPutSize)
	d.MinPartSize = max(d.MinPartSize, l.MinPartSize)
	d.MaxPartSize = narrower(d.MaxPartSize, l.MaxPartSize)
	d.PartUnit = max(d.PartUnit, l.PartUnit)
	d.MaxParts = narrower(d.MaxParts, l.MaxParts)
	d.OpenUploadLimits = l.applyToOpen(d.OpenUploadLimits)
	d.MaxPage = narrower(d.MaxPage, l.MaxPage)
	if l.MaxBatch != 0 {
		// In a Description, 0 means that there is no DeleteBatch.
		d.MaxBatch = min(d.MaxBatch, max(l.MaxBatch, 0))
	}
	return d
}

// applyToOpen returns the limits p for the parts of open uploads, narrowed by l. It returns nil if p is
// nil, because open uploads then have the limits of other uploads.
func (l Limits) applyToOpen(p *storage.PartLimits) *storage.PartLimits {
	if p == nil {
		return nil
	}
	return &storage.PartLimits{
		MinSize:  max(p.MinSize, l.MinPartSize),
		MaxSize:  narrower(p.MaxSize, l.MaxPartSize),
		Unit:     max(p.Unit, l.PartUnit),
		Equal:    p.Equal || l.EqualParts,
		MaxParts: narrower(p.MaxParts, l.MaxParts),
	}
}

// narrower returns the smaller of two limits, where 0 means no limit.
func narrower[N int | int64](a, b N) N {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

var _ driver.Driver = (*limited)(nil)

type limited struct {
	driver.Driver
	limits Limits
	desc   driver.Description
	order  *partOrder // nil if parts may come in any order

	// folders is true if the limits disable KeysBesideFolders, but the wrapped driver has it. A
	// write of "a" then fails if "a/b" exists, and the other way around.
	folders bool
}

// limitError returns the error of a call that breaks a limit.
func limitError(format string, args ...any) error {
	return &storage.Error{Code: storage.Internal, Err: fmt.Errorf("limits: "+format, args...)}
}

// isOutside reports whether n is less than 1 or more than limit. A limit of 0 means no limit.
func isOutside(n, limit int) bool {
	if n < 1 {
		return true
	}
	return limit > 0 && n > limit
}

// Describe returns the description with the limits applied.
func (d *limited) Describe() driver.Description { return d.desc }

// has reports whether the limits leave all features of f enabled.
func (d *limited) has(f storage.Features) bool { return d.desc.Features&f == f }

// checkWrite fails with Internal if a write uses a disabled feature.
func (d *limited) checkWrite(
	ctx context.Context, key string, c storage.Condition, p storage.Properties, publicRead bool,
) error {
	if err := d.checkAttributes(ctx, key, &p); err != nil {
		return err
	}
	if c.Absent && !d.has(storage.ConditionalCreate) {
		return limitError("IfAbsent without ConditionalCreate")
	}
	if c.Revision != "" && !d.has(storage.ConditionalUpdate) {
		return limitError("IfRevision without ConditionalUpdate")
	}
	if p.StorageClass != "" && !d.has(storage.StorageClasses) {
		return limitError("a storage class without StorageClasses")
	}
	if publicRead && !d.has(storage.ObjectACLs) {
		return limitError("public read without ObjectACLs")
	}
	return nil
}

// Put checks that the engine sends what the driver needs: a known size, Seek and a checksum, unless
// the driver declares that it needs less.
func (d *limited) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	if err := d.checkWrite(ctx, r.Key, r.Condition, r.Properties, r.PublicRead); err != nil {
		return nil, err
	}

	_, canSeek := r.Body.(io.Seeker)
	if r.Size < 0 && !d.has(driver.StreamingPut) {
		return nil, limitError("a Put with unknown size, without StreamingPut")
	}
	if r.Size >= 0 && !canSeek {
		return nil, limitError("a Put with known size, but a body without Seek")
	}
	if !r.CRC32C.Known && !d.has(driver.StreamingPut) && !d.desc.ChecksumWhileSending {
		return nil, limitError("a Put without a checksum, without StreamingPut or ChecksumWhileSending")
	}
	if d.desc.MaxPutSize > 0 && r.Size > d.desc.MaxPutSize {
		return nil, limitError("a Put of %d bytes exceeds %d", r.Size, d.desc.MaxPutSize)
	}
	return d.Driver.Put(ctx, r)
}

// BeginParts fails if multipart uploads, or a feature that the request uses, are disabled.
func (d *limited) BeginParts(ctx context.Context, r *driver.PutRequest) (string, error) {
	if !d.has(storage.MultipartUploads) {
		return "", limitError("BeginParts without MultipartUploads")
	}
	if err := d.checkWrite(ctx, r.Key, r.Condition, r.Properties, r.PublicRead); err != nil {
		return "", err
	}
	return d.Driver.BeginParts(ctx, r)
}

// partLimits returns the limits for the parts of an upload. Some stores have other limits for open
// uploads, which are those whose parts may come in any order.
func (d *limited) partLimits(anyOrder bool) storage.PartLimits {
	if anyOrder && d.desc.OpenUploadLimits != nil {
		return *d.desc.OpenUploadLimits
	}
	return storage.PartLimits{
		MinSize:  d.desc.MinPartSize,
		MaxSize:  d.desc.MaxPartSize,
		Unit:     d.desc.PartUnit,
		Equal:    d.has(driver.EqualParts),
		MaxParts: d.desc.MaxParts,
	}
}

// PutPart checks the number and the size of the part.
func (d *limited) PutPart(ctx context.Context, r *driver.PartRequest) (driver.Part, error) {
	limits := d.partLimits(r.AnyOrder)
	if isOutside(r.Number, limits.MaxParts) {
		return driver.Part{}, limitError("part number %d (the limit is %d)", r.Number, limits.MaxParts)
	}
	if limits.MaxSize > 0 && r.Size > limits.MaxSize {
		return driver.Part{}, limitError("a part of %d bytes exceeds %d", r.Size, limits.MaxSize)
	}

	if r.AnyOrder {
		return d.Driver.PutPart(ctx, r)
	}

	// In a sequence, the last part comes with CompleteParts, so each of these must be whole units.
	isWhole := limits.Unit <= 0 || r.Size%limits.Unit == 0
	if d.has(driver.SequentialParts) && !isWhole {
		return driver.Part{}, limitError("a part of %d bytes is not a multiple of %d", r.Size, limits.Unit)
	}
	if d.order != nil {
		return d.order.putPart(ctx, d.Driver, r)
	}
	return d.Driver.PutPart(ctx, r)
}

// CompleteParts checks the parts against the limits before it completes the upload. If parts must come in
// sequence, d.order completes it.
func (d *limited) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	if err := checkParts(r.Parts, d.partLimits(r.Put.AnyOrder)); err != nil {
		return nil, err
	}
	if d.order != nil && !r.Put.AnyOrder {
		return d.order.complete(ctx, d.Driver, r)
	}
	return d.Driver.CompleteParts(ctx, r)
}

// checkParts fails if the parts of an upload are not in order or break its limits. The last part
// may be smaller than the others.
func checkParts(parts []driver.Part, limits storage.PartLimits) error {
	for i, part := range parts {
		isLast := i == len(parts)-1
		if i > 0 && part.Number <= parts[i-1].Number {
			return limitError("part %d after part %d", part.Number, parts[i-1].Number)
		}
		if !isLast && part.Size < limits.MinSize {
			return limitError("part %d has %d bytes, fewer than %d", part.Number, part.Size, limits.MinSize)
		}
		if limits.Equal && !fitsFirst(part.Size, parts[0].Size, isLast) {
			return limitError("part %d has %d bytes, but the first part has %d", part.Number, part.Size, parts[0].Size)
		}
	}
	return nil
}

// fitsFirst reports whether a part may have this size in an upload of equal parts.
func fitsFirst(size, firstSize int64, isLast bool) bool {
	if isLast {
		return size <= firstSize
	}
	return size == firstSize
}

// List checks the size of the page.
func (d *limited) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	if isOutside(r.Limit, d.desc.MaxPage) {
		return nil, limitError("a page of %d entries (the limit is %d)", r.Limit, d.desc.MaxPage)
	}
	return d.Driver.List(ctx, r)
}

// Delete fails for a condition that the store does not support.
func (d *limited) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	if r.Condition.Revision != "" && !d.has(storage.ConditionalRemove) {
		return limitError("a conditional Delete without ConditionalRemove")
	}
	return d.Driver.Delete(ctx, r)
}

// DeleteBatch returns an error for every request if the batch has more than MaxBatch requests.
func (d *limited) DeleteBatch(ctx context.Context, r []driver.DeleteRequest) []error {
	if len(r) <= d.desc.MaxBatch {
		return d.Driver.DeleteBatch(ctx, r)
	}
	errs := make([]error, len(r))
	for i := range errs {
		errs[i] = limitError("a batch of %d requests exceeds %d", len(r), d.desc.MaxBatch)
	}
	return errs
}

// Copy fails if ServerCopy or a feature that the request uses is disabled.
func (d *limited) Copy(ctx context.Context, r *driver.CopyRequest) (*storage.Attrs, error) {
	if !d.has(storage.ServerCopy) {
		return nil, limitError("Copy without ServerCopy")
	}
	if err := d.checkWrite(ctx, r.Key, r.Condition, r.Properties, r.PublicRead); err != nil {
		return nil, err
	}
	return d.Driver.Copy(ctx, r)
}

// Compose fails if a feature that the request uses is disabled. A request with bytes to append (Tail)
// needs ServerAppend, and any other needs ServerCompose.
func (d *limited) Compose(ctx context.Context, r *driver.ComposeRequest) (*storage.Attrs, error) {
	needed := storage.ServerCompose
	if len(r.Tail) > 0 {
		needed = storage.ServerAppend
	}
	if !d.has(needed) {
		return nil, limitError("Compose without ServerCompose, or with Tail and without ServerAppend")
	}
	if err := d.checkWrite(ctx, r.Key, r.Condition, r.Properties, r.PublicRead); err != nil {
		return nil, err
	}
	return d.Driver.Compose(ctx, r)
}

// Move fails if ServerMove or a feature that the condition uses is disabled.
func (d *limited) Move(ctx context.Context, r *driver.MoveRequest) (*storage.Attrs, error) {
	if !d.has(storage.ServerMove) {
		return nil, limitError("Move without ServerMove")
	}
	if err := d.checkWrite(ctx, r.Key, r.Condition, storage.Properties{}, false); err != nil {
		return nil, err
	}
	return d.Driver.Move(ctx, r)
}

// ListVersions fails if the feature that it needs is disabled. This is SoftDelete for a listing of removed
// objects, and Versioning otherwise.
func (d *limited) ListVersions(ctx context.Context, r *driver.ListRequest) (*driver.VersionPage, error) {
	if r.SoftDeleted && !d.has(storage.SoftDelete) {
		return nil, limitError("ListVersions of what was removed without SoftDelete")
	}
	if !r.SoftDeleted && !d.has(storage.Versioning) {
		return nil, limitError("ListVersions without Versioning")
	}
	return d.Driver.ListVersions(ctx, r)
}

// Sign fails if the store signs no URLs, or none with this method or lifetime.
func (d *limited) Sign(ctx context.Context, r *driver.SignRequest) (*storage.SignedURL, error) {
	if !d.has(storage.SignedURLs) {
		return nil, limitError("Sign without SignedURLs")
	}
	if r.Method == http.MethodHead && !d.has(storage.SignedHead) {
		return nil, limitError("a signed HEAD without SignedHead")
	}
	if r.Method == http.MethodDelete && !d.has(storage.SignedRemovals) {
		return nil, limitError("a signed DELETE without SignedRemovals")
	}
	if r.StableFor > 0 && !d.has(storage.StableURLs) {
		return nil, limitError("a stable URL without StableURLs")
	}
	return d.Driver.Sign(ctx, r)
}

// SignForm fails if the feature SignedForms is disabled.
func (d *limited) SignForm(ctx context.Context, r *driver.SignRequest) (*storage.SignedForm, error) {
	if !d.has(storage.SignedForms) {
		return nil, limitError("SignForm without SignedForms")
	}
	return d.Driver.SignForm(ctx, r)
}

// Vend fails if the feature Vending is disabled.
func (d *limited) Vend(ctx context.Context, r *driver.VendRequest) (*storage.VendedCredentials, error) {
	if !d.has(storage.Vending) {
		return nil, limitError("Vend without Vending")
	}
	return d.Driver.Vend(ctx, r)
}
