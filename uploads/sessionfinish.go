package uploads

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/panics"
)

const (
	// claimFor is how long a claim lasts. A call that makes an object renews it. If its
	// process is gone, another call may try then.
	claimFor = 80 * time.Second
	// finishTimeout bounds the steps after the last byte, which continue if the client
	// disconnects. A later attempt begins a copy again, so it is as long as a store takes for 5 TiB.
	finishTimeout = 6 * time.Hour
	cleanUpFor    = 30 * time.Second
	// releaseAttempts is how often a call tries to end its claim.
	releaseAttempts = 3
	writeIDLength   = 32
)

// A maker makes the object of a session under key. It may be called again.
type maker func(ctx context.Context, key string) (*storage.Attrs, error)

// finish makes the object of a session whose bytes have all arrived: it is stored,
// inspected, moved to its key, and told to the application. Each step can be repeated, so
// that the next call continues after a failure or a kill.
func (k *keeper) finish(ctx context.Context, s *session, make maker) (*session, error) {
	limit := finishTimeout
	if s.Kind == kindSingle { // its bytes have not arrived yet
		limit += max(0, s.Expires.Sub(k.config.Now()))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	claim, _, leave := k.calls.enter()
	defer leave()
	open := s
	s, err := k.claim(ctx, open, claim)
	switch {
	case err == nil:
	case CodeOf(err) == Completed && open.id != "" && open.Kind != kindSingle: // a faster call has completed it
		return k.loadAny(ctx, open.id)
	case errors.Is(err, storage.OutcomeUnknown):
		k.release(ctx, open, claim)
		fallthrough
	default:
		return nil, err
	}
	claimed, stop := k.keepClaim(ctx, s)
	finished := false
	defer func() { // runs also if the application's judge panics
		if stop(); !finished {
			k.release(ctx, s, claim)
		}
	}()
	done, err := k.finishClaimed(claimed, s, make)
	if lost := stop(); lost && err != nil {
		return nil, beingCompleted()
	}
	finished = err == nil
	return done, err
}

// claim reserves the session for a call.
func (k *keeper) claim(ctx context.Context, s *session, by string) (*session, error) {
	user, etags, sum, size, overdue := s.User, s.ETags, s.PartsSum, s.Size, s.overdue
	whole := s.Tus != nil && s.Tus.Whole
	return k.update(ctx, s, func(s *session) (bool, error) {
		now := k.config.Now()
		switch {
		case s.User != user || s.Phase == phaseAborted:
			return false, notFound()
		case s.Phase == phaseDone:
			return false, s.completed()
		case k.claimedAt(s, now) && s.Claim != by && s.revision != overdue,
			s.Phase == phaseCompleting && s.PartsSum != sum: // it was completed with another list of parts
			return false, beingCompleted()
		}
		if s.Size < 0 {
			s.Size = size
		}
		if s.Phase == phaseOpen && s.arrived() {
			s.Phase, s.ETags, s.PartsSum = phaseCompleting, etags, sum
		}
		s.Claim, s.ClaimedUntil = by, now.Add(claimFor)
		if s.Pieces != nil {
			return true, k.drawKey(s)
		}
		if s.Tus != nil {
			s.Tus.Holder, s.Tus.Whole = "", whole
		}
		return true, nil
	})
}

// keepClaim renews the claim until stop is called. If another call has claimed the session,
// as in a process whose clock differs, the context that it returns is canceled, and stop
// returns true.
func (k *keeper) keepClaim(ctx context.Context, s *session) (held context.Context, stop func() (lost bool)) {
	held, cancel := context.WithCancel(ctx)
	var renewing panics.Group
	claim, lost := s.Claim, false
	renewing.Go(func() {
		for k.service.memory.Pulse(held, claimFor/4) == nil {
			if lost = !k.renew(held, s, claim); !lost {
				continue
			}
			if s.Pieces == nil { // otherwise the call that is first makes the file
				cancel()
			}
			return
		}
	}, cancel)
	return held, func() bool {
		cancel()
		renewing.Wait()
		return lost
	}
}

// renew renews a claim, and returns false if it is lost. If the store fails, the next call
// tries again.
func (k *keeper) renew(ctx context.Context, s *session, claim string) bool {
	s, err := k.reload(ctx, s)
	if err != nil {
		return storage.CodeOf(err) != storage.ObjectNotFound
	}
	if s.Claim != claim {
		return false
	}
	s.ClaimedUntil = k.config.Now().Add(claimFor)
	_ = k.save(ctx, s)
	return true
}

// claimed reports whether a call makes the object now.
func (k *keeper) claimed(s *session) bool { return k.claimedAt(s, k.config.Now()) }

func (k *keeper) claimedAt(s *session, now time.Time) bool {
	return s.Claim != "" && now.Before(s.ClaimedUntil) && !k.calls.ended(s.Claim)
}

// release ends the claim or the hold of a call, so that the next one continues at once. A database whose connection
// has ended fails once.
func (k *keeper) release(ctx context.Context, s *session, call string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpFor)
	defer cancel()
	for range releaseAttempts {
		now, err := k.reload(ctx, s)
		if err == nil {
			_, err = k.update(ctx, now, func(s *session) (bool, error) {
				claims := s.Claim == call && s.Phase != phaseDone && s.Phase != phaseAborted
				holds := s.Tus != nil && s.Tus.Holder == call
				if claims {
					s.Claim = ""
				}
				if holds {
					s.Tus.Holder = ""
				}
				return claims || holds, nil
			})
		}
		if storage.CodeOf(err) != storage.Unavailable {
			return
		}
	}
}

func (k *keeper) finishClaimed(ctx context.Context, s *session, make maker) (*session, error) {
	u := s.file()
	attrs, err := k.makeObject(ctx, s, u, make)
	gone := s.Phase == phaseStored && s.Pieces != nil && storage.CodeOf(err) == storage.ObjectNotFound
	switch {
	case err == nil:
		u.Attrs, u.Size, u.ContentType, u.CRC32C, u.Modified = attrs, attrs.Size, attrs.ContentType, attrs.CRC32C, attrs.Modified
	case !gone:
		return nil, k.dropIfRefused(ctx, s, err)
	}
	target := s.Target
	u.Key = target.Key
	if s.Kind != kindPartial {
		if err := k.service.link(ctx, u); err != nil {
			return nil, storeFailed(err)
		}
	}
	linked := u.Location
	if (k.config.Stored != nil || k.config.Records != nil || s.Pieces != nil) && s.Kind != kindPartial && !gone {
		if s.Phase != phaseStored {
			var err error
			if s, err = k.advance(ctx, s, s.Random, func(s *session) { s.Target = target; s.stored(phaseStored, u.Size) }); err != nil {
				return nil, err
			}
		}
		if err := k.service.tell(ctx, u); err != nil {
			return nil, err
		}
	}
	names := s.tailNames()
	if k.staged(s.Kind) && s.Kind != kindPartial && s.Token != "" {
		names = append(names, contentName)
	}
	done, err := k.advance(ctx, s, nil, func(s *session) {
		s.Target, s.link = target, linked
		s.stored(phaseDone, u.Size)
		if s.Location = u.Location; u.Location == linked {
			s.Location = ""
		}
	})
	switch {
	case s.Pieces != nil && err != nil && CodeOf(err) != StoreFailed:
		s.stored(phaseDone, u.Size) // another call has taken over, or Sweep has removed the state
		return s, nil
	case err != nil:
		return nil, err
	case s.Pieces != nil:
		_ = k.removeObjects(ctx, s) // otherwise Sweep removes them
	case len(names) > 0:
		k.removeKeys(ctx, s, names...)
	}
	return done, nil
}

// stored records that the object exists.
func (s *session) stored(phase string, size int64) {
	s.Phase, s.Size = phase, size
	if s.Tus != nil {
		s.Tus.Offset = size
	}
	if phase == phaseDone {
		s.Claim = ""
		if s.Kind != kindParts { // for parts, remove removes parts that come too late
			s.Token = ""
		}
		if s.Tus != nil {
			s.Tus.Tail = nil
		}
	}
}

// advance saves a step of the call that has claimed the session. A file in pieces may also have been
// claimed by another call: of the calls that make the object with the same random key, the first one
// decides.
func (k *keeper) advance(ctx context.Context, s *session, random []byte, step func(*session)) (*session, error) {
	claim := s.Claim
	return k.update(ctx, s, func(s *session) (bool, error) {
		same := s.Pieces != nil && s.Phase == phaseCompleting && random != nil && slices.Equal(s.Random, random)
		if s.Claim != claim && !same {
			return false, beingCompleted()
		}
		s.Claim = claim
		step(s)
		return true, nil
	})
}

// staged reports whether the content is stored below Config.Prefix first.
func (k *keeper) staged(kind string) bool {
	return kind == kindPartial || k.config.Inspect != nil || k.service.judge.LooksAtContent()
}

// makeObject makes the object of a session. If an earlier call has made it, it may have been removed since.
func (k *keeper) makeObject(ctx context.Context, s *session, u *File, make maker) (*storage.Attrs, error) {
	if s.Phase == phaseStored {
		return k.bucket.Attrs(ctx, s.Target.Key)
	}
	if !k.staged(s.Kind) {
		return k.makeOnce(ctx, s, s.Target.Key, make)
	}
	content := k.objectKey(s, contentName)
	if s.Kind != kindPartial && s.Token == "" {
		// The bytes are those of this call. If another one claims the session too, it must
		// not replace what Inspect has seen.
		content = k.objectKey(s, contentName+"-"+s.Claim+s.extension())
		defer k.service.discard(ctx, content)
	}
	var attrs *storage.Attrs
	err := error(storage.ObjectNotFound)
	if s.Phase == phaseCompleting { // an earlier call may have stored the object
		attrs, err = k.bucket.Attrs(ctx, content)
	}
	if storage.CodeOf(err) == storage.ObjectNotFound {
		attrs, err = make(ctx, content)
	}
	if err != nil || s.Kind == kindPartial {
		return attrs, err
	}
	target, err := k.settle(ctx, s, u, content)
	if err != nil {
		return nil, err
	}
	if err := k.service.inspect(ctx, u, attrs, &target); err != nil {
		return nil, err
	}
	made, err := k.makeOnce(ctx, s, target.Key, func(ctx context.Context, key string) (*storage.Attrs, error) {
		opts := optionsFor[storage.CopyOption](target)
		if s.Pieces == nil {
			opts = s.copy(target.copyOptions())
		}
		return storage.Copy(ctx, k.bucket, key, k.bucket, content, opts...)
	})
	if err == nil {
		s.Target = target
	}
	return made, err
}

// settle judges the content, and returns where it goes.
func (k *keeper) settle(ctx context.Context, s *session, u *File, content string) (Target, error) {
	t, service := s.Target, k.service
	if !service.judge.LooksAtContent() {
		return t, nil
	}
	_, v, e := service.inspectStored(ctx, content, 0)
	if e != nil {
		if !isRefusal(e) {
			return t, e.Err
		}
		return t, e
	}
	u.Width, u.Height = v.Width, v.Height
	if s.Random == nil {
		return service.asked(t, service.target(t.Key, v)), nil
	}
	usual := service.target(k.drawnKey(s, v.Extension), v)
	if s.Pieces != nil && s.Pieces.Target {
		return service.asked(t, usual), nil
	}
	usual.MaxSize = t.MaxSize
	return usual, nil
}

// makeOnce makes the object under its key. If an earlier call has made it before it was killed, the
// maker finds that object by its write id. The key of a file in pieces is its own.
func (k *keeper) makeOnce(ctx context.Context, s *session, key string, make maker) (*storage.Attrs, error) {
	made, err := make(ctx, key)
	switch {
	case storage.CodeOf(err) != storage.PreconditionFailed:
		return made, err
	case s.Pieces != nil:
		return k.bucket.Attrs(ctx, key)
	}
	e := exists()
	e.Err = err
	return nil, e
}

// writeID marks the object as that of this session.
func (s *session) writeID() string { return s.name[:writeIDLength] }

// upload returns opts with the options for the upload of the session's object.
func (s *session) upload(opts []storage.UploadOption) []storage.UploadOption {
	named := storage.UploadOptions{Size: -1, Transfer: storage.Transfer{WriteID: s.writeID()}}
	return slices.Insert(opts, 0, storage.UploadOption(named))
}

// copy returns opts with the options for the copy that makes the session's object.
func (s *session) copy(opts []storage.CopyOption) []storage.CopyOption {
	named := storage.CopyOptions{Transfer: storage.Transfer{WriteID: s.writeID()}}
	return slices.Insert(opts, 0, storage.CopyOption(named))
}

// An inspectError is an error of Config.Inspect that does not refuse the content.
type inspectError struct{ error }

// A sendAgain error says that the file cannot be made until a part or a piece is sent again.
type sendAgain struct{ refusal *Error }

func (e sendAgain) Error() string { return e.refusal.Error() }

// dropIfRefused removes a session that can never complete, and reopens a session if one of its
// parts was replaced. It returns err as the client sees it.
func (k *keeper) dropIfRefused(ctx context.Context, s *session, err error) error {
	if failed, ok := err.(inspectError); ok {
		return unauthorized(failed.error)
	}
	if again, ok := err.(sendAgain); ok {
		_, _ = k.advance(ctx, s, nil, func(s *session) {
			s.Phase, s.ETags, s.PartsSum = phaseOpen, nil, ""
			if s.Pieces != nil {
				s.Random = nil
			}
		})
		return again.refusal
	}
	e, refused := errors.AsType[*Error](err)
	if !refused {
		if s.Pieces != nil {
			return storeFailed(err)
		}
		switch code := storage.CodeOf(err); {
		case code == storage.InvalidArgument && s.Token == "": // a Target of Config.Begin is invalid
			e = &Error{Code: Internal, Message: internalMessage, Err: err}
		case code == storage.InvalidArgument, code == storage.TooLarge, code == storage.ChecksumMismatch:
			e = refuse("parts", WrongSize, "The parts do not make the file that was announced. Start again.")
			e.Err = err
		case code == storage.Unsupported: // Inspect has set an unsupported attribute, or the key is beside a folder
			e = unsupported(err)
		case code == storage.ObjectNotFound: // the store has dropped the upload
			e = notFound()
			e.Err = err
		default:
			return storeFailed(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpFor)
	defer cancel()
	if s, failed := k.advance(ctx, s, nil, func(s *session) { s.Phase = phaseAborted }); failed == nil {
		_ = k.remove(ctx, s) // if it fails, Sweep repeats it
	}
	return e
}

func (s *session) user() User { return User{ID: s.User, Values: s.Values} }

// file returns the File that the application's functions get.
func (s *session) file() *File {
	return &File{
		User: s.user(), Key: s.Target.Key, Name: CleanName(s.Name), ClaimedName: s.Name, ClaimedType: s.Type,
		Metadata: maps.Clone(s.Metadata),
		Size:     s.Size, ContentType: s.Target.ContentType, Location: s.location(), lifetime: s.Target.Lifetime,
	}
}

// firstTarget returns how the bytes are stored first. If they wait there to be judged, no browser may run
// them, because the sender can derive the key. Only pieces whose type the store must find have their type at
// once.
func (k *keeper) firstTarget(s *session) Target {
	t := s.Target
	if k.staged(s.Kind) {
		t.Overwrite, t.PublicRead = true, false
		found := s.Pieces != nil && t.ContentType == "" && !k.service.judge.LooksAtContent()
		if !found && storage.Supports(k.bucket, storage.ContentProperties) {
			t.ContentType = contentTypeOfPending
		}
	}
	return t
}
