package uploads

import (
	"bytes"
	"context"
	"errors"

	"github.com/omnibucket/storage"
)

// Finish looks at a file that was sent by a ticket's Put or Form, and moves it to
// its final key: token is the ticket's, values are those that Sign had, again by
// what the application knows of the user. A file that breaks a rule is removed,
// and the error says which; NotUploaded where none has arrived. Called again, as
// by a client that lost the answer, it gives the same file, whatever was sent
// since; TicketExpired where that was removed again.
//
// The store sees to the latter, by a ticket's Put (storage.SignIfAbsent). By a
// Form, or where the store takes a file as often as it comes, or does not guard
// (Config.Unguarded), a ticket whose file was removed can be used again until it
// ends; and who calls Finish twice at the same moment, and sends another type
// between, may have two files of it.
//
// What was looked at is what is kept: the copy is looked at too, for the sender
// can write to the pending key as long as the ticket lasts. The kept object has
// the media type of its content and the directives of Config.CacheControl. It has
// no other attribute that the sender set: disposition, encoding, language, storage
// class and metadata are empty.
func (s *Service) Finish(ctx context.Context, token string, values Values) (*Result, error) {
	if e := s.checkValues(values); e != nil {
		return nil, e
	}
	t, e := s.decodeToken(token, values)
	if e != nil {
		return nil, e
	}
	r, e := s.finish(ctx, t, values)
	if e != nil {
		return nil, e.about(t.name)
	}
	return r, nil
}

func (s *Service) finish(ctx context.Context, t ticket, v Values) (*Result, *Error) {
	pending := s.pendingKey(t)
	arrived, e := s.inspectStored(ctx, pending, t.size)
	switch {
	case e != nil && isGone(e):
		return s.findFinished(ctx, t, v, e)
	case e != nil && !isRefusal(e):
		return nil, e
	}
	if !s.acceptsOnce(t) { // it may have been finished, and sent again
		if r, before := s.findFinished(ctx, t, v, notUploadedError()); before == nil || before.Code != NotUploaded {
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
	key := s.pattern.key(v, t.issued, s.finalRandom(t), arrived.extension)
	if e := s.copyToFinal(ctx, pending, key, arrived.kind); e != nil {
		if isGone(e) {
			return s.findFinished(ctx, t, v, e)
		}
		return nil, e
	}
	kept, e := s.inspectStored(ctx, key, t.size)
	if e == nil && kept.mediaType != arrived.mediaType {
		e = changedError()
	}
	if e != nil {
		if isRefusal(e) {
			s.discard(ctx, key)
		}
		return nil, e
	}
	s.markSpent(ctx, t, pending)
	return s.resultOf(ctx, kept, t)
}

// contentTypeOfSpent marks what stands in for a file that was finished. The
// sender's own have contentTypeOfPending.
const contentTypeOfSpent = "application/x-omnibucket-finished"

// spend ends a ticket. Where the store takes its file once, an empty object stays
// at the pending key, so that the address does not work again; it is cleared
// away with all that waits there. Elsewhere the sender could replace it.
func (s *Service) markSpent(ctx context.Context, t ticket, pending string) {
	if !s.acceptsOnce(t) {
		s.discard(ctx, pending)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discardTimeout)
	defer cancel()
	// A failure leaves the file: the address does not work again with that either.
	_, _ = s.bucket.Upload(ctx, pending, bytes.NewReader(nil), storage.WithContentType(contentTypeOfSpent))
}

var errSpent = errors.New("the ticket's file was finished")

// gone reports whether the pending file is gone, or was when it was read: by
// another call that was faster, or because it has not arrived.
func isGone(e *Error) bool {
	return errors.Is(e, storage.ObjectNotFound) || errors.Is(e, storage.Changed) || errors.Is(e, errSpent)
}

func notUploadedError() *Error { return refuse(NotUploaded, "The file has not arrived yet.") }

func changedError() *Error {
	return refuse(Damaged, "The file was changed while it was looked at. Send it again.")
}

func (s *Service) resultOf(ctx context.Context, f *inspected, t ticket) (*Result, *Error) {
	r, err := s.result(ctx, f.attrs, f.kind, t.name)
	if err != nil {
		return nil, storeFailed(err)
	}
	return r, nil
}

// keep copies the file to its final key; one that is there is this file, of an
// earlier call.
func (s *Service) copyToFinal(ctx context.Context, pending, key string, k kind) *Error {
	// A copy keeps the attributes that no option sets, and whoever sent the file
	// chose those.
	opts := []storage.CopyOption{
		storage.WithContentDisposition(""),
		storage.WithContentEncoding(""),
		storage.WithContentLanguage(""),
		storage.WithCacheControl(""), // unless writeOptions sets one
		storage.WithMetadata(nil),
		storage.WithStorageClass(""),
	}
	for _, o := range s.writeOptions(k) {
		opts = append(opts, o)
	}
	_, err := storage.Copy(ctx, s.bucket, key, s.bucket, pending, opts...)
	if err != nil && !(s.guarded && errors.Is(err, storage.PreconditionFailed)) {
		return storeFailed(err)
	}
	return nil
}

// finished finds what an earlier call has kept.
func (s *Service) findFinished(ctx context.Context, t ticket, v Values, why *Error) (*Result, *Error) {
	tried := map[string]bool{}
	for _, mediaType := range s.types {
		extension := extensionOf(mediaType)
		if tried[extension] {
			continue
		}
		tried[extension] = true
		f, e := s.inspectStored(ctx, s.pattern.key(v, t.issued, s.finalRandom(t), extension), t.size)
		if e == nil {
			return s.resultOf(ctx, f, t)
		}
		if !errors.Is(e, storage.ObjectNotFound) {
			return nil, e
		}
	}
	switch {
	case errors.Is(why, errSpent):
		return nil, refuseField("token", TicketExpired, "This upload was finished, and its file removed since. Send the file again.")
	case errors.Is(why, storage.Changed): // and is not gone: it was sent again
		return nil, changedError()
	}
	return nil, notUploadedError()
}

// looked is a stored file that keeps the rules.
type inspected struct {
	kind
	attrs *storage.Attrs
}

// look inspects a stored file by its first bytes, as many as that takes.
func (s *Service) inspectStored(ctx context.Context, key string, claimed int64) (*inspected, *Error) {
	// One byte more than a head holds: the range's end must not pass for the file's.
	r, err := s.bucket.Download(ctx, key, storage.WithRange(0, headBytes+1))
	if err != nil {
		return nil, storeFailed(err)
	}
	defer func() { _ = r.Close() }()
	if r.Attrs().Size == 0 && r.Attrs().ContentType == contentTypeOfSpent {
		return nil, storeFailed(errSpent)
	}
	if e := s.bounds(claimed).check(r.Attrs().Size); e != nil {
		return nil, e
	}
	h := &head{ctx: ctx, src: r}
	k, e := s.inspect(h, "")
	switch {
	case h.failure() != nil:
		return nil, storeFailed(h.failure())
	case e != nil:
		return nil, e
	}
	return &inspected{k, r.Attrs()}, nil
}

// refused tells a file that breaks a rule from one that the store could not show.
func isRefusal(e *Error) bool { return e.Code != StoreFailed && e.Code != Interrupted }
