package uploads

import (
	"context"
	"fmt"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/partsize"
)

// Parts say how the client cuts its file.
type Parts struct {
	Size  int64 `json:"size"`  // bytes of each part but the last, which has the rest
	Count int   `json:"count"` // the parts are numbered from 1 to Count
}

// sizeOf returns the bytes that a part of a file of size bytes must have.
func (p Parts) sizeOf(number int, size int64) int64 {
	return min(p.Size, size-int64(number-1)*p.Size)
}

// check checks the parts that the store has of a file of size bytes.
func (p Parts) check(stored []storage.UploadedPart, size int64) *Error {
	for _, part := range stored {
		if want := p.sizeOf(part.Number, size); part.Size != want {
			return refuse(partsField, WrongSize, fmt.Sprintf("Part %d has %d bytes in place of %d. Start again.", part.Number, part.Size, max(want, 0)))
		}
	}
	for number := 1; number <= p.Count; number++ {
		if number > len(stored) || stored[number-1].Number != number {
			return refuse(partsField, NotUploaded, fmt.Sprintf("Part %d of %d has not arrived yet.", number, p.Count))
		}
	}
	return nil
}

const partsField = "parts" // the field of errors about parts that were sent

// cuts reports whether the file is sent in parts.
func (t *ticketOp) cuts() bool {
	s := t.service
	return s.config.PartsFrom > 0 && t.said.size >= s.config.PartsFrom &&
		storage.Supports(s.bucket, storage.OpenUploads|storage.SignedParts)
}

// beginParts begins the upload that a ticket in parts is for.
func (t *ticketOp) beginParts(ctx context.Context, signed *Ticket) error {
	s, said := t.service, &t.said
	opts := []storage.MultipartOption{
		storage.WithContentType(contentTypeOfPending), storage.WithSize(said.size), storage.WithUncheckedParts(),
	}
	if s.guarded {
		opts = append(opts, storage.IfAbsent())
	}
	upload, err := storage.BeginUpload(ctx, s.bucket, s.tokens.pendingKey(*said), opts...)
	if err != nil {
		return err
	}
	limits := upload.Limits()
	part := partsize.For(limits, said.size, s.keeper.basePart)
	said.parts = Parts{Size: part, Count: int((said.size-1)/part + 1)}
	// Signing makes no request, and fails here if the credentials cannot sign.
	if _, err := upload.SignPart(ctx, said.parts.Count); err != nil {
		abandon(ctx, upload)
		return err
	}
	said.upload = upload.Token()
	signed.Parts, signed.ExpiresAt = &said.parts, s.tokens.end(*said)
	return nil
}

// abandon drops an upload and its parts, even if the sender has gone. If that fails, they stay
// until a lifecycle rule removes them.
func abandon(ctx context.Context, upload storage.MultipartUpload) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpFor)
	defer cancel()
	_ = upload.Abort(ctx)
}

// openParts reads the token of a ticket in parts, and returns its upload, too.
func (s *Service) openParts(ctx context.Context, token string, user User) (*ticketOp, storage.MultipartUpload, *Error) {
	t, e := s.openTicket(token, user)
	if e != nil {
		return nil, nil, e
	}
	if !t.said.inParts() {
		return nil, nil, refuse(tokenField, InvalidValue, "This upload is not in parts.").about(t.said.name)
	}
	upload, e := t.continueParts(ctx)
	if e != nil {
		return nil, nil, e.about(t.said.name)
	}
	return t, upload, nil
}

// continueParts returns the upload of a ticket in parts. It makes no request.
func (t *ticketOp) continueParts(ctx context.Context) (storage.MultipartUpload, *Error) {
	upload, err := storage.ContinueUpload(ctx, t.service.bucket, t.said.upload)
	switch {
	case storage.CodeOf(err) == storage.InvalidArgument: // it is of another bucket
		return nil, invalidTicket()
	case err != nil:
		return nil, storeFailed(err)
	}
	return upload, nil
}

// SignPart returns the request that stores one part of a ticket's Parts. It works for
// Config.UploadTTL, and at most until the ticket expires. A part that is sent again replaces the
// earlier one. If the store can ([storage.SignedSize]), it enforces the length of the part. token
// and user are those of [Service.Finish].
//
// If number is not from 1 to Parts.Count, or the ticket is not in parts, SignPart fails with
// InvalidValue. It makes no request to the store, so it succeeds even if the upload has been
// finished; the part is then refused or dropped.
func (s *Service) SignPart(ctx context.Context, token string, user User, number int) (*storage.SignedURL, error) {
	t, upload, e := s.openParts(ctx, token, user)
	if e == nil && !t.said.parts.has(number) {
		e = noSuchPart("number", t.said.parts).about(t.said.name)
	}
	if e != nil {
		return nil, e
	}
	return t.signPart(ctx, upload, number)
}

func (p Parts) has(number int) bool { return number >= 1 && number <= p.Count }

func noSuchPart(field string, p Parts) *Error {
	return refuse(field, InvalidValue, fmt.Sprintf("The parts of this file are numbered from 1 to %d.", p.Count))
}

func (t *ticketOp) signPart(ctx context.Context, upload storage.MultipartUpload, number int) (*storage.SignedURL, error) {
	s := t.service
	left := s.tokens.end(t.said).Sub(s.config.Now()).Truncate(time.Second)
	if left < minTTL {
		return nil, ticketTooOld().about(t.said.name)
	}
	opts := []storage.SignedPartOption{storage.WithTTL(min(s.config.UploadTTL, left))}
	if storage.Supports(s.bucket, storage.SignedSize) {
		opts = append(opts, storage.WithSize(t.said.parts.sizeOf(number, t.said.size)))
	}
	signed, err := upload.SignPart(ctx, number, opts...)
	if err != nil {
		return nil, storeFailed(err).about(t.said.name)
	}
	return signed, nil
}

// StoredParts returns the numbers of the parts that have arrived, in ascending order. A client that
// was interrupted sends the others. A part of a wrong length is left out, and may be sent again.
//
// If the upload was finished, aborted or refused, StoredParts fails with NotFound; only
// Finish returns a finished file. If the ticket is not in parts, it fails with InvalidValue.
func (s *Service) StoredParts(ctx context.Context, token string, user User) ([]int, error) {
	t, upload, e := s.openParts(ctx, token, user)
	if e != nil {
		return nil, e
	}
	stored, err := upload.Parts(ctx)
	switch {
	case storage.CodeOf(err) == storage.ObjectNotFound:
		return nil, refuse(tokenField, NotFound, "This upload has ended.").about(t.said.name)
	case err != nil:
		return nil, storeFailed(err).about(t.said.name)
	}
	numbers := []int{}
	for _, part := range stored {
		if t.said.parts.has(part.Number) && part.Size == t.said.parts.sizeOf(part.Number, t.said.size) {
			numbers = append(numbers, part.Number)
		}
	}
	return numbers, nil
}

// Abort ends a ticket in parts, and removes what has arrived. If nothing is left of the ticket,
// Abort succeeds. If the ticket is not in parts, it fails with InvalidValue.
//
// If the file is complete, Abort fails with Completed, and the file stays: Finish returns it, and
// [Service.Delete] removes it. That is so even if no call of Finish has returned the file, because
// the process ended in the middle of it. If Finish runs at the same time, the file may still
// appear.
func (s *Service) Abort(ctx context.Context, token string, user User) error {
	t, upload, e := s.openParts(ctx, token, user)
	if e != nil {
		return e
	}
	err := upload.Abort(ctx)
	if err == nil {
		err = s.bucket.Remove(ctx, s.tokens.pendingKey(t.said)) // a Finish that failed may have left the joined parts
	}
	if err != nil {
		return storeFailed(err).about(t.said.name)
	}
	switch _, e = t.findFinished(ctx, notUploadedError()); {
	case e == nil:
		e = refuse(tokenField, Completed, "This file is complete. It was not removed.")
	case e.Code == NotFound: // there is no file
		return nil
	}
	return e.about(t.said.name)
}

// joinParts makes the pending file of the parts. If an earlier call has done that, or if the upload
// is gone, it does nothing: finish then looks for the file.
func (t *ticketOp) joinParts(ctx context.Context) *Error {
	upload, e := t.continueParts(ctx)
	if e != nil {
		return e
	}
	stored, err := upload.Parts(ctx)
	if err == nil {
		if e := t.said.parts.check(stored, t.said.size); e != nil {
			if e.Code == WrongSize {
				abandon(ctx, upload)
			}
			return e
		}
		_, err = upload.Complete(ctx)
	}
	if err == nil || storage.CodeOf(err) == storage.ObjectNotFound {
		return nil
	}
	return storeFailed(err) // also if a part was replaced meanwhile, or another call joins them
}
