package uploads

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/headertext"
	"github.com/omnibucket/storage/internal/revisions"
	"github.com/omnibucket/storage/uploads/internal/filename"
	"github.com/omnibucket/storage/uploads/internal/intake"
	"github.com/omnibucket/storage/uploads/internal/keypattern"
	"github.com/omnibucket/storage/uploads/internal/refusal"
	"github.com/omnibucket/storage/uploads/internal/session"
	"github.com/omnibucket/storage/uploads/internal/timeid"
	"github.com/omnibucket/storage/uploads/rules"
)

// A setup is what New makes of a bucket and a Config. Everything that receives or removes files shares it.
type setup struct {
	bucket  storage.Bucket
	config  *Config // a pointer, so that fmt does not print its secrets
	judge   *rules.Judge
	maxSize int64 // largest size of a file in bytes; 0 means that only the store limits it
	pattern *keypattern.Pattern
	guarded bool           // true if every write uses IfAbsent, so that no object is overwritten
	memory  *intake.Memory // memory for requests
}

// link sets the URL of a file according to Config.Link.
func (s *setup) link(ctx context.Context, f *File) error {
	switch s.config.Link {
	case PublicLink:
		location, err := s.bucket.PublicURL(f.Key)
		if err != nil {
			return err
		}
		f.Location = location
	case SignedLink:
		signedURL, err := s.bucket.SignedDownloadURL(ctx, f.Key, storage.WithTTL(s.config.LinkTTL))
		if err != nil {
			return err
		}
		f.Location = signedURL.URL
		f.ExpiresAt = signedURL.ExpiresAt
	}
	return nil
}

// result sets the URL of f, and the fields that describe the object with attributes a and verdict v.
func (s *setup) result(ctx context.Context, f *File, a *storage.Attrs, v *rules.Verdict) (*File, error) {
	f.Key = a.Key
	f.Size = a.Size
	f.CRC32C = a.CRC32C
	f.Modified = a.Modified
	f.Attrs = a
	// Config.Inspect may have changed the type of the object.
	f.ContentType = cmp.Or(a.ContentType, v.ContentType)
	f.Width = v.Width
	f.Height = v.Height

	if f.Modified.IsZero() {
		f.Modified = s.config.Now().UTC()
	}
	if err := s.link(ctx, f); err != nil {
		return nil, refusal.StoreFailed(err)
	}
	return f, nil
}

// maxRecordedID is the greatest length of a user's ID in bytes that fits into an index of every
// supported database.
const maxRecordedID = 2048

// checkUser fails if the values of a user do not suit the key pattern, or would make a key that is reserved
// for this package.
func (s *setup) checkUser(user User) error {
	// Check the values that are put into the key.
	values := user.values()
	if flaw := s.idFlaw(user.ID, values); flaw != "" {
		return invalidID(flaw)
	}
	if name, flaw := s.pattern.Check(values); flaw != "" {
		if name == keypattern.User {
			return invalidID(flaw)
		}
		return refusal.Invalid(filename.Clean(name), flaw)
	}

	// Whether a key is reserved depends only on its prefix. So the key needs no random bits here, and the first value
	// is the one to refuse.
	if s.config.reserves(s.pattern.Key(values, s.config.Now(), keypattern.Random{}, "")) {
		return refusal.Invalid(s.pattern.Values[0], "This value is reserved.")
	}
	return nil
}

// invalidID returns the error for the ID of a user with this flaw. The application chose the user, so the client
// cannot correct the ID.
func invalidID(flaw string) error {
	return &refusal.Error{
		Field:   keypattern.User,
		Code:    refusal.CodeInvalidValue,
		Status:  http.StatusInternalServerError,
		Message: refusal.InternalMessage,
		Err:     errors.New("uploads: User.ID: " + flaw),
	}
}

// idFlaw says why the ID of a user cannot be counted or recorded, or returns "". The values are those
// for the key pattern.
func (s *setup) idFlaw(id string, values map[string]string) string {
	if s.config.Allowance != nil && s.config.Records == nil && values[keypattern.User] != id {
		return "must be set for Config.Allowance"
	}
	if err := filename.Storable(id); err != nil {
		return err.Error()
	}
	if s.config.Records != nil && len(id) > maxRecordedID {
		return "must have at most 2,048 bytes for Config.Records"
	}
	return ""
}

// limit returns how many bytes a file with this Target may have; 0 means that only the store limits
// the size.
func (s *setup) limit(t *session.Target) int64 {
	if t.MaxSize == 0 {
		return s.maxSize
	}
	if s.maxSize == 0 {
		return t.MaxSize
	}
	return min(s.maxSize, t.MaxSize)
}

// target returns the Target of a file for which the application has set none.
func (s *setup) target(key string, v *rules.Verdict) session.Target {
	t := session.Target{
		Key:          key,
		ContentType:  v.ContentType,
		CacheControl: s.config.cacheControl(v.MediaType),
		Tags:         s.config.Tags,
		PublicRead:   s.config.PublicRead,
		Overwrite:    !s.guarded,
	}
	if !v.Inline {
		// This makes a browser save the file and not show it.
		t.ContentDisposition = "attachment"
	}
	return t
}

// mergeTarget completes the Target t of the application with base, which the file would have without
// it. The result has the key of base and, if Rules look at the content, also the type and disposition
// that t lacks.
func (s *setup) mergeTarget(t, base session.Target) session.Target {
	t.Key = base.Key
	if s.judge.LooksAtContent() {
		t.ContentType = cmp.Or(t.ContentType, base.ContentType)
		t.ContentDisposition = cmp.Or(t.ContentDisposition, base.ContentDisposition)
	}
	return t
}

// checkTarget checks the Target that the application has set, and returns a copy that suits the
// bucket, or nil if there is none. The extension of name may give the file its type.
func (s *setup) checkTarget(target *Target, name string) (*Target, error) {
	if target == nil {
		return nil, nil
	}

	// Check the fields.
	t := *target
	if t.Key != "" {
		return nil, refusal.Invalid("key", "The Target must have no Key.")
	}
	lacksRecords := t.Lifetime > 0 && s.config.Records == nil
	if t.Lifetime < 0 || lacksRecords {
		return nil, refusal.Invalid("lifetime", "Target.Lifetime must not be negative, and needs Config.Records.")
	}
	inner := session.Target(t)
	if cause := inner.AttributesError(); cause != nil {
		err := refusal.Invalid("target", "The Target has what no object can have.")
		err.Err = cause
		return nil, err
	}

	// Adapt the copy to the bucket.
	if !s.guarded {
		t.Overwrite = true
	}
	keepsTypes := storage.Supports(s.bucket, storage.ContentProperties)
	if !keepsTypes && s.config.Records != nil {
		// The record keeps the type instead of the bucket.
		t.ContentType = ""
	}
	if keepsTypes && t.ContentType == "" && !s.judge.LooksAtContent() {
		t.ContentType = headertext.MediaTypeByExtension(keypattern.ExtensionOf(name))
	}
	return &t, nil
}

// randomKey reads the random bits of a key.
func randomKey(src io.Reader) (keypattern.Random, error) {
	var random keypattern.Random
	_, err := io.ReadFull(src, random[:])
	if err != nil {
		return keypattern.Random{}, &storage.Error{
			Code: storage.Internal,
			Op:   "uploads",
			Err:  errors.New("Config.Random returned too few bytes"),
		}
	}
	return random, nil
}

// discard removes an object that never became a file, even if the sender has disconnected. If
// discard fails, the object stays under a random key that nobody knows.
func (s *setup) discard(ctx context.Context, key string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), session.CleanUpFor)
	defer cancel()
	return s.bucket.Remove(ctx, key)
}

// discardUnchanged removes an object that was checked and had these attributes, unless another call has replaced it
// since. It does nothing if attrs is nil, because the object was then not read.
func (s *setup) discardUnchanged(ctx context.Context, key string, attrs *storage.Attrs) error {
	if attrs == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), session.CleanUpFor)
	defer cancel()

	err := revisions.RemoveUnchanged(ctx, s.bucket, key, attrs)
	if storage.CodeOf(err) == storage.Changed {
		return nil
	}
	return err
}

// purposeName is the name in Metadata that has the purpose of a file.
const purposeName = "purpose"

// identify sets the fields of f that only a record has: ID, expiry and purpose. The client's name for the file
// becomes the Name if it is safe to show.
func (s *setup) identify(f *File) {
	if s.config.Records == nil {
		return
	}

	// The upload may have begun with another Config.Key.
	f.ID = keypattern.IDIn(f.Key)
	f.lifetime = cmp.Or(f.lifetime, s.config.Lifetime)
	if f.lifetime > 0 {
		f.Expires = timeid.Time(f.ID).Add(f.lifetime).Truncate(time.Millisecond)
	}
	f.Purpose = f.Metadata[purposeName]
	if filename.LabelFlaw(f.Purpose) != "" {
		f.Purpose = ""
	}
	if filename.Flaw(f.ClaimedName) == "" {
		f.Name = f.ClaimedName
	}
}
