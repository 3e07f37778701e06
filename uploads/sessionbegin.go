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

// begin returns the session of a new upload. It calls Config.Begin for the target. It does not save
// the session.
func (k *keeper) Begin(
	r *http.Request, user session.User, kind string, n session.Request, sizeField string,
) (*session.Session, error) {
	target, err := k.targetOf(r, User(user), n, sizeField)
	if err != nil {
		return nil, err
	}
	s := session.New(kind, user, n, *target, k.setup.config.Now().Add(k.setup.config.TTL))
	t := &s.Target
	if kind == session.KindPartial {
		s.Target = session.Target{MaxSize: target.MaxSize}
	}
	t.MaxSize = k.setup.limit(t)
	if t.MaxSize > 0 && n.Size > t.MaxSize {
		return nil, refusal.TooLarge(sizeField, t.MaxSize)
	}

	if kind == session.KindPartial {
		return s, nil
	}
	if t.Key == "" {
		if err := k.drawRandom(s); err != nil {
			return nil, err
		}
	}
	if err := cmp.Or(t.CheckKey(n.Name), t.CheckAttributes(), t.CheckFeatures(k.Bucket)); err != nil {
		return nil, err
	}
	if t.ContentType == "" && !k.setup.judge.LooksAtContent() &&
		storage.Supports(k.Bucket, storage.ContentProperties) {
		t.ContentType = cmp.Or(headertext.MediaTypeByExtension(t.Key), session.PendingType)
	}

	if t.Key != "" && !t.Overwrite {
		// Refuse the upload before it begins if the key is in use. If an object appears there
		// later, the conditional write fails.
		ok, err := k.Bucket.Exists(r.Context(), t.Key)
		if err == nil && ok {
			return nil, refusal.Exists()
		}
		// the key is too long together with the prefix of the bucket
		if storage.CodeOf(err) == storage.InvalidArgument {
			return nil, session.BadName(n.Name, err)
		}
	}
	return s, nil
}

// targetOf returns the Target of a new upload. If the key depends on the content, which has not
// arrived yet, Key is "".
func (k *keeper) targetOf(r *http.Request, user User, n session.Request, sizeField string) (*session.Target, error) {
	s := k.setup
	if s.maxSize > 0 && n.Size > s.maxSize {
		return nil, refusal.TooLarge(sizeField, s.maxSize)
	}
	if len(n.Name)+len(n.Type) > session.MaxMetadataBytes {
		return nil, refusal.Invalid("filename", "Name and type of the file are too long.")
	}
	if e := refusal.ByRules(s.judge.CheckClaim(n.Type)); e != nil {
		return nil, e
	}

	if k.setup.config.Begin != nil {
		target, err := k.setup.config.Begin(r, user, Request(n))
		switch {
		case err != nil:
			return nil, refusal.Unauthorized(err)
		case target == nil:
		case k.setup.config.Records != nil:
			return nil, errors.New("Config.Begin returned a Target, but the records know only keys of Config.Key")
		case k.setup.config.Allowance != nil:
			return nil, errors.New("Config.Begin returned a Target, but allowances count only keys of Config.Key")
		case filename.Storable(fmt.Sprint(user)) != nil:
			return nil, errors.New("Config.Authorize returned a User that is not valid UTF-8 without NUL")
		case target.Lifetime != 0:
			return nil, errors.New("Config.Begin returned a Target with a Lifetime, which needs Config.Records")
		case !n.Partial && (target.Key == "" || strings.HasPrefix(target.Key, k.setup.config.Prefix)):
			return nil, errors.New("Config.Begin returned a Target whose Key is empty or below Config.Prefix")
		default:
			t := session.Target(*target)
			return &t, nil
		}
	}

	if e := s.checkUser(user); e != nil {
		return nil, e
	}
	if s.judge.LooksAtContent() {
		// The method settle sets the other fields when the content is known.
		return &session.Target{Overwrite: !s.guarded}, nil
	}
	random, err := randomKey(k.setup.config.Random)
	if err != nil {
		return nil, err
	}
	t := s.target(s.pattern.Key(user.values(), k.setup.config.Now(), random, ""), unjudged)
	return &t, nil
}

// beginUpload begins a multipart upload in the store. If the size of the file is known, the store
// receives the size, too.
func (k *keeper) BeginUpload(
	ctx context.Context, s *session.Session, extra ...storage.MultipartOption,
) (storage.MultipartUpload, error) {
	if s.Size >= 0 {
		extra = append(extra, storage.WithSize(s.Size))
	}
	key := s.Target.Key
	s.Staged = k.setup.isStaged(s.Kind)
	if s.Staged {
		key = k.Key(s, session.ContentName)
	}
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

// drawRandom sets the time and the random bits that make the key of a session unique.
func (k *keeper) drawRandom(s *session.Session) error {
	random, err := randomKey(k.setup.config.Random)
	s.Random = random[:]
	s.Begun = k.setup.config.Now().UTC().Truncate(time.Millisecond)
	return err
}

// drawKey sets the key of a file in pieces. Each call that is about to make the file calls drawKey.
// If the file is stored already, or if the bucket has IfAbsent, drawKey keeps the key of an earlier
// call. Otherwise it makes a new key, so that a slow earlier call cannot overwrite the new object.
//
// The lifetime of a file begins when drawKey makes its key. If half of the lifetime has passed,
// drawKey makes a new key in any case. With the old key, the file would expire too soon.
func (k *keeper) drawKey(s *session.Session) error {
	lifetime := cmp.Or(s.Target.Lifetime, k.setup.config.Lifetime)
	late := lifetime > 0 && s.Random != nil && k.setup.config.Now().Sub(s.Begun) >= lifetime/2
	if !late && (s.Phase == session.PhaseStored || s.Random != nil && k.setup.guarded) {
		return nil
	}
	err := k.drawRandom(s)
	s.Phase = session.PhaseCompleting
	s.Target.Key = ""
	if err == nil && !k.setup.judge.LooksAtContent() {
		s.Target.Key = k.setup.drawnKey(s, s.Extension())
	}
	return err
}

// PossibleKeys returns all keys under which the file of a session may be.
func (k *keeper) PossibleKeys(s *session.Session) []string { return k.setup.possibleKeys(s) }
