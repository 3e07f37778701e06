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
	"github.com/omnibucket/storage/uploads/internal/ledger"
	"github.com/omnibucket/storage/uploads/rules"
)

// An Upload is a file for [Service.Store], with what is known about it.
type Upload struct {
	Body io.Reader // never closed
	// Name is the sender's name for the file. [File].Name has the form of it that CleanName returns.
	// The extension of Name is used for {ext} in a key if it fits the content.
	Name string
	// ClaimedType is the type that the sender claims. It does not change the decision, but if it is
	// wrong, the error message says so.
	ClaimedType string
	// Size is the length that the sender announces, in bytes. If the file has another length, Store
	// fails with WrongSize. If Size is 0 or less, the length is not known.
	Size int64
	User User
	// Metadata is passed to Config.Inspect and Config.Stored. It may be changed until Body has been
	// read completely, for example by fields of a form that follow the file.
	Metadata map[string]string
	// Target says how the file is stored, and must have no Key. If Target is nil, Config.Key and
	// Config.Rules decide. If Target is set and Rules do not look at the content, {ext} in
	// Config.Key becomes the extension of Name.
	Target *Target
}

// Store stores one file, without overwriting any object. As soon as the file breaks a rule, Store
// stops reading, stores nothing, and returns an *Error that says why. If Config.Stored fails with
// an error that wraps [storage.OutcomeUnknown], the file stays, because the application may have
// recorded it. After any other error of Config.Stored, Store removes the file.
func (s *Service) Store(ctx context.Context, u Upload) (*File, error) {
	l := s.counter.newLease(u.User.ID)
	defer l.end()
	f, e := s.store(ctx, u, nil, l)
	if e != nil {
		return nil, e.about(CleanName(u.Name))
	}
	err := s.end(ctx, f)
	if err == nil {
		return f, nil
	}
	if !errors.Is(err, storage.OutcomeUnknown) {
		s.takeBack(ctx, f)
	}
	return nil, err.(*Error).about(CleanName(u.Name))
}

// storePart stores one file of a form. Its errors have the name of the form's field.
func (s *Service) storePart(ctx context.Context, part *multipart.Part, user User, f *form) (*File, error) {
	name := part.FileName()
	u := Upload{Body: part, Name: name, ClaimedType: part.Header.Get("Content-Type"), User: user}
	r, e := s.store(ctx, u, f, f.held)
	if e != nil {
		e = e.about(CleanName(name))
		if field := part.FormName(); field != "" && e.Field == fileField {
			e.Field = CleanName(field)
		}
		return nil, e
	}
	return r, nil
}

// store stores a file, but does not end its upload. The lease l keeps its reservation.
func (s *Service) store(ctx context.Context, u Upload, fm *form, l *lease) (*File, *Error) {
	if e := s.checkUser(u.User); e != nil {
		return nil, e
	}
	if u.Body == nil {
		return nil, noFile()
	}
	var e *Error
	u.Target, e = s.checkTarget(u.Target, u.Name)
	if e != nil {
		return nil, e
	}
	t := &storeOp{service: s, upload: u, form: fm, held: l, bounds: newBounds(s.judge, u.Size), began: s.config.Now()}
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
	f := t.file()
	f.reserved = t.reserved
	f, e = s.result(ctx, f, attrs, t.verdict)
	if e != nil && s.discard(ctx, attrs.Key) == nil {
		s.counter.giveBack(ctx, u.User.ID, t.reserved)
	}
	return f, e
}

type storeOp struct {
	service *Service
	upload  Upload
	form    *form // form that has the file; nil if there is no form
	held    *lease
	bounds  bounds
	began   time.Time
	verdict *rules.Verdict
	// reserved is the name of the file's reservation in the ledger of its user.
	reserved string
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
	target := t.target(random)
	if e := t.reserve(ctx, random, target.Key); e != nil {
		return nil, e
	}
	attrs, err := t.keep(ctx, target)
	if err != nil && !errors.Is(err, storage.OutcomeUnknown) { // after OutcomeUnknown, the object may exist
		t.service.counter.giveBack(ctx, t.upload.User.ID, t.reserved)
	}
	if inspectErr, ok := err.(inspectError); ok {
		return nil, unauthorized(inspectErr.error)
	}
	if err != nil {
		return nil, storeFailed(err)
	}
	return attrs, nil
}

// reserve reserves room for the file in the allowance of its user. If the size of the file is not
// known, the file may have at most the reserved bytes.
func (t *storeOp) reserve(ctx context.Context, random keypattern.Random, key string) *Error {
	s := t.service
	size := cmp.Or(t.bounds.claimed, -1)
	if s.counter == nil {
		return nil
	}
	if t.verdict.Whole {
		size = int64(len(t.verdict.Head))
	}
	a := ask{
		user:  t.upload.User,
		name:  random.String(),
		size:  size,
		most:  t.bounds.limit(),
		entry: ledger.Entry{Files: 1, Stem: s.pattern.Stem(key), Until: s.counter.leaseUntil()},
	}
	if t.form != nil {
		a.stored = t.form.stored
		if t.form.length > 0 {
			a.most = min(a.most, t.form.length)
		}
	}
	granted, e := s.counter.reserve(ctx, a)
	if e == nil {
		t.reserved = random.String()
		t.held.add(ctx, t.reserved)
		if size < 0 && granted > 0 {
			t.bounds.room = granted
		}
	}
	return e
}

func (t *storeOp) target(random keypattern.Random) Target {
	s := t.service
	target := t.upload.Target
	extension := t.verdict.Extension
	if target != nil && !s.judge.LooksAtContent() {
		extension = extensionOf(t.upload.Name)
	}
	usual := s.target(s.pattern.Key(t.upload.User.values(), t.began, random, extension), t.verdict)
	if target == nil {
		return usual
	}
	return s.mergeTarget(*target, usual)
}

// keep stores the file. With Config.Inspect, it first stores the content under Config.Prefix, and
// copies it after the inspection. If the file is refused, keep returns an *Error.
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
	if target.ContentType != "" { // if it is "", the store must detect the type
		staged.ContentType = contentTypeOfPending
	}
	attrs, err := t.put(ctx, staged)
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.discard(ctx, staged.Key) }()
	f := t.file()
	f.Width = t.verdict.Width
	f.Height = t.verdict.Height
	if err := s.inspect(ctx, f, attrs, &target); err != nil {
		return nil, err
	}
	return storage.Copy(ctx, s.bucket, target.Key, s.bucket, staged.Key, optionsFor[storage.CopyOption](target)...)
}

// file returns the File for Config.Inspect, with everything that is known before the content is
// stored.
func (t *storeOp) file() *File {
	u := &t.upload
	f := &File{
		User:        u.User,
		Name:        CleanName(u.Name),
		ClaimedName: u.Name,
		ClaimedType: u.ClaimedType,
		Metadata:    u.Metadata,
		origin:      originOwn,
	}
	if u.Target != nil {
		f.lifetime = u.Target.Lifetime
	}
	return f
}

// inspect calls Config.Inspect for a stored object. The Target t says how the file will be stored
// later. If Config.Inspect refuses the content with an *Error, this method returns an *Error. If
// Config.Inspect fails with any other error, this method returns an inspectError.
func (s *Service) inspect(ctx context.Context, f *File, content *storage.Attrs, t *Target) error {
	f.Key = t.Key
	f.Size = content.Size
	f.ContentType = cmp.Or(t.ContentType, content.ContentType)
	if s.config.Inspect == nil {
		return nil
	}
	reader, err := storage.NewReaderAt(ctx, s.bucket, content.Key)
	if err != nil {
		return err
	}
	defer reader.Close()
	s.identify(f)
	value := f.ContentType
	err = s.config.Inspect(ctx, f, reader)
	if f.ContentType != value {
		t.ContentType = f.ContentType
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.saying(Refused, "This file cannot be uploaded here.")
	}
	if err != nil {
		return inspectError{err}
	}
	return nil
}

// put stores the body under the key of target, while it checks the length.
func (t *storeOp) put(ctx context.Context, target Target) (*storage.Attrs, error) {
	opts := optionsFor[storage.UploadOption](target)
	if t.verdict.Whole {
		return t.service.bucket.Upload(ctx, target.Key, bytes.NewReader(t.verdict.Head), opts...)
	}
	if t.bounds.claimed > 0 {
		opts = append(opts, storage.WithSize(t.bounds.claimed))
	}
	b := &body{
		from:   io.MultiReader(bytes.NewReader(t.verdict.Head), t.upload.Body),
		bounds: t.bounds,
		limit:  t.bounds.limit(),
	}
	attrs, err := t.service.bucket.Upload(ctx, target.Key, b, opts...)
	if err == nil {
		return attrs, nil
	}
	if b.refused != nil {
		return nil, b.refused
	}
	if storage.CodeOf(err) == storage.BodyFailed { // the store noticed the wrong length first, because of WithSize
		return nil, wrongSize()
	}
	return nil, err
}
