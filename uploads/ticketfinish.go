package uploads

import (
	"bytes"
	"context"
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads/internal/refusal"
	"github.com/omnibucket/storage/uploads/internal/session"
)

// Finish checks a file that was sent with a ticket, and copies it to its final key. token is the
// Token of the ticket. user must be the user of [Service.Sign]. Determine the user from the
// request's session again, and never from data that the client sends.
//
// If the file breaks a rule, Finish removes it and returns the reason. If the file has not arrived,
// Finish fails with NotUploaded.
//
// Finish may be called again, for example because the client lost the response. It then returns the
// same file, even if the client has sent other bytes since. It also calls Config.Stored again. If
// the finished file has been removed, Finish fails with NotFound or NotUploaded.
//
// A client can send only one file if the ticket has a Put, and the store has
// [storage.SignedIfAbsent] and [storage.ConditionalCreate]. In any other case, the client can send
// files until the ticket expires. This has four consequences:
//
//   - The client can replace the file while Finish checks it. So Finish checks the copy, too.
//   - If the finished file is removed, the client can send another file. Finish stores that file if
//     Config.Allowance is nil.
//   - The client can send a file of another type during a call of Finish, and start a second call.
//     Both files may then be stored.
//   - The client can replace the file by a larger one while Finish copies it. If the process is then
//     killed, the copy is larger than its reservation, until Finish is called again or Sweep removes
//     or counts it.
//
// If a file breaks a rule, the client may send another one. In a store without
// [storage.ConditionalRemove], a call that refuses the first file may then remove the second one, if
// that arrives in the moment of the removal.
//
// The copy has the attributes that any other file has. Attributes that the sender has set are
// ignored.
func (s *Service) Finish(ctx context.Context, token string, user User) (*File, error) {
	t, e := s.openTicket(token, user)
	if e != nil {
		return nil, publicError(e)
	}
	ctx, cancel := context.WithTimeout(ctx, finishTimeout)
	defer cancel()
	f, e := t.finish(ctx)
	if e != nil {
		return nil, publicError(e.WithName(t.ticket.Name))
	}
	return f, nil
}

// finish makes the file of a ticket, and ends its upload. If the upload has ended already, finish
// returns its file.
func (t *ticketOp) finish(ctx context.Context) (*File, *refusal.Error) {
	t.known = &File{User: t.user, Name: t.ticket.Name, reserved: t.ticket.Random}
	var err error
	if t.reserved, err = t.service.files.beginEnding(ctx, t.known); err != nil {
		return nil, refusal.StoreFailed(err)
	}
	f, e := t.makeFile(ctx)
	if e != nil {
		return nil, e
	}
	// If this fails, the file stays, because an earlier call may have passed it to Config.Stored.
	if err := t.service.files.end(ctx, f); err != nil {
		return nil, refusal.StoreFailed(err)
	}
	return f, nil
}

// makeFile copies the file that was sent to its final key, and checks it. If an earlier call has
// done that, makeFile returns the file of that call.
func (t *ticketOp) makeFile(ctx context.Context) (*File, *refusal.Error) {
	if t.known.origin == originCounted {
		// An earlier call has counted the file, so it has also made it.
		return t.findFinished(ctx, refusal.StoreFailed(errSpent))
	}

	// Check the file that was sent. If it is gone, an earlier call may have made the file from it.
	s := t.service
	pending := t.pendingKey()
	sentAttrs, verdict, e := s.setup.inspectStored(ctx, pending, t.ticket.Size)
	switch {
	case e != nil && isGone(e):
		return t.findFinished(ctx, e)
	case e != nil && !isRefusal(e):
		return nil, e
	case e == nil:
		e = t.checkReserved(sentAttrs)
	}

	if !t.acceptsOnce() {
		// The client may have sent a file again after the ticket was finished.
		if r, before := t.findFinished(ctx, notUploadedError()); before == nil || before.Code != refusal.CodeNotUploaded {
			if before == nil {
				_ = s.setup.discard(ctx, pending)
			}
			return r, before
		}
	}
	if e != nil {
		_ = s.setup.discardJudged(ctx, pending, sentAttrs)
		return nil, e
	}

	// Copy the file to its final key.
	key := t.finalKey(verdict.Extension)
	target := s.setup.target(key, verdict)
	_, err := storage.Copy(ctx, s.setup.bucket, key, s.setup.bucket, pending, target.CopyOptions()...)
	// PreconditionFailed means that the object exists, because an earlier call has copied the file.
	if err != nil && !(s.setup.guarded && errors.Is(err, storage.PreconditionFailed)) {
		e = refusal.StoreFailed(err)
		if isGone(e) {
			return t.findFinished(ctx, e)
		}
		return nil, e
	}

	f, attrs, e := t.inspectFinal(ctx, verdict.Extension)
	if e == nil {
		t.markSpent(ctx, pending)
	} else if isRefusal(e) {
		_ = s.setup.discardJudged(ctx, key, attrs)
	}
	return f, e
}

// inspectFinal checks the object under the final key with this extension. All calls that finish the
// ticket use this check, whoever made the object. So no call removes what another one has accepted.
// If the object breaks a rule, inspectFinal also returns its attributes, for discardJudged.
func (t *ticketOp) inspectFinal(ctx context.Context, extension string) (*File, *storage.Attrs, *refusal.Error) {
	attrs, v, e := t.setup.inspectStored(ctx, t.finalKey(extension), t.ticket.Size)
	if e != nil {
		return nil, attrs, e
	}
	if t.known.origin != originCounted && (v.Extension != extension || !t.setup.hasType(attrs, v)) {
		return nil, attrs, changedError()
	}
	if e := t.checkReserved(attrs); e != nil {
		return nil, attrs, e
	}
	f, e := t.setup.result(ctx, t.file(), attrs, v)
	return f, attrs, e
}

// file returns the File for the result, with what is known before the content is looked at.
func (t *ticketOp) file() *File {
	f := *t.known
	return &f
}

// checkReserved fails if the file is larger than its reservation.
func (t *ticketOp) checkReserved(a *storage.Attrs) *refusal.Error {
	if t.reserved == 0 || a.Size <= t.reserved {
		return nil
	}
	return refusal.OfFile(refusal.CodeOverAllowance, "There is no room for this file: it is larger than was reserved.")
}

// markSpent ends a ticket after its file has been copied. If the store accepts a file only once,
// markSpent replaces the sent file by an empty object. Without any object, the signed URL would
// work again. A lifecycle rule removes the empty object later.
//
// In any other store, the client can use the signed URL again, even if there is an empty object. So
// markSpent only removes the sent file.
func (t *ticketOp) markSpent(ctx context.Context, pending string) {
	if !t.acceptsOnce() {
		_ = t.setup.discard(ctx, pending)
		return
	}
	// If this fails, the sent file stays under its key. The signed URL cannot replace the sent file,
	// so the client cannot use the URL again.
	_ = t.spend(ctx)
}

// spend replaces what the client has sent by an empty object, even if the caller has gone.
func (t *ticketOp) spend(ctx context.Context, opts ...storage.UploadOption) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), session.CleanUpFor)
	defer cancel()
	opts = append(opts, storage.WithContentType(contentTypeOfSpent))
	_, err := t.setup.bucket.Upload(ctx, t.pendingKey(), bytes.NewReader(nil), opts...)
	return err
}

// isGone reports whether the sent file is missing: it has not arrived, or a faster call has
// finished it.
func isGone(e *refusal.Error) bool {
	return errors.Is(e, storage.ObjectNotFound) || errors.Is(e, storage.Changed) || errors.Is(e, errSpent)
}

func notUploadedError() *refusal.Error {
	return refusal.OfFile(refusal.CodeNotUploaded, "The file has not arrived yet.")
}

func changedError() *refusal.Error {
	return refusal.OfFile(refusal.CodeDamaged, "The file was changed while it was checked. Send it again.")
}

// findFinished returns the file that an earlier call has finished. cause is the error
// that made the caller look for a finished file. If there is no finished file, findFinished returns
// an error that depends on cause.
func (t *ticketOp) findFinished(ctx context.Context, cause *refusal.Error) (*File, *refusal.Error) {
	for _, extension := range t.setup.judge.Extensions() {
		f, attrs, e := t.inspectFinal(ctx, extension)
		switch {
		case e == nil:
			return f, nil
		case errors.Is(e, storage.ObjectNotFound):
			continue
		case t.reserved > 0 && isRefusal(e):
			// An earlier call has copied the file, and was killed before it checked the copy. The
			// file has a reservation, so no call has accepted it.
			_ = t.setup.discardJudged(ctx, t.finalKey(extension), attrs)
		}
		return nil, e
	}

	if errors.Is(cause, errSpent) {
		return nil, fileRemoved()
	}
	if errors.Is(cause, storage.Changed) {
		// The client has sent the object again during the check, or Sweep has removed it.
		exists, err := t.setup.bucket.Exists(ctx, t.pendingKey())
		if err != nil {
			return nil, refusal.StoreFailed(err)
		}
		if exists {
			return nil, changedError()
		}
	}

	if t.expired() {
		return nil, tooOld()
	}
	return nil, notUploadedError()
}
