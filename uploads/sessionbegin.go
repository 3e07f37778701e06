package uploads

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/mediatype"
	"github.com/omnibucket/storage/uploads/internal/filename"
	"github.com/omnibucket/storage/uploads/internal/keypattern"
	"github.com/omnibucket/storage/uploads/rules"
)

// begin returns the session of a new upload. It calls Config.Begin for the target. It does not save
// the session.
func (k *keeper) begin(c *call, kind string, n Request, sizeField string) (*session, error) {
	target, err := k.targetOf(c, n, sizeField)
	if err != nil {
		return nil, err
	}
	s := newSession(kind, c.user, n, *target, k.config.Now().Add(k.config.TTL))
	t := &s.Target
	if kind == kindPartial {
		s.Target = Target{MaxSize: target.MaxSize}
	}
	t.MaxSize = k.service.limit(t)
	if t.MaxSize > 0 && n.Size > t.MaxSize {
		return nil, tooLarge(sizeField, t.MaxSize)
	}
	if kind == kindPartial {
		return s, nil
	}
	if t.Key == "" {
		if err := k.draw(s); err != nil {
			return nil, err
		}
	}
	if err := cmp.Or(t.checkKey(n), t.checkAttributes(), k.checkFeatures(t)); err != nil {
		return nil, err
	}
	if t.ContentType == "" && !k.service.judge.LooksAtContent() &&
		storage.Supports(k.bucket, storage.ContentProperties) {
		t.ContentType = cmp.Or(mediatype.ByExtension(t.Key), contentTypeOfPending)
	}
	if t.Key != "" && !t.Overwrite {
		// Refuse the upload before it begins if the key is in use. If an object appears there
		// later, the conditional write fails.
		ok, err := k.bucket.Exists(c.Context(), t.Key)
		if err == nil && ok {
			return nil, exists()
		}
		// the key is too long together with the prefix of the bucket
		if storage.CodeOf(err) == storage.InvalidArgument {
			return nil, badName(n, err)
		}
	}
	return s, nil
}

// targetOf returns the Target of a new upload. If the key depends on the content, which has not
// arrived yet, Key is "".
func (k *keeper) targetOf(c *call, n Request, sizeField string) (*Target, error) {
	s := k.service
	if s.maxSize > 0 && n.Size > s.maxSize {
		return nil, tooLarge(sizeField, s.maxSize)
	}
	if len(n.Name)+len(n.Type) > maxMetadataBytes {
		return nil, invalid("filename", "Name and type of the file are too long.")
	}
	if e := refused(s.judge.CheckClaim(n.Type)); e != nil {
		return nil, e
	}
	if k.config.Begin != nil {
		target, err := k.config.Begin(c.Request, c.user, n)
		switch {
		case err != nil:
			return nil, unauthorized(err)
		case target == nil:
		case k.config.Records != nil:
			return nil, errors.New("Config.Begin returned a Target, but the records know only keys of Config.Key")
		case k.config.Allowance != nil:
			return nil, errors.New("Config.Begin returned a Target, but allowances count only keys of Config.Key")
		case filename.Storable(fmt.Sprint(c.user)) != nil:
			return nil, errors.New("Config.Authorize returned a User that is not valid UTF-8 without NUL")
		case target.Lifetime != 0:
			return nil, errors.New("Config.Begin returned a Target with a Lifetime, which needs Config.Records")
		case !n.Partial && (target.Key == "" || strings.HasPrefix(target.Key, k.config.Prefix)):
			return nil, errors.New("Config.Begin returned a Target whose Key is empty or below Config.Prefix")
		default:
			return target, nil
		}
	}
	if e := s.checkUser(c.user); e != nil {
		return nil, e
	}
	if s.judge.LooksAtContent() {
		// The method settle sets the other fields when the content is known.
		return &Target{Overwrite: !s.guarded}, nil
	}
	random, err := randomKey(k.config.Random)
	if err != nil {
		return nil, err
	}
	t := s.target(s.pattern.Key(c.user.values(), k.config.Now(), random, ""), unjudged)
	return &t, nil
}

// unjudged is the Verdict on each file if Rules do not look at the content.
var unjudged = &rules.Verdict{MediaType: contentTypeOfPending, ContentType: contentTypeOfPending}

// beginUpload begins a multipart upload in the store. If the size of the file is known, the store
// receives the size, too.
func (k *keeper) beginUpload(
	ctx context.Context, s *session, extra ...storage.MultipartOption,
) (storage.MultipartUpload, error) {
	if s.Size >= 0 {
		extra = append(extra, storage.WithSize(s.Size))
	}
	key := s.Target.Key
	s.Staged = k.staged(s.Kind)
	if s.Staged {
		key = k.objectKey(s, contentName)
	}
	upload, err := storage.BeginUpload(ctx, k.bucket, key, optionsFor(k.firstTarget(s), extra...)...)
	code := storage.CodeOf(err)
	if code == storage.InvalidArgument { // Config.Begin returned an invalid Target
		return nil, err
	}
	if code == storage.Unsupported {
		return nil, unsupported(err)
	}
	if err != nil {
		return nil, storeFailed(err)
	}
	s.Token = upload.Token()
	return upload, nil
}

// draw sets the time and the random bits that make the key of a session unique.
func (k *keeper) draw(s *session) error {
	random, err := randomKey(k.config.Random)
	s.Random, s.Begun = random[:], k.config.Now().UTC().Truncate(time.Millisecond)
	return err
}

// drawnKey returns the key for the time and the random bits of a session, with this extension.
func (k *keeper) drawnKey(s *session, extension string) string {
	return k.service.pattern.Key(s.user().values(), s.Begun, keypattern.Random(s.Random), extension)
}

// drawKey sets the key of a file in pieces. Each call that is about to make the file calls drawKey.
// If the file is stored already, or if the bucket has IfAbsent, drawKey keeps the key of an earlier
// call. Otherwise it makes a new key, so that a slow earlier call cannot overwrite the new object.
//
// The lifetime of a file begins when drawKey makes its key. If half of the lifetime has passed,
// drawKey makes a new key in any case. With the old key, the file would expire too soon.
func (k *keeper) drawKey(s *session) error {
	lifetime := cmp.Or(s.Target.Lifetime, k.config.Lifetime)
	late := lifetime > 0 && s.Random != nil && k.config.Now().Sub(s.Begun) >= lifetime/2
	if !late && (s.Phase == phaseStored || s.Random != nil && k.service.guarded) {
		return nil
	}
	err := k.draw(s)
	s.Phase = phaseCompleting
	s.Target.Key = ""
	if err == nil && !k.service.judge.LooksAtContent() {
		s.Target.Key = k.drawnKey(s, s.extension())
	}
	return err
}
