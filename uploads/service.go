package uploads

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"maps"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/unchanged"
	"github.com/omnibucket/storage/internal/webapi"
	"github.com/omnibucket/storage/uploads/internal/filename"
	"github.com/omnibucket/storage/uploads/internal/intake"
	"github.com/omnibucket/storage/uploads/internal/keypattern"
	"github.com/omnibucket/storage/uploads/internal/ledger"
	"github.com/omnibucket/storage/uploads/internal/partsize"
	"github.com/omnibucket/storage/uploads/rules"
)

// A Service receives files from users and stores them in one bucket, by the rules of its Config. If
// Config.Authorize is set, a Service is an [http.Handler]. Its methods may be called concurrently.
// Any number of processes may each have a Service for the same bucket.
type Service struct {
	bucket  storage.Bucket
	config  *Config // a pointer, so that fmt does not print its secrets
	judge   *rules.Judge
	maxSize int64 // largest size of a file in bytes; 0 means that only the store limits it
	pattern *keypattern.Pattern
	guarded bool // true if every write uses IfAbsent, so that no object is overwritten

	mux     func() *http.ServeMux // makes the routes once, for the first request
	handler *handler
	keeper  *keeper
	memory  *intake.Memory // memory for requests
	counter *counter       // nil if Config.Allowance is nil
}

func init() {
	intake.Of = func(service any) *intake.Memory { return service.(*Service).memory }
}

// New returns a Service. It makes no request, but checks that the configuration is valid and that
// the bucket supports it:
//
//   - If c is invalid, New fails with InvalidArgument.
//   - If the bucket lacks a feature that c needs, or is not a bucket of package storage, New fails
//     with Unsupported. See Config.Unguarded, Link, PublicRead and Tags.
//   - If Link is PublicLink but the bucket was not opened as public, New fails with NotPublic.
//
// To serve HTTP, the bucket also needs multipart uploads that can be continued by another process.
// The bucket or Config.States needs conditional writes.
func New(bucket storage.Bucket, c Config) (*Service, error) {
	const op = "uploads.New"
	if bucket == nil {
		return nil, webapi.Misconfigured(op, "bucket", "must not be nil", "")
	}
	if err := argument.NeedBucket(bucket, op, ""); err != nil {
		return nil, err
	}
	c.CacheControl = maps.Clone(c.CacheControl)
	c.Tags = maps.Clone(c.Tags)
	c.setDefaults(bucket)
	if field, rule := c.problem(); rule != "" {
		return nil, webapi.Misconfigured(op, field, rule, "")
	}
	judge, err := rules.New(c.Rules)
	if err != nil {
		return nil, webapi.Misconfigured(op, "Config.Rules:", err.Error(), "")
	}
	p, flaw := keypattern.Parse(c.Key)
	if flaw != "" {
		return nil, webapi.Misconfigured(op, "Config.Key", flaw, "as in users/{user}/avatars/{yyyy}/{mm}/{random}{ext}")
	}
	if _, ordered := p.Ordered(); c.Records != nil && !ordered {
		return nil, webapi.Misconfigured(
			op, "Config.Key", "must be fixed text, {id} and perhaps {ext}, if Config.Records is set",
			"as in files/{id}{ext}",
		)
	}
	if c.Allowance != nil && c.Records == nil && !slices.Contains(p.Values, keypattern.User) {
		return nil, webapi.Misconfigured(
			op, "Config.Key", "must have {user} if Config.Allowance is set without Config.Records",
			"as in users/{user}/{random}{ext}",
		)
	}
	for _, n := range c.requirements(bucket, judge.LooksAtContent()) {
		if !n.met {
			return nil, &storage.Error{Code: storage.Unsupported, Op: op, Err: errors.New(n.flaw), Hint: n.hint}
		}
	}
	if c.Link == PublicLink {
		if _, err := bucket.PublicURL(c.Prefix + "probe"); err != nil {
			return nil, err
		}
	}
	s := &Service{
		bucket:  bucket,
		config:  &c,
		judge:   judge,
		pattern: p,
		guarded: storage.Supports(bucket, storage.ConditionalCreate),
		memory:  intake.New(c.MemoryLimit),
	}
	if maximum := judge.Rules().MaxSize; maximum != math.MaxInt64 {
		s.maxSize = maximum
	}
	s.keeper = &keeper{
		bucket:   bucket,
		config:   &c,
		service:  s,
		calls:    callRegistry{process: rand.Text()},
		basePart: partsize.Base,
	}
	if c.Allowance != nil {
		s.counter = &counter{s, &ledger.Book{
			Prefix: c.usagePrefix(),
			Scope:  c.Key,
			States: c.States,
			Now:    c.Now,
			Wait:   func(ctx context.Context, d time.Duration) error { return s.memory.Wait(ctx, d) },
		}}
	}
	s.handler = &handler{bucket: bucket, config: &c, service: s, keeper: s.keeper, memory: s.memory, pace: defaultPace}
	s.mux = sync.OnceValue(s.handler.routes)
	return s, nil
}

// result sets the fields of f that describe its stored object, and its URL.
func (s *Service) result(ctx context.Context, f *File, a *storage.Attrs, v *rules.Verdict) (*File, *Error) {
	f.Key = a.Key
	f.Size = a.Size
	f.CRC32C = a.CRC32C
	f.Modified = a.Modified
	f.Attrs = a
	f.ContentType = cmp.Or(a.ContentType, v.ContentType) // Config.Inspect may have changed the type of the object
	f.Width = v.Width
	f.Height = v.Height
	if f.Modified.IsZero() {
		f.Modified = s.config.Now().UTC()
	}
	if err := s.link(ctx, f); err != nil {
		return nil, storeFailed(err)
	}
	return f, nil
}

func (s *Service) link(ctx context.Context, f *File) (err error) {
	switch s.config.Link {
	case PublicLink:
		f.Location, err = s.bucket.PublicURL(f.Key)
	case SignedLink:
		var signedURL *storage.SignedURL
		if signedURL, err = s.bucket.SignedDownloadURL(ctx, f.Key, storage.WithTTL(s.config.LinkTTL)); err == nil {
			f.Location = signedURL.URL
			f.ExpiresAt = signedURL.ExpiresAt
		}
	}
	return err
}

// maxRecordedID is the greatest length of a user's ID in bytes that fits into an index of every
// supported database.
const maxRecordedID = 2048

// checkUser fails if the values of a user are invalid for the pattern, or if the resulting key is
// reserved.
func (s *Service) checkUser(user User) *Error {
	v := user.values()
	name, flaw := s.pattern.Check(v)
	if err := filename.Storable(user.ID); err != nil {
		name, flaw = keypattern.User, err.Error()
	} else if s.config.Records != nil && len(user.ID) > maxRecordedID {
		name = keypattern.User
		flaw = "must have at most 2,048 bytes for Config.Records"
	}
	if s.counter != nil && s.config.Records == nil && v[keypattern.User] != user.ID {
		name = keypattern.User
		flaw = "must be set for Config.Allowance"
	}
	if name == keypattern.User { // the application chose the user, so the client cannot correct the ID
		return &Error{
			Field:   name,
			Code:    InvalidValue,
			Status:  http.StatusInternalServerError,
			Message: internalMessage,
			Err:     errors.New("uploads: User.ID: " + flaw),
		}
	}
	if flaw != "" {
		return invalid(CleanName(name), flaw)
	}
	if s.config.reserves(s.pattern.Key(v, s.config.Now(), keypattern.Random{}, "")) {
		return invalid(s.pattern.Values[0], "This value is reserved.")
	}
	return nil
}

// target returns the Target of a file for which the application sets none.
func (s *Service) target(key string, v *rules.Verdict) Target {
	t := Target{
		Key:          key,
		ContentType:  v.ContentType,
		CacheControl: s.config.cacheControl(v.MediaType),
		Tags:         s.config.Tags,
		PublicRead:   s.config.PublicRead,
		Overwrite:    !s.guarded,
	}
	if !v.Inline {
		t.ContentDisposition = "attachment" // makes a browser save the file and not show it
	}
	return t
}

// mergeTarget completes the Target t, which the application has set for a file. base
// is the Target that the file would have without t. The result has the key of base. If Rules look
// at the content and t has no type or no disposition, the result has that of base.
func (s *Service) mergeTarget(t, base Target) Target {
	t.Key = base.Key
	if s.judge.LooksAtContent() {
		t.ContentType = cmp.Or(t.ContentType, base.ContentType)
		t.ContentDisposition = cmp.Or(t.ContentDisposition, base.ContentDisposition)
	}
	return t
}

func randomKey(src io.Reader) (random keypattern.Random, err error) {
	if _, err = io.ReadFull(src, random[:]); err != nil {
		err = &storage.Error{
			Code: storage.Internal,
			Op:   "uploads",
			Err:  errors.New("Config.Random returned too few bytes"),
		}
	}
	return random, err
}

// discard removes an object that never became a file, even if the sender has disconnected. If
// discard fails, the object stays under a random key that nobody knows.
func (s *Service) discard(ctx context.Context, key string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpFor)
	defer cancel()
	return s.bucket.Remove(ctx, key)
}

// discardJudged removes the object that the caller has judged, and keeps one that another call has made
// under the same key since. In a store without ConditionalRemove, that object may be removed if it
// is made in the moment of the removal. If the object was not read, judged is nil, and it stays.
func (s *Service) discardJudged(ctx context.Context, key string, judged *storage.Attrs) error {
	if judged == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpFor)
	defer cancel()
	err := unchanged.Remove(ctx, s.bucket, key, judged)
	if storage.CodeOf(err) == storage.Changed {
		return nil
	}
	return err
}

// Delete removes a file of a user. If the file does not exist, Delete returns nil. If Config.Key
// cannot make this key for this user, Delete fails with NotAllowed.
//
// Some patterns, such as [DefaultKey], contain neither {user} nor other values. The key of a file
// then does not say who owns the file. The caller must check the owner before the call.
func (s *Service) Delete(ctx context.Context, key string, user User) error {
	if e := s.checkUser(user); e != nil {
		return e
	}
	if !s.pattern.Matches(key, user.values()) {
		return refuse("key", NotAllowed, "This file is not yours, or is not stored here.")
	}
	if err := s.deleteKey(ctx, key, user); err != nil {
		e := storeFailed(err)
		e.Field = "key"
		e.Message = "The file could not be removed. Try again in a moment."
		return e
	}
	return nil
}
