package uploads

import (
	"context"
	"errors"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads/internal/refusal"
	"github.com/omnibucket/storage/uploads/internal/session"
)

// finishTimeout limits the steps after the last byte, which continue if the client disconnects. The
// slowest step is a copy, which cannot be resumed. So the limit is long enough for a store to copy
// 5 TiB.
const finishTimeout = 6 * time.Hour

// Finish makes the file of a session whose bytes have all arrived, and calls Config.Stored. If it fails,
// or if the process is killed, the next call continues.
func (k *keeper) Finish(ctx context.Context, s *session.Session, maker session.Maker) (*session.Session, error) {
	timeout := finishTimeout
	if s.Kind == session.KindSingle {
		// The bytes of the file arrive only now, while the object is made.
		timeout += max(0, s.Expires.Sub(k.setup.config.Now()))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()

	// Claim the session, so that no other call makes the file at the same time.
	callID, _, leave := k.Calls.Enter()
	defer leave()
	claimed, err := k.Claim(ctx, s, callID, k.chooseKey)
	if err == nil {
		return k.finishAndRelease(ctx, claimed, maker)
	}

	// A faster call may have completed the upload, and then its session is the result. But a single request fails,
	// because it may have sent another file, and a session of pieces has no ID.
	isCompleted := refusal.CodeOf(err) == refusal.CodeCompleted
	if isCompleted && s.ID != "" && s.Kind != session.KindSingle {
		return k.LoadAny(ctx, s.ID)
	}
	if errors.Is(err, storage.OutcomeUnknown) {
		// The claim may have been saved.
		k.Release(ctx, s, callID)
	}
	return nil, err
}

// finishAndRelease makes the file of a claimed session, and keeps the claim meanwhile. Unless the upload is then
// finished, it releases the claim, even if a function of the application panics.
func (k *keeper) finishAndRelease(
	ctx context.Context, claimed *session.Session, maker session.Maker,
) (*session.Session, error) {
	// The last step clears the claim in the session, even if it then cannot save that. So remember the ID of the call.
	callID := claimed.Claim
	claimedCtx, claimKeeper := k.KeepClaim(ctx, claimed)
	isFinished := false
	defer func() {
		// After a panic, the claim is still being renewed.
		claimKeeper.Stop()
		if !isFinished {
			// Release does nothing if another call has the claim now.
			k.Release(ctx, claimed, callID)
		}
	}()

	final, err := k.finishClaimed(claimedCtx, claimed, maker)
	isLost := claimKeeper.Stop()
	if err != nil && isLost {
		// Another call has taken the claim over.
		return nil, refusal.BeingCompleted()
	}
	isFinished = err == nil
	return final, err
}

// A sessionEnd is the end of a session's upload, by the call that has claimed the session. ending.go
// has the order of the steps.
type sessionEnd struct {
	keeper *keeper
	s      *session.Session
	maker  session.Maker
	file   *File
	target session.Target // the Target of the file, with its key
	linked string         // the Location of the file by Config.Link
	// gone is true if an earlier call has made the file, and the file has been removed since. This can
	// be known only of a file in pieces.
	gone bool
}

// finishClaimed ends the upload of a claimed session. The file ending.go lists the steps.
func (k *keeper) finishClaimed(ctx context.Context, s *session.Session, maker session.Maker) (*session.Session, error) {
	end := &sessionEnd{keeper: k, s: s, maker: maker, file: fileOf(s)}
	if err := end.findOrigin(ctx); err != nil {
		return nil, err
	}
	if err := end.reserve(ctx); err != nil {
		return nil, err
	}
	if err := end.makeObject(ctx); err != nil {
		return nil, err
	}
	if err := end.link(ctx); err != nil {
		return nil, err
	}
	if err := end.saveStored(ctx); err != nil {
		return nil, err
	}
	if err := end.announce(ctx); err != nil {
		return nil, err
	}
	return end.saveDone(ctx)
}

// findOrigin finds out whether earlier calls have tried to end the upload.
func (e *sessionEnd) findOrigin(ctx context.Context) error {
	if err := e.keeper.findOrigin(ctx, e.s, e.file); err != nil {
		return refusal.StoreFailed(err)
	}
	return nil
}

// reserve reserves room for a file whose bytes arrive only now.
func (e *sessionEnd) reserve(ctx context.Context) error {
	if e.s.Kind != session.KindSingle {
		// Any other upload has reserved room before.
		return nil
	}
	s, err := e.keeper.reserveSingle(ctx, e.s)
	if err != nil {
		return err
	}
	e.s = s
	return nil
}

// makeObject makes the object of the file, and sets the fields of the file that describe it.
func (e *sessionEnd) makeObject(ctx context.Context) error {
	attrs, err := e.keeper.makeObject(ctx, e.s, e.file, e.maker)

	wasMadeBefore := e.s.Phase == session.PhaseStored && e.s.Pieces != nil
	if wasMadeBefore && storage.CodeOf(err) == storage.ObjectNotFound {
		// An earlier call has made the file of the pieces, and the file has been removed since. Only the upload must
		// still be ended.
		e.gone = true
		e.target = e.s.Target
		e.file.Key = e.target.Key
		return nil
	}
	if err != nil {
		return e.keeper.handleFailure(ctx, e.s, err)
	}

	// Describe the file.
	e.target = e.s.Target
	f := e.file
	f.Key = e.target.Key
	f.Attrs = attrs
	f.Size = attrs.Size
	f.ContentType = attrs.ContentType
	f.CRC32C = attrs.CRC32C
	f.Modified = attrs.Modified
	return nil
}

// link sets the URL of the file, unless it is only a piece of one.
func (e *sessionEnd) link(ctx context.Context) error {
	if e.s.Kind == session.KindPartial {
		return nil
	}
	if err := e.keeper.setup.link(ctx, e.file); err != nil {
		return refusal.StoreFailed(err)
	}
	e.linked = e.file.Location
	return nil
}

// mustAnnounce reports whether the file must be made known to the records, the ledger, the application
// or other calls with pieces of it.
func (e *sessionEnd) mustAnnounce() bool {
	if e.gone || e.s.Kind == session.KindPartial {
		return false
	}
	config := e.keeper.setup.config
	return config.Stored != nil || config.Records != nil || config.Allowance != nil || e.s.Pieces != nil
}

// saveStored saves in the session that the object exists, before the file is made known.
func (e *sessionEnd) saveStored(ctx context.Context) error {
	if !e.mustAnnounce() || e.s.Phase == session.PhaseStored {
		return nil
	}
	s, err := e.keeper.AdvanceSameKey(ctx, e.s, e.s.Random, func(s *session.Session) {
		s.Target = e.target
		s.SetStored(session.PhaseStored, e.file.Size)
	})
	if err != nil {
		return err
	}
	e.s = s
	return nil
}

// announce records and counts the file, and calls Config.Stored, unless the file must not be made known.
func (e *sessionEnd) announce(ctx context.Context) error {
	if !e.mustAnnounce() {
		return nil
	}

	// The reservation of a joined file was also that of its pieces. So remove the pieces before the
	// file is counted.
	if err := e.keeper.RemoveJoined(ctx, e.s); err != nil {
		return err
	}
	return e.keeper.files.end(ctx, e.file)
}

// saveDone saves that the upload has ended, and removes the objects that are no longer needed.
func (e *sessionEnd) saveDone(ctx context.Context) (*session.Session, error) {
	spent := e.spentNames() // before setDone drops them from the session
	final, err := e.keeper.Advance(ctx, e.s, e.setDone)
	if err == nil {
		e.removeSpent(ctx, spent)
		return final, nil
	}

	isChangedByAnother := refusal.CodeOf(err) != refusal.CodeStoreFailed
	if e.s.Pieces != nil && isChangedByAnother {
		// Another call with pieces has finished the same file, or Sweep has removed the state. The file is made.
		e.s.SetStored(session.PhaseDone, e.file.Size)
		return e.s, nil
	}
	return nil, err
}

// setDone sets the fields of a session whose upload has ended.
func (e *sessionEnd) setDone(s *session.Session) {
	s.Target = e.target
	s.Link = e.linked
	s.SetStored(session.PhaseDone, e.file.Size)
	s.Location = e.file.Location
	if s.Location == e.linked {
		// Config.Stored has not replaced the URL of Config.Link, which is made again each time.
		s.Location = ""
	}
}

// spentNames returns the names of the session's objects whose bytes are now part of the file.
func (e *sessionEnd) spentNames() []string {
	names := e.s.TailNames()
	isCopied := e.keeper.setup.isStaged(e.s.Kind) && e.s.Kind != session.KindPartial
	if isCopied && e.s.Token != "" {
		names = append(names, session.ContentName)
	}
	return names
}

// removeSpent removes the objects with these names or, for a file in pieces, all its pieces. If that fails, Sweep
// removes them later.
func (e *sessionEnd) removeSpent(ctx context.Context, names []string) {
	if e.s.Pieces != nil {
		_ = e.keeper.RemoveObjects(ctx, e.s)
	} else if len(names) > 0 {
		e.keeper.RemoveKeys(ctx, e.s, names...)
	}

	if !e.mustAnnounce() {
		// The method announce has not removed the pieces from which the file was joined.
		_ = e.keeper.RemoveJoined(ctx, e.s)
	}
}

// makeObject makes the object of a session, or returns the attributes of the object that an earlier call has
// made. If that was removed since, makeObject fails with ObjectNotFound.
func (k *keeper) makeObject(
	ctx context.Context, s *session.Session, f *File, maker session.Maker,
) (*storage.Attrs, error) {
	if s.Phase == session.PhaseStored {
		return k.Bucket.Attrs(ctx, s.Target.Key)
	}
	if !k.setup.isStaged(s.Kind) {
		// The content need not be checked, so make the object under its final key.
		return k.makeOnce(ctx, s, s.Target.Key, maker)
	}

	if s.Kind == session.KindPartial {
		// The file that is joined from this piece is checked, and not the piece.
		return k.makeContent(ctx, s, k.Key(s, session.ContentName), maker)
	}
	return k.makeStaged(ctx, s, f, maker)
}

// makeStaged makes an object with the content of a file, checks it, and copies it to its final key.
func (k *keeper) makeStaged(
	ctx context.Context, s *session.Session, f *File, maker session.Maker,
) (*storage.Attrs, error) {
	contentKey := k.Key(s, session.ContentName)
	hasMultipartUpload := s.Token != ""
	if !hasMultipartUpload {
		// Only this call writes these bytes. Another call that claims the session must not replace
		// them after Inspect has read them.
		contentKey = k.Key(s, session.ContentName+"-"+s.Claim+s.Extension())
		defer func() {
			// If this fails, Sweep removes the content later.
			_ = k.setup.discard(ctx, contentKey)
		}()
	}

	attrs, err := k.makeContent(ctx, s, contentKey, maker)
	if err != nil {
		return attrs, err
	}
	return k.copyChecked(ctx, s, f, contentKey, attrs)
}

// copyChecked checks the object under contentKey, which has these attributes, and copies it to the final key
// of the file. It also sets the Target of the session.
func (k *keeper) copyChecked(
	ctx context.Context, s *session.Session, f *File, contentKey string, attrs *storage.Attrs,
) (*storage.Attrs, error) {
	target, err := k.decideTarget(ctx, s, f, contentKey)
	if err != nil {
		return nil, err
	}
	if err := k.setup.inspect(ctx, f, attrs, &target); err != nil {
		return nil, err
	}

	// The options of the Target suffice for a file in pieces, because only an earlier call can have made an object
	// under its random key. Any other copy sets every attribute, and the write ID by which the object of an earlier
	// call is recognized.
	opts := session.OptionsFor[storage.CopyOption](target)
	if s.Pieces == nil {
		opts = s.CopyOptions(target.CopyOptions())
	}
	final, err := k.makeOnce(ctx, s, target.Key, func(ctx context.Context, key string) (*storage.Attrs, error) {
		return storage.Copy(ctx, k.Bucket, key, k.Bucket, contentKey, opts...)
	})
	if err != nil {
		return final, err
	}
	s.Target = target
	return final, nil
}

// makeContent makes the object with the content under key, or returns the attributes of the one that
// an earlier call has made.
func (k *keeper) makeContent(
	ctx context.Context, s *session.Session, key string, maker session.Maker,
) (*storage.Attrs, error) {
	if s.Phase != session.PhaseCompleting {
		return maker(ctx, key)
	}

	attrs, err := k.Bucket.Attrs(ctx, key)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return maker(ctx, key)
	}
	return attrs, err
}

// decideTarget checks the object under contentKey, and returns the Target of the file with its final key. It also
// sets the width and height of f.
//
// If the rules look at the content, it decides the extension and the type, which the Target of a new upload lacks.
func (k *keeper) decideTarget(
	ctx context.Context, s *session.Session, f *File, contentKey string,
) (session.Target, error) {
	oldTarget := s.Target // that with which the upload began
	if !k.setup.judge.LooksAtContent() {
		return oldTarget, nil
	}

	// Check the content, but not the length.
	const anySize = 0
	_, verdict, err := k.setup.inspectStored(ctx, contentKey, anySize)
	if err != nil {
		// The caller decides what an error of the store means.
		return session.Target{}, err
	}
	f.Width = verdict.Width
	f.Height = verdict.Height

	if s.Random == nil {
		// Config.Begin has chosen the key and the attributes.
		return k.setup.mergeTarget(oldTarget, k.setup.target(oldTarget.Key, verdict)), nil
	}

	// The session has random bits for the key, which also gets the extension that suits the content.
	target := k.setup.target(k.setup.keyOf(s, verdict.Extension), verdict)
	if s.Pieces != nil && s.Pieces.Target {
		// Piece.Target has chosen the attributes.
		return k.setup.mergeTarget(oldTarget, target), nil
	}
	target.MaxSize = oldTarget.MaxSize
	return target, nil
}

// makeOnce makes the object of a file under key, unless an earlier call has made it, and never
// overwrites any other object.
func (k *keeper) makeOnce(ctx context.Context, s *session.Session, key string, maker session.Maker) (*storage.Attrs, error) {
	attrs, err := maker(ctx, key)
	if storage.CodeOf(err) != storage.PreconditionFailed {
		return attrs, err
	}
	if s.Pieces != nil {
		// Nobody but an earlier call can have made the object, because nobody else knows the key.
		return k.Bucket.Attrs(ctx, key)
	}
	// If it were the object of an earlier call, it would have the write ID of the session, and there
	// would be no error.
	exists := refusal.Exists()
	exists.Err = err
	return nil, exists
}

// handleFailure is called after err has kept the object from being made, and returns the error for the client. If the
// upload can never complete, it removes the session. If a part must be sent again, it opens the session again.
func (k *keeper) handleFailure(ctx context.Context, s *session.Session, err error) error {
	if inspectErr, ok := err.(inspectError); ok {
		return refusal.Unauthorized(inspectErr.error)
	}
	if resend, ok := err.(session.SendAgain); ok {
		k.reopen(ctx, s)
		return resend.Refusal
	}

	final := finalRefusal(s, err)
	if final == nil {
		// The client may try again.
		return refusal.StoreFailed(err)
	}
	k.dropRefused(ctx, s)
	return final
}

// reopen opens a session again, so that the client can replace a part and then complete the upload. If that
// fails, the session stays as it is.
func (k *keeper) reopen(ctx context.Context, s *session.Session) {
	_, _ = k.Advance(ctx, s, func(s *session.Session) {
		s.Phase = session.PhaseOpen
		s.ETags = nil
		s.PartsSum = ""
		if s.Pieces != nil {
			// The next call that makes the file chooses another key.
			s.Random = nil
		}
	})
}

// dropRefused aborts and removes a session whose upload can never complete, even if ctx is canceled. If that fails,
// Sweep does it later.
func (k *keeper) dropRefused(ctx context.Context, s *session.Session) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), session.CleanUpFor)
	defer cancel()

	// An earlier call that has tried to make the object may have counted the file. The reservation then
	// stays until Sweep counts the files of the user again.
	mayBeCounted := s.Again

	// If another call has taken the claim over, the session is left to it.
	abort := func(s *session.Session) {
		s.Phase = session.PhaseAborted
	}
	aborted, err := k.Advance(ctx, s, abort)
	if err != nil {
		return
	}

	isRemoved := k.Remove(ctx, aborted) == nil && k.RemoveJoined(ctx, aborted) == nil
	if isRemoved && !mayBeCounted {
		k.releaseRoom(ctx, aborted)
	}
}

// finalRefusal returns the refusal for an error after which the upload can never complete, or nil if the
// client may try again.
func finalRefusal(s *session.Session, err error) *refusal.Error {
	if refused := refusal.Of(err); refused != nil {
		return refused
	}

	// An upload in pieces can always be tried again.
	if s.Pieces != nil {
		return nil
	}

	switch storage.CodeOf(err) {
	case storage.InvalidArgument:
		if s.Token == "" {
			// Config.Begin returned an invalid Target.
			return refusal.Internal(err)
		}
		return wrongParts(err)
	case storage.TooLarge, storage.ChecksumMismatch:
		return wrongParts(err)
	case storage.Unsupported:
		// Inspect has set an unsupported attribute, or the key conflicts with a folder.
		return refusal.Unsupported(err)
	case storage.ObjectNotFound:
		// The store no longer has the multipart upload.
		notFound := refusal.NotFound()
		notFound.Err = err
		return notFound
	}
	return nil
}

// wrongParts returns the refusal of parts that the store could not join because of err.
func wrongParts(err error) *refusal.Error {
	refused := refusal.New("parts", refusal.CodeWrongSize, "The parts do not make the file that was announced. Start again.")
	refused.Err = err
	return refused
}

// FirstTarget returns the Target for the object that first holds the bytes of a session. Below Config.Prefix,
// its type is one that no browser runs, because the sender might open the object. A file in pieces whose type
// must be detected has none there.
func (k *keeper) FirstTarget(s *session.Session) session.Target {
	t := s.Target
	if !k.setup.isStaged(s.Kind) {
		return t
	}
	t.Overwrite = true
	t.PublicRead = false

	needsDetection := s.Pieces != nil && t.ContentType == "" && !k.setup.judge.LooksAtContent()
	if !needsDetection && storage.Supports(k.Bucket, storage.ContentProperties) {
		t.ContentType = session.PendingType
	}
	return t
}
