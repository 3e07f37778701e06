package uploads

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/mediatype"
	"github.com/omnibucket/storage/uploads/internal/keypattern"
	"github.com/omnibucket/storage/uploads/rules"
)

// begin asks the application for the target of a new upload, and returns its session,
// which is not saved yet.
func (svc *Service) begin(c *call, kind string, n Request, sizeField string) (*session, error) {
	target, err := svc.targetOf(c, n, sizeField)
	if err != nil {
		return nil, err
	}
	s := newSession(kind, c.user, n, *target, svc.config.Now().Add(svc.config.TTL))
	t := &s.Target
	if kind == kindPartial {
		s.Target = Target{MaxSize: target.MaxSize}
	}
	t.MaxSize = svc.limit(t)
	if t.MaxSize > 0 && n.Size > t.MaxSize {
		return nil, tooLarge(sizeField, t.MaxSize)
	}
	if kind == kindPartial {
		return s, nil
	}
	if t.Key == "" {
		if err := svc.draw(s); err != nil {
			return nil, err
		}
	}
	if err := svc.checkFeatures(t); err != nil {
		return nil, err
	}
	if t.ContentType == "" && !svc.judge.LooksAtContent() && storage.Supports(svc.bucket, storage.ContentProperties) {
		t.ContentType = cmp.Or(mediatype.ByExtension(t.Key), contentTypeOfPending)
	}
	if t.Key != "" && !t.Overwrite {
		// It may appear later: the condition of the write decides.
		if there, err := svc.bucket.Exists(c.Context(), t.Key); err == nil && there {
			return nil, exists()
		}
	}
	return s, nil
}

// targetOf returns where a file goes. If its content must be known first, the key is "".
func (svc *Service) targetOf(c *call, n Request, sizeField string) (*Target, error) {
	if svc.maxSize > 0 && n.Size > svc.maxSize {
		return nil, tooLarge(sizeField, svc.maxSize)
	}
	if len(n.Name)+len(n.Type) > maxMetadataBytes {
		return nil, invalid("filename", "Name and type of the file are too long.")
	}
	if e := refused(svc.judge.CheckClaim(n.Type)); e != nil {
		return nil, e
	}
	if svc.config.Begin != nil {
		target, err := svc.config.Begin(c.Request, c.user, n)
		switch {
		case err != nil:
			return nil, unauthorized(err)
		case target == nil:
		case svc.config.Records != nil:
			return nil, errors.New("Config.Begin returned a Target, but the records know only keys of Config.Key")
		case target.Lifetime != 0:
			return nil, errors.New("Config.Begin returned a Target with a Lifetime, which needs Config.Records")
		case !n.Partial && (target.Key == "" || strings.HasPrefix(target.Key, svc.config.Prefix)):
			return nil, errors.New("Config.Begin returned a Target whose Key is empty or below Config.Prefix")
		default:
			return target, nil
		}
	}
	if e := svc.checkUser(c.user); e != nil {
		return nil, e
	}
	if svc.judge.LooksAtContent() {
		return &Target{Overwrite: !svc.guarded}, nil // decided by settle
	}
	random, err := randomKey(svc.config.Random)
	if err != nil {
		return nil, err
	}
	t := svc.target(svc.pattern.Key(c.user.values(), svc.config.Now(), random, ""), unjudged)
	return &t, nil
}

// unjudged is the verdict on a file whose content decides nothing.
var unjudged = &rules.Verdict{MediaType: contentTypeOfPending, ContentType: contentTypeOfPending}

// beginUpload begins the store's upload, which has the size of the file if that is known.
func (svc *Service) beginUpload(ctx context.Context, s *session, more ...storage.MultipartOption) (storage.MultipartUpload, error) {
	if s.Size >= 0 {
		more = append(more, storage.WithSize(s.Size))
	}
	upload, err := storage.BeginUpload(ctx, svc.bucket, svc.storeKey(s), optionsFor(svc.firstTarget(s), more...)...)
	switch code := storage.CodeOf(err); {
	case code == storage.InvalidArgument: // a Target of Config.Begin
		return nil, err
	case code == storage.Unsupported:
		return nil, unsupported(err)
	case err != nil:
		return nil, storeFailed(err)
	}
	s.Token = upload.Token()
	return upload, nil
}

// draw draws what makes the key of a session unique.
func (svc *Service) draw(s *session) error {
	random, err := randomKey(svc.config.Random)
	s.Random, s.Begun = random[:], svc.config.Now().UTC().Truncate(time.Millisecond)
	return err
}

// drawnKey returns the key that was drawn for a file with this extension.
func (svc *Service) drawnKey(s *session, extension string) string {
	return svc.pattern.Key(s.user().values(), s.Begun, keypattern.Random(s.Random), extension)
}

// drawKey draws the key of a file in pieces. Without IfAbsent, only a key of its own keeps what a call
// joins apart from what a slow call still joins. The lifetime of a file begins with its key: a call that comes
// late draws another one, else the file would expire when it is made.
func (svc *Service) drawKey(s *session) error {
	late := s.Target.Lifetime > 0 && s.Random != nil && svc.config.Now().Sub(s.Begun) >= s.Target.Lifetime/2
	if !late && (s.Phase == phaseStored || s.Random != nil && svc.guarded) {
		return nil
	}
	err := svc.draw(s)
	s.Phase, s.Target.Key = phaseCompleting, ""
	if err == nil && !svc.judge.LooksAtContent() {
		s.Target.Key = svc.drawnKey(s, s.extension())
	}
	return err
}
