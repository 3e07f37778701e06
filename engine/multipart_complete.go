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

// Complete makes the object from the parts. It may be called again after a failure.
func (u *multipartUpload) Complete(ctx context.Context, opts ...storage.CompleteOption) (*storage.Attrs, error) {
	// The id of the call has as many digits as a write id. Each byte makes two of them.
	const callIDBytes = metadata.WriteIDLength / 2
	c := &completion{
		upload: u,
		call:   hexid.New(callIDBytes),
	}

	checkErr := u.prepare(&c.op, "CompleteUpload")
	// Unlike the sending of a part, the completion changes an object.
	c.op.writes = true
	if checkErr == nil {
		checkErr = ownError(c.options.Apply(opts...))
	}
	return run(ctx, &c.op, checkErr, c.run)
}

// A completion holds the state of one call of Complete.
type completion struct {
	op      operation
	upload  *multipartUpload
	options storage.CompleteOptions
	call    string // CompleteRequest.Call
}

// maxJoins is how often Complete tries to join the parts, if others replace parts meanwhile.
const maxJoins = 4

// run lists the parts and joins them. A join that the store refuses is repeated with a new list,
// because another call may have replaced parts, or have completed the upload.
func (c *completion) run(ctx context.Context) (*storage.Attrs, *storage.Error) {
	// previous and refusal are the parts and the error of the join before, if there was one.
	var previous []driver.Part
	var refusal *storage.Error
	for range maxJoins {
		listed, err := c.upload.listParts(ctx, &c.op)
		if err != nil {
			if err.Code != storage.ObjectNotFound {
				return nil, err
			}
			return c.completedBefore(ctx, err)
		}
		if len(listed) == 0 {
			return c.completedBefore(ctx, invalid("parts", "must not be missing: the store has none"))
		}

		wasRefused := slices.Equal(listed, previous)
		if wasRefused {
			// No part was replaced, so the store would refuse the parts again.
			return nil, refusal
		}

		attrs, mayBeStale, err := c.joinListed(ctx, listed)
		if !mayBeStale {
			return attrs, err
		}

		// The store has refused parts that may have been replaced since they were listed.
		previous = listed
		refusal = err
	}
	return nil, refusal
}

// joinListed chooses parts of those that are listed, and joins them. mayBeStale is true if the error
// may be due to parts that were replaced since they were listed, so that a new list may help.
func (c *completion) joinListed(
	ctx context.Context, listed []driver.Part,
) (attrs *storage.Attrs, mayBeStale bool, err *storage.Error) {
	parts, err := c.choose(listed)
	if err != nil {
		// A part that is missing in the list may have been sent by now.
		return nil, true, err
	}
	req := c.newRequest(parts)

	// Check the size first, because an upload that is too large is aborted.
	isTooLarge, err := c.checkTotal(req.Put.Size)
	if isTooLarge {
		c.op.abortParts(ctx, c.upload.record.Upload, err)
		return nil, false, err
	}
	if err == nil {
		err = c.checkParts(parts)
	}
	if err == nil {
		req.Put.CRC32C, err = c.checksum(req)
	}
	if err != nil {
		// A part that is wrong in the list may have been replaced by now.
		return nil, true, err
	}
	return c.join(ctx, req)
}

// newRequest returns the request that joins the parts. It has no checksum yet.
func (c *completion) newRequest(parts []driver.Part) *driver.CompleteRequest {
	// The copy gets the size and the checksum of these parts.
	put := c.upload.put
	req := &driver.CompleteRequest{
		Upload: c.upload.record.Upload,
		Parts:  parts,
		Put:    &put,
		Call:   c.call,
	}
	put.Size, _ = objectSum(req)
	return req
}

// choose returns the parts of the object, which are those of WithParts, or else all that the store
// has. It fails if a part is missing.
func (c *completion) choose(listed []driver.Part) ([]driver.Part, *storage.Error) {
	if c.options.Parts == nil {
		// The numbers of all parts must be 1, 2, 3 and so on.
		for i, part := range listed {
			number := i + 1
			if part.Number != number {
				return nil, invalid(fmt.Sprintf("part %d", number), "must not be missing: the store has none")
			}
		}
		return listed, nil
	}

	// WithParts may leave out parts, and may name the ETags that they must have.
	byNumber := make(map[int]driver.Part, len(listed))
	for _, part := range listed {
		byNumber[part.Number] = part
	}

	chosen := make([]driver.Part, len(c.options.Parts))
	for i, wanted := range c.options.Parts {
		argument := fmt.Sprintf("part %d", wanted.Number)
		part, found := byNumber[wanted.Number]
		if !found {
			return nil, invalid(argument, "must not be missing: the store has none")
		}
		if wanted.ETag != "" && quotedETag(wanted.ETag) != uploadedPart(&part).ETag {
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
		isLast := i == len(parts)-1
		// Some stores require that all parts have the size of the first one.
		if rule := partRule(limits, part.Size, parts[0].Size, isLast); rule != "" {
			return invalid(fmt.Sprintf("part %d", part.Number), rule)
		}
	}
	return nil
}

// partRule returns the rule that a part of size bytes breaks, or "". firstSize is the size of the
// first part.
func partRule(limits storage.PartLimits, size, firstSize int64, isLast bool) string {
	if isLast {
		// The last part may be smaller than the others.
		if limits.Equal && size > firstSize {
			return fmt.Sprintf("must have at most %d bytes, as the first one", firstSize)
		}
		return ""
	}

	if size < limits.MinSize {
		return fmt.Sprintf("must have at least %d bytes, because it is not the last one", limits.MinSize)
	}
	if limits.Unit > 0 && size%limits.Unit != 0 {
		return fmt.Sprintf("must have a multiple of %d bytes, because it is not the last one", limits.Unit)
	}
	if limits.Equal && size != firstSize {
		return fmt.Sprintf("must have %d bytes, as the first one", firstSize)
	}
	return ""
}

// checkTotal checks the size of the whole object in bytes. isTooLarge is true if err says that
// the parts have too many bytes, so that further parts cannot help.
func (c *completion) checkTotal(size int64) (isTooLarge bool, err *storage.Error) {
	record := &c.upload.record
	for _, declared := range []int64{record.DeclaredSize(), c.options.Size} {
		// A size below 0 was not declared.
		if declared >= 0 && size != declared {
			rule := fmt.Sprintf("must have the %d bytes of WithSize, and have %d", declared, size)
			return size > declared, invalid("parts", rule)
		}
	}
	if record.MaxSize > 0 && size > record.MaxSize {
		rule := fmt.Sprintf("must have at most the %d bytes of WithMaxSize, and have %d", record.MaxSize, size)
		return true, invalid("parts", rule)
	}
	return false, c.op.engine.checkSize(size)
}

// checksum returns the CRC32C of the joined parts, if that of each part is known. It fails if it is not
// the one that the caller has declared.
func (c *completion) checksum(req *driver.CompleteRequest) (storage.CRC32C, *storage.Error) {
	_, sum := objectSum(req)

	// The caller may have declared a checksum in this call, when the upload began, or in both.
	declared := []storage.CRC32C{c.options.CRC32C}
	if crc := c.upload.record.CRC32C; crc != nil {
		declared = append(declared, storage.CRC32C{Sum: *crc, Known: true})
	}
	for _, want := range declared {
		if !want.Known {
			continue
		}
		if !sum.Known {
			return sum, unsupported(
				"the store does not tell the checksums of these parts",
				"leave out WithCRC32C, or send the parts with PutPart and complete them with the same MultipartUpload",
			)
		}
		if want != sum {
			return sum, mismatch(want, sum)
		}
	}
	return sum, nil
}

// join asks the store to make the object from the parts. If the response is lost, it finds out whether
// the object was made. mayBeStale is true as at joinListed.
func (c *completion) join(
	ctx context.Context, req *driver.CompleteRequest,
) (attrs *storage.Attrs, mayBeStale bool, err *storage.Error) {
	complete := func(ctx context.Context) (*storage.Attrs, error) {
		return c.op.engine.driver.CompleteParts(ctx, req)
	}
	attrs, err = requestUnlessRestart(ctx, &c.op, nil, complete)
	wasRefused := err != nil && !err.Unknown
	if wasRefused {
		// An earlier call may have made the object, although its response was lost.
		attrs, err = c.completedBefore(ctx, err)
		if err == nil {
			return attrs, false, nil
		}
		// Both codes may mean that a part was replaced after it was listed.
		mayBeStale = err.Code == storage.InvalidArgument || err.Code == storage.Changed
		return nil, mayBeStale, err
	}

	// The store has made the object, or it is unknown whether it has. Find that out.
	responseLost := err != nil
	attrs, err = finishWrite(ctx, &c.op, attrs, err, c.intent(req.Put))
	if err != nil {
		return nil, false, err
	}
	if responseLost {
		// A repeated request may have left parts.
		c.dropParts(ctx)
	}
	return c.readBack(ctx, attrs), false, nil
}

// intent describes the object that the store was to make from the parts. The object that exists is
// compared with it.
func (c *completion) intent(put *driver.PutRequest) *intent {
	u := c.upload
	return &intent{
		properties: recordedProperties(&u.record),
		controls:   put.Controls,
		native:     put.Native,
		size:       put.Size,
		crc:        put.CRC32C,
		condition:  u.put.Condition,
		writeID:    u.record.WriteID,
	}
}

// dropParts removes the parts of an upload whose object exists. The store may still have parts if
// the response to an earlier completion was lost.
func (c *completion) dropParts(ctx context.Context) {
	// The call succeeds even if the parts remain, so this error is for no one.
	ignored := &storage.Error{}
	c.op.abortParts(ctx, c.upload.record.Upload, ignored)
}

// completedBefore returns the object if an earlier call has completed the upload, whose response may
// have been lost. Otherwise it returns err, the error of this call, or an error which says that the
// upload is gone.
func (c *completion) completedBefore(ctx context.Context, err *storage.Error) (*storage.Attrs, *storage.Error) {
	u := c.upload
	// After IfAbsent, the text of the error says that the key exists.
	state(err).Absent = err.Code == storage.PreconditionFailed && u.put.Condition.Absent
	if !isPossibleAfterCompletion(err.Code) {
		return nil, err
	}

	attrs, headErr := c.findOwn(ctx)
	if headErr != nil {
		// err would say that the upload is gone, although the object may exist.
		return nil, headErr
	}
	if attrs != nil {
		// With ObjectNotFound, the store has said that the upload is gone. Otherwise it may still have parts.
		if err.Code != storage.ObjectNotFound {
			c.dropParts(ctx)
		}
		return c.op.toUser(ctx, attrs), nil
	}

	// No earlier call has completed the upload. The store may ask for a new one.
	if mustRestart(err) && u.put.Condition != (storage.Condition{}) {
		err.Hint = "another write at the same time ended this upload: begin a new one, and send all parts again"
		return nil, err
	}
	return nil, u.goneError(ctx, &c.op, err)
}

// isPossibleAfterCompletion reports whether a store may answer with the code if the upload was
// completed before.
func isPossibleAfterCompletion(code storage.Code) bool {
	switch code {
	case storage.ObjectNotFound, storage.InvalidArgument, storage.PreconditionFailed, storage.Unavailable:
		return true
	}
	return false
}

// findOwn returns the attributes of the object if it has the write id of this upload, which shows that
// this upload has made it, and otherwise nil. It fails only if it is unknown whether the object exists.
func (c *completion) findOwn(ctx context.Context) (*storage.Attrs, *storage.Error) {
	u := c.upload
	if u.record.WriteID == "" || ctx.Err() != nil {
		return nil, nil
	}
	attrs, err := head(ctx, &c.op, &driver.GetRequest{
		Key:       c.op.key,
		Length:    -1,
		Native:    u.put.Native,
		Auxiliary: true,
	})
	if err == nil {
		if metadata.HoldsWriteID(attrs.Metadata, u.record.WriteID) {
			return attrs, nil
		}
		// The object is of another write.
		return nil, nil
	}
	if ctx.Err() != nil || err.Code == storage.Unavailable || err.Code == storage.RateLimited {
		return nil, err
	}
	// Each other error, such as ObjectNotFound, counts as no object.
	return nil, nil
}
