package uploads

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads/rules"
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
		return nil, e
	}
	ctx, cancel := context.WithTimeout(ctx, finishTimeout)
	defer cancel()
	f, e := t.finish(ctx)
	if e != nil {
		return nil, e.about(t.said.Name)
	}
	return f, nil
}

// finish makes the file of a ticket, and ends its upload. If the upload has ended already, finish
// returns its file.
func (t *ticketOp) finish(ctx context.Context) (*File, *Error) {
	t.known = &File{User: t.user, Name: t.said.Name, reserved: t.said.Random}
	var err error
	if t.reserved, err = t.service.counter.beginEnding(ctx, t.known); err != nil {
		return nil, storeFailed(err)
	}
	f, e := t.makeFile(ctx)
	if e != nil {
		return nil, e
	}
	// If this fails, the file stays, because an earlier call may have passed it to Config.Stored.
	if err := t.service.end(ctx, f); err != nil {
		return nil, storeFailed(err)
	}
	return f, nil
}

// makeFile copies the file that was sent to its final key, and checks it. If an earlier call has
// done that, makeFile returns the file of that call.
func (t *ticketOp) makeFile(ctx context.Context) (*File, *Error) {
	if t.known.origin == originCounted {
		return t.findFinished(ctx, storeFailed(errSpent))
	}
	s := t.service
	pending := t.pendingKey()
	sent, arrived, e := s.inspectStored(ctx, pending, t.said.Size)
	switch {
	case e != nil && isGone(e):
		return t.findFinished(ctx, e)
	case e != nil && !isRefusal(e):
		return nil, e
	case e == nil:
		e = t.checkReserved(sent)
	}
	if !t.acceptsOnce() { // the client may have sent a file again after the ticket was finished
		if r, before := t.findFinished(ctx, notUploadedError()); before == nil || before.Code != NotUploaded {
			if before == nil {
				_ = s.discard(ctx, pending)
			}
			return r, before
		}
	}
	if e != nil {
		_ = s.discardJudged(ctx, pending, sent)
		return nil, e
	}
	key := t.finalKey(arrived.Extension)
	target := s.target(key, arrived)
	_, err := storage.Copy(ctx, s.bucket, key, s.bucket, pending, target.copyOptions()...)
	// PreconditionFailed means that the object exists, because an earlier call has copied the file.
	if err != nil && !(s.guarded && errors.Is(err, storage.PreconditionFailed)) {
		e = storeFailed(err)
		if isGone(e) {
			return t.findFinished(ctx, e)
		}
		return nil, e
	}
	f, attrs, e := t.inspectFinal(ctx, arrived.Extension)
	if e == nil {
		t.markSpent(ctx, pending)
	} else if isRefusal(e) {
		_ = s.discardJudged(ctx, key, attrs)
	}
	return f, e
}

// inspectFinal checks the object under the final key with this extension. All calls that finish the
// ticket use this check, whoever made the object. So no call removes what another one has accepted.
// If the object breaks a rule, inspectFinal also returns its attributes, for discardJudged.
func (t *ticketOp) inspectFinal(ctx context.Context, extension string) (*File, *storage.Attrs, *Error) {
	attrs, v, e := t.service.inspectStored(ctx, t.finalKey(extension), t.said.Size)
	if e != nil {
		return nil, attrs, e
	}
	if t.known.origin != originCounted && (v.Extension != extension || !t.service.hasType(attrs, v)) {
		return nil, attrs, changedError()
	}
	if e := t.checkReserved(attrs); e != nil {
		return nil, attrs, e
	}
	f, e := t.service.result(ctx, t.file(), attrs, v)
	return f, attrs, e
}

// file returns the File for the result, with what is known before the content is looked at.
func (t *ticketOp) file() *File {
	f := *t.known
	return &f
}

// hasType reports whether the type of a stored object fits its content. Otherwise the content was
// replaced after the type had been determined.
func (s *Service) hasType(a *storage.Attrs, v *rules.Verdict) bool {
	if !storage.Supports(s.bucket, storage.ContentProperties) {
		return true
	}
	value, _, _ := strings.Cut(a.ContentType, ";")
	match, _, _ := strings.Cut(v.ContentType, ";")
	return strings.EqualFold(value, match)
}

// checkReserved fails if the file is larger than its reservation.
func (t *ticketOp) checkReserved(a *storage.Attrs) *Error {
	if t.reserved == 0 || a.Size <= t.reserved {
		return nil
	}
	return refuseFile(OverAllowance, "There is no room for this file: it is larger than was reserved.")
}

// contentTypeOfSpent is the type of the empty object that replaces a file after Finish. Objects
// that a sender stores have contentTypeOfPending.
const contentTypeOfSpent = "application/x-omnibucket-finished"

// markSpent ends a ticket after its file has been copied. If the store accepts a file only once,
// markSpent replaces the sent file by an empty object. Without any object, the signed URL would
// work again. A lifecycle rule removes the empty object later.
//
// In any other store, the client can use the signed URL again, even if there is an empty object. So
// markSpent only removes the sent file.
func (t *ticketOp) markSpent(ctx context.Context, pending string) {
	if !t.acceptsOnce() {
		_ = t.service.discard(ctx, pending)
		return
	}
	// If this fails, the sent file stays under its key. The signed URL cannot replace the sent file,
	// so the client cannot use the URL again.
	_ = t.spend(ctx)
}

// spend replaces what the client has sent by an empty object, even if the caller has gone.
func (t *ticketOp) spend(ctx context.Context, opts ...storage.UploadOption) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpFor)
	defer cancel()
	opts = append(opts, storage.WithContentType(contentTypeOfSpent))
	_, err := t.service.bucket.Upload(ctx, t.pendingKey(), bytes.NewReader(nil), opts...)
	return err
}

var errSpent = errors.New("the ticket's file was finished")

// isGone reports whether the sent file is missing: it has not arrived, or a faster call has
// finished it.
func isGone(e *Error) bool {
	return errors.Is(e, storage.ObjectNotFound) || errors.Is(e, storage.Changed) || errors.Is(e, errSpent)
}

func notUploadedError() *Error { return refuseFile(NotUploaded, "The file has not arrived yet.") }

func changedError() *Error {
	return refuseFile(Damaged, "The file was changed while it was checked. Send it again.")
}

// findFinished returns the file that an earlier call has finished. cause is the error
// that made the caller look for a finished file. If there is no finished file, findFinished returns
// an error that depends on cause.
func (t *ticketOp) findFinished(ctx context.Context, cause *Error) (*File, *Error) {
	for _, extension := range t.service.judge.Extensions() {
		f, attrs, e := t.inspectFinal(ctx, extension)
		switch {
		case e == nil:
			return f, nil
		case errors.Is(e, storage.ObjectNotFound):
			continue
		case t.reserved > 0 && isRefusal(e):
			// An earlier call has copied the file, and was killed before it checked the copy. The
			// file has a reservation, so no call has accepted it.
			_ = t.service.discardJudged(ctx, t.finalKey(extension), attrs)
		}
		return nil, e
	}
	if errors.Is(cause, errSpent) {
		return nil, fileRemoved()
	}
	if errors.Is(cause, storage.Changed) {
		// The client has sent the object again during the check, or Sweep has removed it.
		exists, err := t.service.bucket.Exists(ctx, t.pendingKey())
		if err != nil {
			return nil, storeFailed(err)
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

// inspectStored checks a stored object against the rules. It reads only the beginning of the
// object. If the object breaks a rule, inspectStored also returns the attributes of the object.
func (s *Service) inspectStored(
	ctx context.Context, key string, claimed int64,
) (*storage.Attrs, *rules.Verdict, *Error) {
	r, err := s.bucket.Download(ctx, key, storage.WithRange(0, rules.Looks))
	if err != nil {
		return nil, nil, storeFailed(err)
	}
	defer r.Close()
	if r.Attrs().Size == 0 && r.Attrs().ContentType == contentTypeOfSpent {
		return nil, nil, storeFailed(errSpent)
	}
	if e := newBounds(s.judge, claimed).check(r.Attrs().Size); e != nil {
		return r.Attrs(), nil, e
	}
	v, err := s.judge.Inspect(ctx, r, "")
	if e := refused(err); e != nil {
		return r.Attrs(), nil, e
	}
	if err != nil {
		return nil, nil, storeFailed(err)
	}
	return r.Attrs(), v, nil
}

// isRefusal reports whether e says that the file breaks a rule. If the store or the sender failed,
// it returns false.
func isRefusal(e *Error) bool { return e.Code != StoreFailed && e.Code != Interrupted }
