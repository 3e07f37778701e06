package uploads

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/omnibucket/storage"
)

const (
	// finishTimeout limits the steps after the last byte, which continue if the client disconnects.
	// The slowest step is a copy, which cannot be resumed. So the limit is long enough for a store
	// to copy 5 TiB.
	finishTimeout = 6 * time.Hour
	cleanUpFor    = 30 * time.Second
	writeIDLength = 32
)

// A maker makes the object of a session under key. It may be called several times.
type maker func(ctx context.Context, key string) (*storage.Attrs, error)

// finish makes the file of a session whose bytes have all arrived. It stores the object, inspects
// it, copies it to its key, and calls Config.Stored. Each step can be repeated. So if finish fails
// or the process is killed, the next call continues.
func (k *keeper) finish(ctx context.Context, s *session, make maker) (*session, error) {
	limit := finishTimeout
	if s.Kind == kindSingle { // the bytes of the file arrive only now, while the object is made
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
	case CodeOf(err) == Completed && open.id != "" && open.Kind != kindSingle: // a faster call has completed the upload
		return k.loadAny(ctx, open.id)
	case errors.Is(err, storage.OutcomeUnknown):
		k.release(ctx, open, claim)
		fallthrough
	default:
		return nil, err
	}
	claimed, stop := k.keepClaim(ctx, s)
	finished := false
	defer func() { // deferred, so that it also runs if a function of the application panics
		stop()
		if !finished {
			k.release(ctx, s, claim)
		}
	}()
	final, err := k.finishClaimed(claimed, s, make)
	if lost := stop(); lost && err != nil {
		return nil, beingCompleted()
	}
	finished = err == nil
	return final, err
}

// A sessionEnd is the end of a session's upload, by the call that has claimed the session. ending.go
// has the order of the steps.
type sessionEnd struct {
	keeper *keeper
	s      *session
	make   maker
	file   *File
	target Target // the Target of the file, with its key
	linked string // the Location of the file by Config.Link
	// gone is true if an earlier call has made the file, and the file has been removed since. This can
	// be known only of a file in pieces.
	gone bool
}

func (k *keeper) finishClaimed(ctx context.Context, s *session, make maker) (*session, error) {
	e := &sessionEnd{keeper: k, s: s, make: make, file: s.file()}
	for _, step := range []func(context.Context) error{e.begin, e.reserve, e.makeObject, e.link, e.stored, e.end} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return e.done(ctx)
}

// begin looks at what earlier calls have done.
func (e *sessionEnd) begin(ctx context.Context) error {
	if err := e.keeper.beginEnding(ctx, e.s, e.file); err != nil {
		return storeFailed(err)
	}
	return nil
}

// reserve reserves room for a file whose bytes arrive only now.
func (e *sessionEnd) reserve(ctx context.Context) error {
	if e.s.Kind != kindSingle {
		return nil
	}
	s, err := e.keeper.reserveSingle(ctx, e.s)
	if err != nil {
		return err
	}
	e.s = s
	return nil
}

func (e *sessionEnd) makeObject(ctx context.Context) error {
	attrs, err := e.keeper.makeObject(ctx, e.s, e.file, e.make)
	e.gone = e.s.Phase == phaseStored && e.s.Pieces != nil && storage.CodeOf(err) == storage.ObjectNotFound
	if err != nil && !e.gone {
		return e.keeper.dropIfRefused(ctx, e.s, err)
	}
	f := e.file
	if err == nil {
		f.Attrs = attrs
		f.Size = attrs.Size
		f.ContentType = attrs.ContentType
		f.CRC32C = attrs.CRC32C
		f.Modified = attrs.Modified
	}
	e.target = e.s.Target
	f.Key = e.target.Key
	return nil
}

func (e *sessionEnd) link(ctx context.Context) error {
	if e.s.Kind == kindPartial {
		return nil
	}
	if err := e.keeper.service.link(ctx, e.file); err != nil {
		return storeFailed(err)
	}
	e.linked = e.file.Location
	return nil
}

// known reports whether anybody else must get to know the file: the records, the ledger, the
// application, or another call with a piece of the file.
func (e *sessionEnd) known() bool {
	config := e.keeper.config
	tells := config.Stored != nil || config.Records != nil || config.Allowance != nil || e.s.Pieces != nil
	return tells && e.s.Kind != kindPartial && !e.gone
}

// stored saves that the object exists.
func (e *sessionEnd) stored(ctx context.Context) (err error) {
	if !e.known() || e.s.Phase == phaseStored {
		return nil
	}
	s, err := e.keeper.advance(ctx, e.s, e.s.Random, func(s *session) {
		s.Target = e.target
		s.stored(phaseStored, e.file.Size)
	})
	if err != nil {
		return err
	}
	e.s = s
	return nil
}

func (e *sessionEnd) end(ctx context.Context) error {
	if !e.known() {
		return nil
	}
	// The reservation of a joined file was also that of its pieces. So remove the pieces before the
	// file is counted.
	if err := e.keeper.removeJoined(ctx, e.s); err != nil {
		return err
	}
	return e.keeper.service.end(ctx, e.file)
}

// done saves that the upload has ended, and removes what it has left.
func (e *sessionEnd) done(ctx context.Context) (*session, error) {
	k := e.keeper
	s := e.s
	f := e.file
	names := s.tailNames()
	if k.staged(s.Kind) && s.Kind != kindPartial && s.Token != "" {
		names = append(names, contentName)
	}
	final, err := k.advance(ctx, s, nil, func(s *session) {
		s.Target = e.target
		s.link = e.linked
		s.stored(phaseDone, f.Size)
		s.Location = f.Location
		if f.Location == e.linked {
			s.Location = ""
		}
	})
	if s.Pieces != nil && err != nil && CodeOf(err) != StoreFailed {
		s.stored(phaseDone, f.Size) // another call has finished the file, or Sweep has removed the state
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	if s.Pieces != nil {
		_ = k.removeObjects(ctx, s) // if it fails, Sweep removes them
	} else if len(names) > 0 {
		k.removeKeys(ctx, s, names...)
	}
	if !e.known() {
		_ = k.removeJoined(ctx, s) // if it fails, Sweep removes the pieces later
	}
	return final, nil
}

// stored sets the phase of a session whose object exists. size is the size of that
// object in bytes.
func (s *session) stored(phase string, size int64) {
	s.Phase = phase
	s.Size = size
	if s.Tus != nil {
		s.Tus.Offset = size
	}
	if phase == phaseDone {
		s.Claim = ""
		// For parts, keep the token. The method remove needs the token to remove parts that arrive
		// later.
		if s.Kind != kindParts {
			s.Token = ""
		}
		if s.Tus != nil {
			s.Tus.Tail = nil
		}
	}
}

// advance saves a step of a call that makes the object. The call needs the claim, which is the
// right to make the object. If another call has taken over the claim, advance fails.
//
// There is an exception for a file in pieces. The given random bits are part of the key of the
// object. If the state still has the same bits, the other call makes the object under the same key.
// In that case, this call takes the claim back, and saves its step.
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

// staged reports whether the content is first stored below Config.Prefix, to be checked there.
func (k *keeper) staged(kind string) bool {
	return kind == kindPartial || k.config.Inspect != nil || k.service.judge.LooksAtContent()
}

// makeObject makes the object of a session. If an earlier call has made it, makeObject returns its
// attributes, or ObjectNotFound if it has been removed.
func (k *keeper) makeObject(ctx context.Context, s *session, u *File, make maker) (*storage.Attrs, error) {
	if s.Phase == phaseStored {
		return k.bucket.Attrs(ctx, s.Target.Key)
	}
	if !k.staged(s.Kind) {
		return k.makeOnce(ctx, s, s.Target.Key, make)
	}
	content := k.objectKey(s, contentName)
	if s.Kind != kindPartial && s.Token == "" {
		// Only this call writes these bytes. Another call that claims the session must not replace
		// them after Inspect has read them.
		content = k.objectKey(s, contentName+"-"+s.Claim+s.extension())
		defer func() { _ = k.service.discard(ctx, content) }()
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

// settle checks the content, and returns the Target of the file, with its key.
func (k *keeper) settle(ctx context.Context, s *session, u *File, content string) (Target, error) {
	t := s.Target
	service := k.service
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
	u.Width = v.Width
	u.Height = v.Height
	if s.Random == nil {
		return service.mergeTarget(t, service.target(t.Key, v)), nil
	}
	usual := service.target(k.drawnKey(s, v.Extension), v)
	if s.Pieces != nil && s.Pieces.Target {
		return service.mergeTarget(t, usual), nil
	}
	usual.MaxSize = t.MaxSize
	return usual, nil
}

// makeOnce makes the object under its key, without overwriting another object. An earlier call may
// have made the object already. If the object has the write ID of the session, the write succeeds
// nevertheless.
//
// A file in pieces has no write ID. If an object exists under its key, makeOnce returns that
// object. Only an earlier call can have made it, because nobody else knows the key.
func (k *keeper) makeOnce(ctx context.Context, s *session, key string, make maker) (*storage.Attrs, error) {
	attrs, err := make(ctx, key)
	if storage.CodeOf(err) != storage.PreconditionFailed {
		return attrs, err
	}
	if s.Pieces != nil {
		return k.bucket.Attrs(ctx, key)
	}
	e := exists()
	e.Err = err
	return nil, e
}

// writeID returns an ID that is stored with the object, so that a later call recognizes the object
// of this session.
func (s *session) writeID() string { return s.name[:writeIDLength] }

// The method upload adds an option to opts. The option sets the write ID of the object that the
// upload makes.
func (s *session) upload(opts []storage.UploadOption) []storage.UploadOption {
	return append(opts, storage.WithWriteID(s.writeID()))
}

// The method copy adds an option to opts. The option sets the write ID of the object that the copy
// makes.
func (s *session) copy(opts []storage.CopyOption) []storage.CopyOption {
	return append(opts, storage.WithWriteID(s.writeID()))
}

// An inspectError wraps an error of Config.Inspect that is not an *Error. Such an error does not
// refuse the content. The upload stays, and the client may try again.
type inspectError struct{ error }

// A sendAgain error means that the file cannot be made before the client sends a part or piece
// again.
type sendAgain struct{ refusal *Error }

func (e sendAgain) Error() string { return e.refusal.Error() }

// dropIfRefused handles err of a call that could not make the object. If the upload can never
// complete, it removes the session. If a part was replaced, it opens the session again. It returns
// the error for the client.
func (k *keeper) dropIfRefused(ctx context.Context, s *session, err error) error {
	if inspectErr, ok := err.(inspectError); ok {
		return unauthorized(inspectErr.error)
	}
	if resend, ok := err.(sendAgain); ok {
		_, _ = k.advance(ctx, s, nil, func(s *session) {
			s.Phase = phaseOpen
			s.ETags = nil
			s.PartsSum = ""
			if s.Pieces != nil {
				s.Random = nil
			}
		})
		return resend.refusal
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		if s.Pieces != nil {
			return storeFailed(err)
		}
		code := storage.CodeOf(err)
		switch {
		case code == storage.InvalidArgument && s.Token == "": // Config.Begin returned an invalid Target
			e = &Error{Code: Internal, Message: internalMessage, Err: err}
		case code == storage.InvalidArgument || code == storage.TooLarge || code == storage.ChecksumMismatch:
			e = refuse("parts", WrongSize, "The parts do not make the file that was announced. Start again.")
			e.Err = err
		// Inspect has set an unsupported attribute, or the key conflicts with a folder
		case code == storage.Unsupported:
			e = unsupported(err)
		case code == storage.ObjectNotFound: // the store no longer has the multipart upload
			e = notFound()
			e.Err = err
		default:
			return storeFailed(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpFor)
	defer cancel()
	// If an earlier call has tried to make the object, that call may have counted the file. In that
	// case, the reservation stays. Sweep drops it when it counts the files of the user again.
	retry := s.again
	if s, failure := k.advance(ctx, s, nil, func(s *session) {
		s.Phase = phaseAborted
	}); failure == nil {
		if k.remove(ctx, s) == nil && k.removeJoined(ctx, s) == nil && !retry { // if this fails, Sweep repeats it
			k.giveBack(ctx, s)
		}
	}
	return e
}

func (s *session) user() User { return User{ID: s.User, Values: s.Values} }

// file returns the File for the functions of Config.
func (s *session) file() *File {
	return &File{
		User:        s.user(),
		Key:         s.Target.Key,
		Name:        CleanName(s.Name),
		ClaimedName: s.Name,
		ClaimedType: s.Type,
		Metadata:    maps.Clone(s.Metadata),
		Size:        s.Size,
		ContentType: s.Target.ContentType,
		Location:    s.location(),
		lifetime:    s.Target.Lifetime,
		reserved:    s.reservation(),
	}
}

// firstTarget returns the Target for the first object that has the bytes of a session. If this
// object is below Config.Prefix, it gets a type that no browser runs. The sender could find out the
// key of the object, and open the object in a browser.
//
// There is one exception: a file in pieces gets the detected type if neither its Target nor Rules
// determine the type.
func (k *keeper) firstTarget(s *session) Target {
	t := s.Target
	if k.staged(s.Kind) {
		t.Overwrite = true
		t.PublicRead = false
		ok := s.Pieces != nil && t.ContentType == "" && !k.service.judge.LooksAtContent()
		if !ok && storage.Supports(k.bucket, storage.ContentProperties) {
			t.ContentType = contentTypeOfPending
		}
	}
	return t
}
