package uploads

import (
	"context"
	"errors"

	"github.com/omnibucket/storage"
)

// Finish looks at a file that was sent by a ticket's Put or Form, and moves it to
// its final key: token is the ticket's, values are those that Sign had, again by
// what the application knows of the user. A file that breaks a rule is removed,
// and the error says which; NotUploaded where none has arrived. Called again, as
// by a client that lost the answer, it gives the same file.
//
// What was looked at is what is kept: the copy is looked at too, for the sender
// can write to the pending key as long as the ticket lasts.
func (s *Service) Finish(ctx context.Context, token string, values Values) (*Result, error) {
	if e := s.checkValues(values); e != nil {
		return nil, e
	}
	t, e := s.open(token, values)
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
	arrived, e := s.look(ctx, pending, t.size)
	if e != nil {
		if moved(e) {
			return s.finished(ctx, t, v, e)
		}
		s.discardRefused(ctx, pending, e)
		return nil, e
	}
	key := s.pattern.key(v, t.issued, s.finalRandom(t), arrived.extension)
	if e := s.keep(ctx, pending, key, arrived.kind); e != nil {
		if moved(e) {
			return s.finished(ctx, t, v, e)
		}
		return nil, e
	}
	kept, e := s.look(ctx, key, t.size)
	if e == nil && kept.mediaType != arrived.mediaType {
		e = changed()
	}
	if e != nil {
		s.discardRefused(ctx, key, e)
		return nil, e
	}
	s.discard(ctx, pending)
	return s.answer(ctx, kept, t)
}

// moved reports whether the pending file is gone, or was when it was read: by
// another call that was faster, or because it has not arrived.
func moved(e *Error) bool {
	return errors.Is(e, storage.ObjectNotFound) || errors.Is(e, storage.Changed)
}

func changed() *Error {
	return refuse(Damaged, "The file was changed while it was looked at. Send it again.")
}

func (s *Service) answer(ctx context.Context, f *looked, t ticket) (*Result, *Error) {
	r, err := s.result(ctx, f.attrs, f.kind, t.name)
	if err != nil {
		return nil, storeFailed(err)
	}
	return r, nil
}

// keep copies the file to its final key; one that is there is this file, of an
// earlier call.
func (s *Service) keep(ctx context.Context, pending, key string, k kind) *Error {
	var opts []storage.CopyOption
	for _, o := range s.writeOptions(k) {
		opts = append(opts, o)
	}
	_, err := storage.Copy(ctx, s.bucket, key, s.bucket, pending, opts...)
	if err != nil && !(s.guarded && errors.Is(err, storage.PreconditionFailed)) {
		return storeFailed(err)
	}
	return nil
}

// finished finds what an earlier call has kept, where the pending file was moved.
func (s *Service) finished(ctx context.Context, t ticket, v Values, moved *Error) (*Result, *Error) {
	tried := map[string]bool{}
	for _, mediaType := range s.types {
		extension := extensionOf(mediaType)
		if tried[extension] {
			continue
		}
		tried[extension] = true
		f, e := s.look(ctx, s.pattern.key(v, t.issued, s.finalRandom(t), extension), t.size)
		if e == nil {
			return s.answer(ctx, f, t)
		}
		if !errors.Is(e, storage.ObjectNotFound) {
			return nil, e
		}
	}
	if errors.Is(moved, storage.Changed) { // and is not gone: it was sent again
		return nil, changed()
	}
	return nil, refuse(NotUploaded, "The file has not arrived yet.")
}

// looked is a stored file that keeps the rules.
type looked struct {
	kind
	attrs *storage.Attrs
}

// look inspects a stored file by its first bytes, as many as that takes.
func (s *Service) look(ctx context.Context, key string, claimed int64) (*looked, *Error) {
	// One byte more than a head holds: the range's end must not pass for the file's.
	r, err := s.bucket.Download(ctx, key, storage.WithRange(0, headBytes+1))
	if err != nil {
		return nil, storeFailed(err)
	}
	defer func() { _ = r.Close() }()
	if e := s.bounds(claimed).judge(r.Attrs().Size); e != nil {
		return nil, e
	}
	h := &head{src: r}
	k, e := s.inspect(h, "")
	switch {
	case h.failure() != nil:
		return nil, storeFailed(h.failure())
	case e != nil:
		return nil, e
	}
	return &looked{k, r.Attrs()}, nil
}

// discardRefused removes a file that breaks a rule, not one that the store could
// not show.
func (s *Service) discardRefused(ctx context.Context, key string, e *Error) {
	if e.Code != StoreFailed && e.Code != Interrupted {
		s.discard(ctx, key)
	}
}
