package faults

import (
	"context"
	"slices"
	"sync"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// A partOrder checks that the parts of an upload are sent in order. The driver below may accept
// them in any order.
type partOrder struct {
	isSequential bool // true if the driver below requires parts in order, too

	mu      sync.Mutex
	uploads map[string]sequence
}

// A sequence is the state of one upload: its latest part, and whether that part is still being
// sent.
type sequence struct {
	number int   // number of the part that was begun most recently
	offset int64 // offset of that part
	size   int64
	busy   bool
}

// beginPart fails if the part is out of order. After a success, the caller must call endPart.
func (o *partOrder) beginPart(r *driver.PartRequest) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	latest := o.uploads[r.Upload]
	if latest.busy {
		return limitError("part %d during part %d", r.Number, latest.number)
	}

	isRetry := r.Number == latest.number && r.Offset == latest.offset
	isNext := r.Number == latest.number+1 && r.Offset == latest.offset+latest.size
	// A process that resumes an upload may not know that the latest part was sent, and begin with
	// the part before.
	isPrevious := r.Number == latest.number-1 && r.Offset+r.Size == latest.offset
	if !isRetry && !isNext && !isPrevious {
		return limitError("part %d at offset %d after part %d, which has %d bytes at offset %d",
			r.Number, r.Offset, latest.number, latest.size, latest.offset)
	}

	o.set(r.Upload, sequence{number: r.Number, offset: r.Offset, size: r.Size, busy: true})
	return nil
}

// set records the state of an upload. The caller holds o.mu.
func (o *partOrder) set(upload string, seq sequence) {
	if o.uploads == nil {
		o.uploads = map[string]sequence{}
	}
	o.uploads[upload] = seq
}

// endPart ends the latest part of an upload.
func (o *partOrder) endPart(upload string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	seq := o.uploads[upload]
	seq.busy = false
	o.set(upload, seq)
}

// putPart stores a part with the driver next, if it is in order.
func (o *partOrder) putPart(ctx context.Context, next driver.Driver, r *driver.PartRequest) (driver.Part, error) {
	if err := o.beginPart(r); err != nil {
		return driver.Part{}, err
	}
	defer o.endPart(r.Upload)
	return next.PutPart(ctx, r)
}

// complete completes an upload with its last part, which is in r. A driver that requires parts in order takes
// both in one call. Any other driver gets the last part by a PutPart before.
func (o *partOrder) complete(
	ctx context.Context, next driver.Driver, r *driver.CompleteRequest,
) (*storage.Attrs, error) {
	if r.Last == nil {
		return nil, limitError("CompleteParts without the last part")
	}
	if err := o.beginPart(r.Last); err != nil {
		return nil, err
	}
	defer o.endPart(r.Upload)

	if o.isSequential {
		return next.CompleteParts(ctx, r)
	}

	last, err := next.PutPart(ctx, r.Last)
	if err != nil {
		return nil, err
	}
	last.Number = r.Last.Number
	last.Size = r.Last.Size
	last.CRC32C = r.Last.CRC32C

	req := *r
	req.Parts = append(slices.Clone(r.Parts), last)
	req.Last = nil
	return next.CompleteParts(ctx, &req)
}
