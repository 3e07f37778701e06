package uploads

import (
	"bytes"
	"context"
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads/rules"
)

// Finish inspects a file that was sent with a ticket, and moves it to its final key. token is
// the ticket's. user must be the user of [Service.Sign]; determine it again, and not from the
// client.
//
// If the file breaks a rule, Finish removes it and returns the reason. If no file has
// arrived, it fails with NotUploaded. Called again, for example by a client that
// lost the response, it returns the same file, even if other bytes were sent since, and tells
// Config.Stored again. If that file has been removed, it fails with NotFound.
//
// A removed file stays removed only with a ticket's Put and a store with
// [storage.SignedIfAbsent]. With a Form, with a store that accepts a file repeatedly, or with
// Config.Unguarded, a ticket whose file was removed can be used again until it expires. A
// sender who then calls Finish twice at once, and sends another type in between, may get two
// files.
//
// Finish inspects the copy too, because the sender can write to the pending key until
// the ticket expires. The stored object has the attributes of any other file, whatever
// the sender set.
func (s *Service) Finish(ctx context.Context, token string, user User) (*File, error) {
	t, e := s.openTicket(token, user)
	if e != nil {
		return nil, e
	}
	f, e := t.finish(ctx)
	if e == nil {
		if err := s.tell(ctx, f); err != nil { // the file stays, because an earlier call may have called Config.Stored
			e = err.(*Error)
		}
	}
	if e != nil {
		return nil, e.about(t.said.Name)
	}
	return f, nil
}

func (t *ticketOp) finish(ctx context.Context) (*File, *Error) {
	s := t.service
	pending := t.pendingKey()
	_, arrived, e := s.inspectStored(ctx, pending, t.said.Size)
	switch {
	case e != nil && isGone(e):
		return t.findFinished(ctx, e)
	case e != nil && !isRefusal(e):
		return nil, e
	}
	if !t.acceptsOnce() { // it may have been finished, and sent again
		if r, before := t.findFinished(ctx, notUploadedError()); before == nil || before.Code != NotUploaded {
			if before == nil {
				s.discard(ctx, pending)
			}
			return r, before
		}
	}
	if e != nil {
		s.discard(ctx, pending)
		return nil, e
	}
	key := t.finalKey(arrived.Extension)
	target := s.target(key, arrived)
	_, err := storage.Copy(ctx, s.bucket, key, s.bucket, pending, target.copyOptions()...)
	if err != nil && !(s.guarded && errors.Is(err, storage.PreconditionFailed)) { // else an earlier call has copied it
		if e = storeFailed(err); isGone(e) {
			return t.findFinished(ctx, e)
		}
		return nil, e
	}
	attrs, kept, e := s.inspectStored(ctx, key, t.said.Size)
	if e == nil && kept.MediaType != arrived.MediaType {
		e = changedError()
	}
	if e != nil {
		if isRefusal(e) {
			s.discard(ctx, key)
		}
		return nil, e
	}
	t.markSpent(ctx, pending)
	return s.result(ctx, &File{User: t.user, Name: t.said.Name}, attrs, kept)
}

// contentTypeOfSpent marks the object that replaces a finished file. The sender's own
// objects have contentTypeOfPending.
const contentTypeOfSpent = "application/x-omnibucket-finished"

// markSpent ends a ticket. If the store accepts its file only once, an empty object stays at
// the pending key, so that the address does not work again. It is later removed with the other
// files under Config.Prefix. Otherwise the object is removed, because the sender could replace
// it anyway.
func (t *ticketOp) markSpent(ctx context.Context, pending string) {
	if !t.acceptsOnce() {
		t.service.discard(ctx, pending)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpFor)
	defer cancel()
	// If this fails, the file stays, and the address does not work again either.
	_, _ = t.service.bucket.Upload(ctx, pending, bytes.NewReader(nil), storage.WithContentType(contentTypeOfSpent))
}

var errSpent = errors.New("the ticket's file was finished")

// isGone reports whether the pending file has not arrived, or was taken by a faster call.
func isGone(e *Error) bool {
	return errors.Is(e, storage.ObjectNotFound) || errors.Is(e, storage.Changed) || errors.Is(e, errSpent)
}

func notUploadedError() *Error { return refuseFile(NotUploaded, "The file has not arrived yet.") }

func changedError() *Error {
	return refuseFile(Damaged, "The file was changed while it was checked. Send it again.")
}

// findFinished returns the file that an earlier call has stored.
func (t *ticketOp) findFinished(ctx context.Context, why *Error) (*File, *Error) {
	for _, extension := range t.service.judge.Extensions() {
		attrs, v, e := t.service.inspectStored(ctx, t.finalKey(extension), t.said.Size)
		if e == nil {
			return t.service.result(ctx, &File{User: t.user, Name: t.said.Name}, attrs, v)
		}
		if !errors.Is(e, storage.ObjectNotFound) {
			return nil, e
		}
	}
	switch {
	case errors.Is(why, errSpent):
		return nil, refuse(
			tokenField, NotFound, "This upload was finished, and its file has been removed. Send the file again.",
		)
	case errors.Is(why, storage.Changed): // it is not gone, but was sent again
		return nil, changedError()
	}
	return nil, notUploadedError()
}

// inspectStored inspects a stored file. It reads only as many bytes as that takes.
func (s *Service) inspectStored(
	ctx context.Context, key string, claimed int64,
) (*storage.Attrs, *rules.Verdict, *Error) {
	r, err := s.bucket.Download(ctx, key, storage.WithRange(0, rules.Looks))
	if err != nil {
		return nil, nil, storeFailed(err)
	}
	defer func() { _ = r.Close() }()
	if r.Attrs().Size == 0 && r.Attrs().ContentType == contentTypeOfSpent {
		return nil, nil, storeFailed(errSpent)
	}
	if e := newBounds(s.judge, claimed).check(r.Attrs().Size); e != nil {
		return nil, nil, e
	}
	v, err := s.judge.Inspect(ctx, r, "")
	if e := refused(err); e != nil {
		return nil, nil, e
	}
	if err != nil {
		return nil, nil, storeFailed(err)
	}
	return r.Attrs(), v, nil
}

// isRefusal reports whether the file breaks a rule, rather than that the store
// failed.
func isRefusal(e *Error) bool { return e.Code != StoreFailed && e.Code != Interrupted }
