package uploads

import (
	"bytes"
	"context"
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads/internal/refusal"
	"github.com/omnibucket/storage/uploads/internal/session"
	"github.com/omnibucket/storage/uploads/rules"
)

// Finish checks a file that was sent with a ticket, and copies it to its final key. token is the
// Token of the ticket. user must be the user for whom [Service.Sign] made the ticket. Determine the
// user again, from the session of this request and never from data that the client sends.
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
// If a file breaks a rule, the client may send another one. Then Finish may remove the second file
// instead of the refused one. This can happen only if the store lacks [storage.ConditionalRemove],
// and the second file arrives just before the removal.
//
// The copy has the attributes that any other file has. Attributes that the sender has set are
// ignored.
func (s *Service) Finish(ctx context.Context, token string, user User) (*File, error) {
	t, err := s.openTicket(token, user)
	if err != nil {
		return nil, publicError(err)
	}

	ctx, cancel := context.WithTimeout(ctx, finishTimeout)
	defer cancel()
	f, err := t.finish(ctx)
	if err != nil {
		return nil, publicFileError(err, t.ticket.Name)
	}
	return f, nil
}

// finish makes the file of a ticket and ends its upload, or returns the file of an upload that has
// ended already.
func (t *ticketOp) finish(ctx context.Context) (*File, error) {
	// Look up the reservation, which has the random name of the ticket. This also sets t.known.origin, which
	// says whether an earlier call has counted the file.
	t.known = &File{User: t.user, Name: t.ticket.Name, reserved: t.ticket.Random}
	reservedBytes, err := t.service.files.loadReservation(ctx, t.known)
	if err != nil {
		return nil, err
	}
	t.reserved = reservedBytes

	// Make the file, and record and count it.
	f, err := t.makeFile(ctx)
	if err != nil {
		return nil, err
	}

	// If this fails, the file stays, because an earlier call may have passed it to Config.Stored.
	if err := t.service.files.end(ctx, f); err != nil {
		return nil, err
	}
	return f, nil
}

// makeFile checks the file that was sent, and copies it to its final key. If an earlier call has
// done so, makeFile returns the file of that call.
func (t *ticketOp) makeFile(ctx context.Context) (*File, error) {
	if t.known.origin == originCounted {
		// An earlier call has counted the file, so it has also made it.
		return t.findFinished(ctx, errSpent)
	}

	// Check the file that was sent.
	sent, verdict, checkErr := t.setup.inspectStored(ctx, t.pendingKey(), t.ticket.Size)
	if isGone(checkErr) {
		// An earlier call may have made the file from it.
		return t.findFinished(ctx, checkErr)
	}
	if checkErr != nil && !isRefusal(checkErr) {
		// The check itself has failed.
		return nil, checkErr
	}
	if checkErr == nil {
		checkErr = t.checkReserved(sent)
	}

	// The client may have sent a file again after the ticket was finished. The finished file is then the result,
	// whatever the check of the second file has found.
	if !t.acceptsOnce() {
		f, err := t.findFinished(ctx, notUploadedError())
		if err == nil {
			_ = t.setup.discard(ctx, t.pendingKey())
			return f, nil
		}
		if refusal.CodeOf(err) != refusal.CodeNotUploaded {
			return nil, err
		}
	}

	if checkErr != nil {
		// The file that was sent breaks a rule, so remove it.
		_ = t.setup.discardUnchanged(ctx, t.pendingKey(), sent)
		return nil, checkErr
	}
	return t.copyFile(ctx, verdict)
}

// copyFile copies the sent file to its final key, with the type that the check of its content has found (the
// verdict), and checks the copy.
func (t *ticketOp) copyFile(ctx context.Context, verdict *rules.Verdict) (*File, error) {
	bucket := t.setup.bucket
	key := t.finalKey(verdict.Extension)
	target := t.setup.target(key, verdict)
	_, err := storage.Copy(ctx, bucket, key, bucket, t.pendingKey(), target.CopyOptions()...)

	// If copies never overwrite an object, an existing one is the copy of an earlier call.
	wasCopied := t.setup.guarded && errors.Is(err, storage.PreconditionFailed)
	if err != nil && !wasCopied {
		if isGone(err) {
			// Another call may have copied and removed the sent file since it was checked.
			return t.findFinished(ctx, err)
		}
		return nil, err
	}

	// Check the copy, or that of the earlier call.
	f, attrs, err := t.inspectFinal(ctx, verdict.Extension)
	if err == nil {
		t.markSpent(ctx, t.pendingKey())
		return f, nil
	}
	if isRefusal(err) {
		_ = t.setup.discardUnchanged(ctx, key, attrs)
	}
	return nil, err
}

// inspectFinal checks the object under the final key with this extension, whichever call has made it.
// If the object breaks a rule, inspectFinal also returns its attributes, so that the caller can
// discard it.
func (t *ticketOp) inspectFinal(ctx context.Context, extension string) (*File, *storage.Attrs, error) {
	attrs, verdict, err := t.setup.inspectStored(ctx, t.finalKey(extension), t.ticket.Size)
	if err != nil {
		return nil, attrs, err
	}

	// If the client has replaced the file while it was copied, the copy may have another type than its
	// key or its attributes say. But a file that an earlier call has counted is accepted already.
	isAccepted := t.known.origin == originCounted
	hasOtherType := verdict.Extension != extension || !t.setup.hasType(attrs, verdict)
	if hasOtherType && !isAccepted {
		return nil, attrs, changedError()
	}
	if err := t.checkReserved(attrs); err != nil {
		return nil, attrs, err
	}
	f, err := t.setup.result(ctx, t.file(), attrs, verdict)
	return f, attrs, err
}

// file returns the File for the result, with what is known before the content is looked at.
func (t *ticketOp) file() *File {
	f := *t.known
	return &f
}

// checkReserved fails if the file is larger than its reservation, unless that has 0 bytes, which means
// no limit.
func (t *ticketOp) checkReserved(a *storage.Attrs) error {
	if t.reserved == 0 || a.Size <= t.reserved {
		return nil
	}
	return refusal.OfFile(refusal.CodeOverAllowance, "There is no room for this file: it is larger than was reserved.")
}

// markSpent removes the sent file after it was copied. If the signed URL works only as long as there
// is no object, markSpent leaves an empty one in place of the file.
func (t *ticketOp) markSpent(ctx context.Context, pending string) {
	if !t.acceptsOnce() {
		_ = t.setup.discard(ctx, pending)
		return
	}
	// If this fails, the sent file stays, and keeps the signed URL from working again as well.
	_ = t.overwriteSent(ctx)
}

// overwriteSent replaces what the client has sent by an empty object, even if ctx has ended.
func (t *ticketOp) overwriteSent(ctx context.Context, opts ...storage.UploadOption) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), session.CleanUpFor)
	defer cancel()
	opts = append(opts, storage.WithContentType(contentTypeOfSpent))
	_, err := t.setup.bucket.Upload(ctx, t.pendingKey(), bytes.NewReader(nil), opts...)
	return err
}

// isGone reports whether the sent file is missing: it has not arrived, or a faster call has
// finished it.
func isGone(err error) bool {
	return errors.Is(err, storage.ObjectNotFound) || errors.Is(err, storage.Changed) || errors.Is(err, errSpent)
}

// notUploadedError returns the error for a ticket whose file has not arrived.
func notUploadedError() *refusal.Error {
	return refusal.OfFile(refusal.CodeNotUploaded, "The file has not arrived yet.")
}

// changedError returns the error for a file that the client has sent again while it was checked.
func changedError() *refusal.Error {
	return refusal.OfFile(refusal.CodeDamaged, "The file was changed while it was checked. Send it again.")
}

// findFinished returns the file that an earlier call has finished. If there is none, it returns an
// error that depends on cause, which is the error that made the caller look for a finished file.
func (t *ticketOp) findFinished(ctx context.Context, cause error) (*File, error) {
	// The type is not known, so look for the key with each extension.
	for _, extension := range t.setup.judge.Extensions() {
		f, attrs, err := t.inspectFinal(ctx, extension)
		if err == nil {
			return f, nil
		}
		if errors.Is(err, storage.ObjectNotFound) {
			continue
		}
		hasReservation := t.reserved > 0
		if hasReservation && isRefusal(err) {
			// No call has accepted the file. An earlier call has copied it, and was killed before it checked the copy.
			_ = t.setup.discardUnchanged(ctx, t.finalKey(extension), attrs)
		}
		return nil, err
	}
	return nil, t.unfinishedError(ctx, cause)
}

// unfinishedError returns the error for a ticket that has no finished file. The error cause is the one that made
// the caller look for such a file.
func (t *ticketOp) unfinishedError(ctx context.Context, cause error) error {
	if errors.Is(cause, errSpent) {
		// A call has finished the ticket, so its file has been removed since.
		return fileRemoved()
	}
	if errors.Is(cause, storage.Changed) {
		// The client has sent the object again during the check, or Sweep has removed it.
		exists, err := t.setup.bucket.Exists(ctx, t.pendingKey())
		if err != nil {
			return err
		}
		if exists {
			return changedError()
		}
	}

	if t.isExpired() {
		return tooOld()
	}
	return notUploadedError()
}
