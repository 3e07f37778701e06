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

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/webapi"
	"github.com/omnibucket/storage/uploads/internal/filename"
	"github.com/omnibucket/storage/uploads/internal/intake"
	"github.com/omnibucket/storage/uploads/internal/keypattern"
	"github.com/omnibucket/storage/uploads/internal/partsize"
	"github.com/omnibucket/storage/uploads/rules"
)

// A Service takes files into one bucket, by one set of rules. Its methods are safe for
// concurrent use. It is an [http.Handler] if Config.Authorize is set; any number of processes
// may each have one for the same bucket.
type Service struct {
	bucket  storage.Bucket
	config  *Config // with secrets: fmt does not follow a pointer
	judge   *rules.Judge
	maxSize int64 // bytes; 0 means the limit of the store
	pattern *keypattern.Pattern
	guarded bool // every write uses IfAbsent

	mux     *http.ServeMux
	handler *handler
	keeper  *keeper
	memory  *intake.Memory // memory for requests
}

func init() {
	intake.Of = func(service any) *intake.Memory { return service.(*Service).memory }
}

// New checks the rules, and that the bucket can keep them, without a request. If c is
// invalid, it fails with InvalidArgument. If the bucket cannot do what c needs (see
// Config.Unguarded, Link, PublicRead and Tags), it fails with Unsupported. So does a value
// that is not a bucket of package storage. A handler also needs a bucket,
// or Config.States, with conditional writes, and multipart uploads that stay open. If PublicLink
// is set for a bucket that was not opened as public, New fails with NotPublic.
func New(bucket storage.Bucket, c Config) (*Service, error) {
	const op = "uploads.New"
	if bucket == nil {
		return nil, webapi.Misconfigured(op, "bucket", "must not be nil", "")
	}
	if err := argument.NeedBucket(bucket, op, ""); err != nil {
		return nil, err
	}
	c.CacheControl, c.Tags = maps.Clone(c.CacheControl), maps.Clone(c.Tags)
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
		bucket: bucket, config: &c, judge: judge, pattern: p,
		guarded: storage.Supports(bucket, storage.ConditionalCreate),
		memory:  intake.New(c.MemoryLimit),
	}
	if most := judge.Rules().MaxSize; most != math.MaxInt64 {
		s.maxSize = most
	}
	s.keeper = &keeper{
		bucket: bucket, config: &c, service: s, calls: calls{process: rand.Text()}, basePart: partsize.Base,
	}
	s.handler = &handler{bucket: bucket, config: &c, service: s, keeper: s.keeper, memory: s.memory, pace: defaultPace}
	s.mux = s.handler.routes()
	return s, nil
}

// result describes the stored object of a file and adds its URL.
func (s *Service) result(ctx context.Context, f *File, a *storage.Attrs, v *rules.Verdict) (*File, *Error) {
	f.Key, f.Size, f.CRC32C, f.Modified, f.Attrs = a.Key, a.Size, a.CRC32C, a.Modified, a
	f.ContentType = cmp.Or(a.ContentType, v.ContentType) // Config.Inspect may have changed it
	f.Width, f.Height = v.Width, v.Height
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
		var signed *storage.SignedURL
		if signed, err = s.bucket.SignedDownloadURL(ctx, f.Key, storage.WithTTL(s.config.LinkTTL)); err == nil {
			f.Location, f.ExpiresAt = signed.URL, signed.ExpiresAt
		}
	}
	return err
}

// tell creates the record, and calls Config.Stored.
func (s *Service) tell(ctx context.Context, f *File) error {
	s.identify(f)
	if s.config.Records != nil {
		if err := s.record(ctx, f); err != nil {
			return storeFailed(err)
		}
	}
	if s.config.Stored == nil {
		return nil
	}
	if err := s.config.Stored(ctx, f); err != nil {
		return unauthorized(err)
	}
	return nil
}

// maxRecordedID is how many bytes of a user's ID fit an index of every database.
const maxRecordedID = 2048

// checkUser checks that the values of a user fill the pattern, and that a file can have the key.
func (s *Service) checkUser(user User) *Error {
	v := user.values()
	name, flaw := s.pattern.Check(v)
	if err := filename.Storable(user.ID); err != nil {
		name, flaw = keypattern.User, err.Error()
	} else if s.config.Records != nil && len(user.ID) > maxRecordedID {
		name, flaw = keypattern.User, "must have at most 2,048 bytes for Config.Records"
	}
	switch {
	case name == keypattern.User: // User is not chosen by the client
		return &Error{
			Field: name, Code: InvalidValue, Status: http.StatusInternalServerError, Message: internalMessage,
			Err: errors.New("uploads: User.ID: " + flaw),
		}
	case flaw != "":
		return invalid(CleanName(name), flaw)
	}
	if s.config.reserves(s.pattern.Key(v, s.config.Now(), keypattern.Random{}, "")) {
		return invalid(s.pattern.Values[0], "This value is reserved.")
	}
	return nil
}

// target returns where and how a file is kept if the application gives no Target.
func (s *Service) target(key string, v *rules.Verdict) Target {
	t := Target{
		Key: key, ContentType: v.ContentType, CacheControl: s.config.cacheControl(v.MediaType),
		Tags: s.config.Tags, PublicRead: s.config.PublicRead, Overwrite: !s.guarded,
	}
	if !v.Inline {
		t.ContentDisposition = "attachment" // so that a browser saves it
	}
	return t
}

// asked returns how a file is kept if the application gives a Target. Its fields count, except for
// the key and, if Rules look at the content, a content type that it leaves open.
func (s *Service) asked(t, usual Target) Target {
	t.Key = usual.Key
	if s.judge.LooksAtContent() {
		t.ContentType = cmp.Or(t.ContentType, usual.ContentType)
		t.ContentDisposition = cmp.Or(t.ContentDisposition, usual.ContentDisposition)
	}
	return t
}

func randomKey(from io.Reader) (random keypattern.Random, err error) {
	if _, err = io.ReadFull(from, random[:]); err != nil {
		err = &storage.Error{
			Code: storage.Internal, Op: "uploads", Err: errors.New("Config.Random returned too few bytes"),
		}
	}
	return random, err
}

// discard removes an object that never was a file, even if the sender has gone. If that
// fails, the object stays under a key that nobody knows.
func (s *Service) discard(ctx context.Context, key string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpFor)
	defer cancel()
	_ = s.bucket.Remove(ctx, key)
}

// discardFile discards a file that Stored may have seen. If that fails, Sweep removes the file, provided
// that it has a record.
func (s *Service) discardFile(ctx context.Context, f *File) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpFor)
	defer cancel()
	if f.recorded {
		_ = s.removeRecorded(ctx, f)
		return
	}
	_ = s.removeBytes(ctx, f.Key)
}

// Delete removes a file of a user. If Config.Key could not have made key for the user, it
// fails with NotAllowed. If there is no such file, it succeeds. A pattern without values, such as
// [DefaultKey], does not name an owner, so the caller must look up the owner first.
func (s *Service) Delete(ctx context.Context, key string, user User) error {
	if e := s.checkUser(user); e != nil {
		return e
	}
	if !s.pattern.Matches(key, user.values()) {
		return refuse("key", NotAllowed, "This file is not yours, or is not stored here.")
	}
	if err := s.deleteKey(ctx, key); err != nil {
		e := storeFailed(err)
		e.Field, e.Message = "key", "The file could not be removed. Try again in a moment."
		return e
	}
	return nil
}
