package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/hexid"
	"github.com/omnibucket/storage/internal/metadata"
)

func (u *multipartUpload) Complete(ctx context.Context, opts ...storage.CompleteOption) (*storage.Attrs, error) {
	c := &completion{upload: u, call: hexid.New(metadata.WriteIDLength / 2)}
	e := u.prepare(&c.op, "CompleteUpload")
	c.op.writes = true
	if e == nil {
		e = ownError(c.options.Apply(opts...))
	}
	return run(ctx, &c.op, e, c.run)
}

// A completion holds the state of one call of Complete.
type completion struct {
	op      operation
	upload  *multipartUpload
	options storage.CompleteOptions
	call    string // CompleteRequest.Call
	stale   bool   // whether the store refused parts, which may have been replaced since they were listed
	aborted bool   // whether the upload was aborted, because the parts are larger than declared or permitted
}

// maxJoins is how often Complete tries to join the parts, if others replace parts meanwhile.
const maxJoins = 4

// run lists the parts and joins them. After a refusal it lists the parts once more, because another
// call may have replaced some, or may have completed the upload.
func (c *completion) run(ctx context.Context) (*storage.Attrs, *storage.Error) {
	var before []driver.Part
	var refusal *storage.Error
	for range maxJoins {
		listed, e := c.upload.listParts(ctx, &c.op)
		if e != nil && e.Code != storage.ObjectNotFound {
			return nil, e
		}
		if len(listed) == 0 {
			if e == nil {
				e = invalid("parts", "must not be missing: the store has none")
			}
			return c.completedBefore(ctx, e)
		}
		if slices.Equal(listed, before) {
			return nil, refusal
		}
		r, e := c.plan(ctx, listed)
		if e == nil {
			var a *storage.Attrs
			a, e = c.join(ctx, r)
			if e == nil || !c.stale {
				return a, e
			}
		} else if c.aborted {
			return nil, e
		}
		before = listed
		refusal = e
	}
	return nil, refusal
}

// choose returns the parts of the object: those of WithParts, or all that the store has. It fails
// if a part is missing.
func (c *completion) choose(listed []driver.Part) ([]driver.Part, *storage.Error) {
	if c.options.Parts == nil {
		for i, part := range listed {
			if part.Number != i+1 {
				return nil, invalid(fmt.Sprintf("part %d", i+1), "must not be missing: the store has none")
			}
		}
		return listed, nil
	}

	byNumber := make(map[int]driver.Part, len(listed))
	for _, part := range listed {
		byNumber[part.Number] = part
	}

	chosen := make([]driver.Part, len(c.options.Parts))
	for i, want := range c.options.Parts {
		part, ok := byNumber[want.Number]
		argument := fmt.Sprintf("part %d", want.Number)
		if !ok {
			return nil, invalid(argument, "must not be missing: the store has none")
		}
		if want.ETag != "" && quotedETag(want.ETag) != uploadedPart(&part).ETag {
			return nil, invalid(argument, "must have the ETag of the part that the store has")
		}
		chosen[i] = part
	}
	return chosen, nil
}

// checkParts checks the size of each part against the limits of the store.
func (c *completion) checkParts(parts []driver.Part) *storage.Error {
	limits := c.upload.Limits()
	for i, part := range parts {
		argument := fmt.Sprintf("part %d", part.Number)
		switch {
		case i == len(parts)-1:
		case part.Size < limits.MinSize:
			return invalid(argument,
				fmt.Sprintf("must have at least %d bytes, because it is not the last one", limits.MinSize))
		case limits.Unit > 0 && part.Size%limits.Unit != 0:
			return invalid(argument,
				fmt.Sprintf("must have a multiple of %d bytes, because it is not the last one", limits.Unit))
		case limits.Equal && part.Size != parts[0].Size:
			return invalid(argument, fmt.Sprintf("must have %d bytes, as the first one", parts[0].Size))
		}
		if limits.Equal && part.Size > parts[0].Size {
			return invalid(argument, fmt.Sprintf("must have at most %d bytes, as the first one", parts[0].Size))
		}
	}
	return nil
}

// checkTotal checks the size of the whole object, in bytes. tooMuch is true if the parts are too
// large, so that further parts cannot help.
func (c *completion) checkTotal(size int64) (tooMuch bool, e *storage.Error) {
	record := &c.upload.record
	for _, declared := range []int64{record.DeclaredSize(), c.options.Size} {
		if declared >= 0 && size != declared {
			return size > declared, invalid("parts",
				fmt.Sprintf("must have the %d bytes of WithSize, and have %d", declared, size))
		}
	}
	if limit := record.MaxSize; limit > 0 && size > limit {
		return true, invalid("parts", fmt.Sprintf("must have at most the %d bytes of WithMaxSize, and have %d", limit, size))
	}
	return false, c.op.engine.checkSize(size)
}

// checksum returns the CRC32C of the joined parts, if the CRC32C of each part is known. It fails if
// the caller declared a different CRC32C.
func (c *completion) checksum(r *driver.CompleteRequest) (storage.CRC32C, *storage.Error) {
	_, sum := objectSum(r)
	declared := []storage.CRC32C{c.options.CRC32C}
	if crc := c.upload.record.CRC32C; crc != nil {
		declared = append(declared, storage.CRC32C{Sum: *crc, Known: true})
	}
	for _, want := range declared {
		switch {
		case !want.Known:
		case !sum.Known:
			return sum, unsupported(
				"the store does not tell the checksums of these parts",
				"leave out WithCRC32C, or send the parts with PutPart and complete them with the same MultipartUpload",
			)
		case want != sum:
			return sum, mismatch(want, sum)
		}
	}
	return sum, nil
}

// plan chooses and checks the parts. If they are larger than the upload permits, it aborts the upload.
func (c *completion) plan(ctx context.Context, listed []driver.Part) (*driver.CompleteRequest, *storage.Error) {
	parts, e := c.choose(listed)
	if e != nil {
		return nil, e
	}
	put := c.upload.put
	r := &driver.CompleteRequest{Upload: c.upload.record.Upload, Parts: parts, Put: &put, Call: c.call}
	put.Size, _ = objectSum(r)
	if tooMuch, e := c.checkTotal(put.Size); e != nil {
		c.aborted = tooMuch
		if tooMuch {
			c.op.abortParts(ctx, r.Upload, e)
		}
		return nil, e
	}
	if e := c.checkParts(parts); e != nil {
		return nil, e
	}
	put.CRC32C, e = c.checksum(r)
	return r, e
}

// join asks the store to make the object from the parts. If the response is lost, join determines
// whether the object was made.
func (c *completion) join(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, *storage.Error) {
	u := c.upload
	put := r.Put
	c.stale = false
	a, e := requestUnlessRestart(
		ctx, &c.op, nil,
		func(ctx context.Context) (*storage.Attrs, error) { return c.op.engine.driver.CompleteParts(ctx, r) },
	)
	if e != nil && !e.Unknown {
		a, e = c.completedBefore(ctx, e)
		c.stale = e != nil && (e.Code == storage.InvalidArgument || e.Code == storage.Changed)
		return a, e
	}

	lost := e != nil
	properties := recordedProperties(&u.record)
	attrs, e := finishWrite(ctx, &c.op, a, e, &intent{
		properties: properties,
		controls:   put.Controls,
		native:     put.Native,
		size:       put.Size,
		crc:        put.CRC32C,
		condition:  u.put.Condition,
		writeID:    u.record.WriteID,
	})
	if lost && e == nil {
		c.dropParts(ctx)
	}
	if e == nil {
		attrs = c.readBack(ctx, attrs)
	}
	return attrs, e
}

// dropParts removes the parts of an upload whose object exists. The store may still have parts if
// the response to an earlier completion was lost.
func (c *completion) dropParts(ctx context.Context) {
	c.op.abortParts(ctx, c.upload.record.Upload, &storage.Error{})
}

// completedBefore returns the object if an earlier call has completed the upload. Otherwise it
// returns e, or an error which says that the upload is gone.
func (c *completion) completedBefore(ctx context.Context, e *storage.Error) (*storage.Attrs, *storage.Error) {
	u := c.upload
	state(e).Absent = e.Code == storage.PreconditionFailed && u.put.Condition.Absent
	switch e.Code {
	case storage.ObjectNotFound, storage.InvalidArgument, storage.PreconditionFailed, storage.Unavailable:
	default:
		return nil, e
	}

	if u.record.WriteID != "" && ctx.Err() == nil {
		attrs, failure := head(ctx, &c.op, &driver.GetRequest{
			Key:       c.op.key,
			Length:    -1,
			Native:    u.put.Native,
			Auxiliary: true,
		})
		if failure == nil && metadata.HoldsWriteID(attrs.Metadata, u.record.WriteID) {
			if e.Code != storage.ObjectNotFound {
				c.dropParts(ctx)
			}
			return c.op.toUser(ctx, attrs), nil
		}
		if failure != nil && (ctx.Err() != nil || failure.Code == storage.Unavailable || failure.Code == storage.RateLimited) {
			// Do not return e. It would say that the upload is gone, although the object may exist.
			return nil, failure
		}
	}
	if mustRestart(e) && u.put.Condition != (storage.Condition{}) {
		e.Hint = "another write at the same time ended this upload: begin a new one, and send all parts again"
		return nil, e
	}
	return nil, u.goneError(ctx, &c.op, e)
}
