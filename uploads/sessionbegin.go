package uploads

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/headertext"
	"github.com/omnibucket/storage/uploads/internal/filename"
	"github.com/omnibucket/storage/uploads/internal/refusal"
	"github.com/omnibucket/storage/uploads/internal/session"
)

// Begin returns the session of a new upload, without saving it. If Config.Begin is set, it may choose the
// Target of the upload.
func (k *keeper) Begin(
	r *http.Request, user session.User, kind string, n session.Request, sizeField string,
) (*session.Session, error) {
	target, err := k.targetOf(r, User(user), n, sizeField)
	if err != nil {
		return nil, err
	}
	if kind == session.KindPartial {
		// A piece of a file has no key and no attributes.
		target = &session.Target{MaxSize: target.MaxSize}
	}

	// Limit the size of the file.
	target.MaxSize = k.setup.limit(target)
	if target.MaxSize > 0 && n.Size > target.MaxSize {
		return nil, refusal.TooLarge(sizeField, target.MaxSize)
	}

	s := session.New(kind, user, n, *target, k.setup.config.Now().Add(k.setup.config.TTL))
	if kind == session.KindPartial {
		return s, nil
	}
	if err := k.completeTarget(r.Context(), s); err != nil {
		return nil, err
	}
	return s, nil
}

// completeTarget checks the Target of a new session, and sets what it lacks: the random bits for a key that the content
// decides, and the type of a file of unknown type. It fails if the key is already in use.
func (k *keeper) completeTarget(ctx context.Context, s *session.Session) error {
	t := &s.Target
	if t.Key == "" {
		if err := k.chooseRandom(s); err != nil {
			return err
		}
	}
	if err := cmp.Or(t.CheckKey(s.Name), t.CheckAttributes(), t.CheckFeatures(k.Bucket)); err != nil {
		return err
	}

	// If the content does not decide the type, the extension does. A file of unknown type is one that browsers
	// only save.
	keepsTypes := storage.Supports(k.Bucket, storage.ContentProperties)
	if t.ContentType == "" && keepsTypes && !k.setup.judge.LooksAtContent() {
		t.ContentType = cmp.Or(headertext.MediaTypeByExtension(t.Key), session.PendingType)
	}

	// Fail now if the key is taken, and not only after the last byte.
	if t.Key == "" || t.Overwrite {
		return nil
	}
	return k.checkFree(ctx, t.Key, s.Name)
}

// checkFree refuses an upload whose key is already in use. If the store cannot say, the upload begins,
// because its conditional write would fail anyway.
func (k *keeper) checkFree(ctx context.Context, key, name string) error {
	exists, err := k.Bucket.Exists(ctx, key)
	if storage.CodeOf(err) == storage.InvalidArgument {
		// The key is too long together with the prefix of the bucket.
		return session.BadName(name, err)
	}
	if err == nil && exists {
		return refusal.Exists()
	}
	return nil
}

// targetOf returns the Target of a new upload, which Config.Begin or the configuration decides. It has no key
// yet if the content decides the extension. An error about the size names sizeField.
func (k *keeper) targetOf(r *http.Request, user User, n session.Request, sizeField string) (*session.Target, error) {
	// Refuse what no upload may claim.
	if k.setup.maxSize > 0 && n.Size > k.setup.maxSize {
		return nil, refusal.TooLarge(sizeField, k.setup.maxSize)
	}
	if len(n.Name)+len(n.Type) > session.MaxMetadataBytes {
		return nil, refusal.Invalid("filename", "Name and type of the file are too long.")
	}
	if err := refusal.ByRules(k.setup.judge.CheckClaim(n.Type)); err != nil {
		return nil, err
	}

	// The application may choose the Target.
	chosen, err := k.setup.chosenTarget(r, user, n)
	if chosen != nil || err != nil {
		return chosen, err
	}
	return k.setup.patternTarget(user)
}

// chosenTarget returns the Target that Config.Begin chooses for a new upload, or nil if it chooses none.
func (s *setup) chosenTarget(r *http.Request, user User, n session.Request) (*session.Target, error) {
	if s.config.Begin == nil {
		return nil, nil
	}
	target, err := s.config.Begin(r, user, Request(n))
	if err != nil {
		return nil, refusal.Unauthorized(err)
	}
	if target == nil {
		return nil, nil
	}
	if err := s.checkBegun(target, user, n); err != nil {
		return nil, err
	}
	t := session.Target(*target)
	return &t, nil
}

// patternTarget returns the Target of a new upload of a user, with a key that Config.Key determines. If the rules
// look at the content, the Target has only the fields that do not depend on it.
func (s *setup) patternTarget(user User) (*session.Target, error) {
	if err := s.checkUser(user); err != nil {
		return nil, err
	}
	if s.judge.LooksAtContent() {
		// The method decideTarget sets the other fields when the content is known.
		return &session.Target{Overwrite: !s.guarded}, nil
	}

	random, err := randomKey(s.config.Random)
	if err != nil {
		return nil, err
	}
	t := s.target(s.pattern.Key(user.values(), s.config.Now(), random, ""), unjudged)
	return &t, nil
}

// checkBegun fails if Config.Begin has returned a Target that does not go with the rest of Config.
func (s *setup) checkBegun(target *Target, user User, n session.Request) error {
	if s.config.Records != nil {
		return errors.New("Config.Begin returned a Target, but the records know only keys of Config.Key")
	}
	if s.config.Allowance != nil {
		return errors.New("Config.Begin returned a Target, but allowances count only keys of Config.Key")
	}
	// The text that Sprint makes has all fields of the user.
	if filename.Storable(fmt.Sprint(user)) != nil {
		return errors.New("Config.Authorize returned a User that is not valid UTF-8 without NUL")
	}
	if target.Lifetime != 0 {
		return errors.New("Config.Begin returned a Target with a Lifetime, which needs Config.Records")
	}
	if n.Partial {
		// A piece of a file has no key.
		return nil
	}
	if target.Key == "" || strings.HasPrefix(target.Key, s.config.Prefix) {
		return errors.New("Config.Begin returned a Target whose Key is empty or below Config.Prefix")
	}
	return nil
}

// BeginUpload begins the multipart upload of a session in the store, and tells the store the size of
// the file if it is known.
func (k *keeper) BeginUpload(
	ctx context.Context, s *session.Session, extra ...storage.MultipartOption,
) (storage.MultipartUpload, error) {
	if s.Size >= 0 {
		extra = append(extra, storage.WithSize(s.Size))
	}

	// Content that must be checked first has a key of its own.
	key := s.Target.Key
	s.Staged = k.setup.isStaged(s.Kind)
	if s.Staged {
		key = k.Key(s, session.ContentName)
	}

	// Begin the upload, and keep its token.
	upload, err := storage.BeginUpload(ctx, k.Bucket, key, session.OptionsFor(k.FirstTarget(s), extra...)...)
	code := storage.CodeOf(err)
	if code == storage.InvalidArgument {
		// Config.Begin returned an invalid Target.
		return nil, err
	}
	if code == storage.Unsupported {
		return nil, refusal.Unsupported(err)
	}
	if err != nil {
		return nil, refusal.StoreFailed(err)
	}
	s.Token = upload.Token()
	return upload, nil
}

// chooseRandom chooses the random bits that make the key of a session unique, and sets the time of the key.
func (k *keeper) chooseRandom(s *session.Session) error {
	random, err := randomKey(k.setup.config.Random)
	if err != nil {
		return err
	}
	s.Random = random[:]
	s.Begun = k.setup.config.Now().UTC().Truncate(time.Millisecond)
	return nil
}

// chooseKey sets the key of a file in pieces for a call that is about to make the file, unless the key
// of an earlier call is still good. A new key keeps a slow earlier call from overwriting the object.
func (k *keeper) chooseKey(s *session.Session) error {
	if k.keepsKey(s) {
		return nil
	}
	s.Phase = session.PhaseCompleting
	s.Target.Key = ""
	if err := k.chooseRandom(s); err != nil {
		return err
	}
	if !k.setup.judge.LooksAtContent() {
		s.Target.Key = k.setup.keyOf(s, s.Extension())
	}
	return nil
}

// keepsKey reports whether a file in pieces keeps the key of an earlier call. It does if the file is stored
// already, or if no write may overwrite an object. Once half of its lifetime has passed, it gets a new key.
func (k *keeper) keepsKey(s *session.Session) bool {
	hasKey := s.Random != nil
	if hasKey && k.isKeyTooOld(s) {
		return false
	}
	if s.Phase == session.PhaseStored {
		return true
	}
	// If no write may overwrite an object, a slow earlier call cannot harm the object under its key.
	return hasKey && k.setup.guarded
}

// isKeyTooOld reports whether half of the lifetime of a file has passed. The lifetime begins with the key, so with an
// old key the file would expire too soon.
func (k *keeper) isKeyTooOld(s *session.Session) bool {
	lifetime := cmp.Or(s.Target.Lifetime, k.setup.config.Lifetime)
	if lifetime <= 0 {
		return false
	}
	age := k.setup.config.Now().Sub(s.Begun)
	return age >= lifetime/2
}

// PossibleKeys returns all keys under which the file of a session may be.
func (k *keeper) PossibleKeys(s *session.Session) []string { return k.setup.possibleKeys(s) }
