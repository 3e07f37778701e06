package uploads

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"mime/multipart"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads/internal/keypattern"
	"github.com/omnibucket/storage/uploads/rules"
)

// An Upload is a file to store.
type Upload struct {
	Body io.Reader // never closed
	Name string    // the sender's name: shown by CleanName, and used for nothing else
	// ClaimedType is the type that the sender claims. It decides nothing, but makes the message
	// clearer if it is wrong.
	ClaimedType string
	// Size is the length that the sender claims, in bytes; any other length fails with
	// WrongSize. 0 or less means that it is not known.
	Size int64
	User User
	// Metadata is for Config.Inspect and Config.Stored. It may change until Body has ended, like the
	// fields of a form after its file.
	Metadata map[string]string
	// Target says how the file is stored, without a Key; nil means by Config.Key and Config.Rules. If Rules do
	// not look at the content, {ext} in Config.Key is then the extension of Name.
	Target *Target
}

// Store stores one file. It reads the file until something is wrong with it; then it
// stores nothing and returns an *Error that says why. No object is overwritten.
// If Config.Stored fails, the file is removed, unless the error wraps
// [storage.OutcomeUnknown]: the application may know of the file then.
func (s *Service) Store(ctx context.Context, u Upload) (*File, error) {
	f, e := s.store(ctx, u)
	if e != nil {
		return nil, e.about(CleanName(u.Name))
	}
	err := s.tell(ctx, f)
	if err == nil {
		return f, nil
	}
	if !errors.Is(err, storage.OutcomeUnknown) {
		s.discardFile(ctx, f)
	}
	return nil, err.(*Error).about(CleanName(u.Name))
}

// storePart stores one file of a form. Errors name the part's field.
func (s *Service) storePart(ctx context.Context, part *multipart.Part, user User) (*File, error) {
	name := part.FileName()
	r, e := s.store(ctx, Upload{Body: part, Name: name, ClaimedType: part.Header.Get("Content-Type"), User: user})
	if e != nil {
		e = e.about(CleanName(name))
		if field := part.FormName(); field != "" && e.Field == fileField {
			e.Field = CleanName(field)
		}
		return nil, e
	}
	return r, nil
}

func (s *Service) store(ctx context.Context, u Upload) (*File, *Error) {
	if e := s.checkUser(u.User); e != nil {
		return nil, e
	}
	if u.Body == nil {
		return nil, noFile()
	}
	var e *Error
	if u.Target, e = s.checked(u.Target, u.Name); e != nil {
		return nil, e
	}
	t := &storeOp{service: s, upload: u, bounds: newBounds(s.judge, u.Size), began: s.config.Now()}
	if u.Target != nil {
		t.bounds.most = u.Target.MaxSize
	}
	if e := t.bounds.checkClaim(); e != nil {
		return nil, e
	}
	if e := t.judge(ctx); e != nil {
		return nil, e
	}
	attrs, e := t.store(ctx)
	if e != nil {
		return nil, e
	}
	f, e := s.result(ctx, t.file(), attrs, t.verdict)
	if e != nil {
		s.discard(ctx, attrs.Key)
	}
	return f, e
}

type storeOp struct {
	service *Service
	upload  Upload
	bounds  bounds
	began   time.Time
	verdict *rules.Verdict
}

func (t *storeOp) judge(ctx context.Context) *Error {
	v, err := t.service.judge.Inspect(ctx, t.upload.Body, t.upload.ClaimedType)
	if e := refused(err); e != nil {
		return e
	}
	if err != nil {
		return unread(ctx, err)
	}
	t.verdict = v
	if v.Whole {
		return t.bounds.check(int64(len(v.Head)))
	}
	return nil
}

func (t *storeOp) store(ctx context.Context) (*storage.Attrs, *Error) {
	random, err := randomKey(t.service.config.Random)
	if err != nil {
		return nil, storeFailed(err)
	}
	attrs, err := t.keep(ctx, t.target(random))
	if failed, ok := err.(inspectError); ok {
		return nil, unauthorized(failed.error)
	}
	if err != nil {
		return nil, storeFailed(err)
	}
	return attrs, nil
}

func (t *storeOp) target(random keypattern.Random) Target {
	s, asked, extension := t.service, t.upload.Target, t.verdict.Extension
	if asked != nil && !s.judge.LooksAtContent() {
		extension = extensionOf(t.upload.Name)
	}
	usual := s.target(s.pattern.Key(t.upload.User.values(), t.began, random, extension), t.verdict)
	if asked == nil {
		return usual
	}
	return s.asked(*asked, usual)
}

// keep makes one attempt. It returns an *Error if the file is refused.
func (t *storeOp) keep(ctx context.Context, target Target) (*storage.Attrs, error) {
	s := t.service
	if s.config.Inspect == nil {
		return t.put(ctx, target)
	}
	random, err := randomKey(s.config.Random)
	if err != nil {
		return nil, err
	}
	staged := Target{Key: s.config.Prefix + random.String(), Overwrite: !s.guarded}
	if target.ContentType != "" { // otherwise the store finds one
		staged.ContentType = contentTypeOfPending
	}
	attrs, err := t.put(ctx, staged)
	if err != nil {
		return nil, err
	}
	defer s.discard(ctx, staged.Key)
	f := t.file()
	f.Width, f.Height = t.verdict.Width, t.verdict.Height
	if err := s.inspect(ctx, f, attrs, &target); err != nil {
		return nil, err
	}
	return storage.Copy(ctx, s.bucket, target.Key, s.bucket, staged.Key, optionsFor[storage.CopyOption](target)...)
}

// file returns what is known of the file before it is stored.
func (t *storeOp) file() *File {
	u := &t.upload
	f := &File{
		User: u.User, Name: CleanName(u.Name), ClaimedName: u.Name, ClaimedType: u.ClaimedType, Metadata: u.Metadata,
	}
	if u.Target != nil {
		f.lifetime = u.Target.Lifetime
	}
	return f
}

// inspect calls Config.Inspect for an object that will be kept as t says. It returns an *Error if the content
// is refused, and an inspectError if Inspect fails otherwise.
func (s *Service) inspect(ctx context.Context, f *File, content *storage.Attrs, t *Target) error {
	f.Key, f.Size, f.ContentType = t.Key, content.Size, cmp.Or(t.ContentType, content.ContentType)
	if s.config.Inspect == nil {
		return nil
	}
	reader, err := storage.NewReaderAt(ctx, s.bucket, content.Key)
	if err != nil {
		return err
	}
	defer func() { _ = reader.Close() }()
	s.identify(f)
	found := f.ContentType
	err = s.config.Inspect(ctx, f, reader)
	if f.ContentType != found {
		t.ContentType = f.ContentType
	}
	if e, refused := errors.AsType[*Error](err); refused {
		return e.saying(Refused, "This file cannot be uploaded here.")
	}
	if err != nil {
		return inspectError{err}
	}
	return nil
}

// put makes one attempt to store the body.
func (t *storeOp) put(ctx context.Context, target Target) (*storage.Attrs, error) {
	opts := optionsFor[storage.UploadOption](target)
	if t.verdict.Whole {
		return t.service.bucket.Upload(ctx, target.Key, bytes.NewReader(t.verdict.Head), opts...)
	}
	if t.bounds.claimed > 0 {
		opts = append(opts, storage.WithSize(t.bounds.claimed))
	}
	b := &body{
		from: io.MultiReader(bytes.NewReader(t.verdict.Head), t.upload.Body), bounds: t.bounds, limit: t.bounds.limit(),
	}
	attrs, err := t.service.bucket.Upload(ctx, target.Key, b, opts...)
	switch {
	case err == nil:
		return attrs, nil
	case b.refused != nil:
		return nil, b.refused
	case storage.CodeOf(err) == storage.BodyFailed: // WithSize noticed the length before the body did
		return nil, wrongSize()
	}
	return nil, err
}
