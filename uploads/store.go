package uploads

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime/multipart"

	"github.com/omnibucket/storage"
)

// An Upload is a file that somebody sends.
type Upload struct {
	Body io.Reader // never closed
	Name string    // as the sender calls it: shown by CleanName, used for nothing
	// ClaimedType is what the sender says it is. It decides nothing, and makes
	// the words clearer where it is wrong.
	ClaimedType string
	// Size is how long the sender says it is, in bytes: another length is
	// WrongSize. 0 or less: it did not say.
	Size   int64
	Values Values
}

// maxDraws bounds how often a key is drawn again: twice is a broken Random.
const maxDraws = 8

// Store takes one file. It is read until something is wrong with it; then
// nothing is stored, and the error is an *Error that says what. No object is
// overwritten: where the drawn key exists, another is drawn, for a body that fits
// the first buffer or can seek, else StoreFailed, to be tried again.
func (s *Service) Store(ctx context.Context, u Upload) (*Result, error) {
	r, e := s.store(ctx, u)
	if e != nil {
		return nil, e.about(CleanName(u.Name))
	}
	return r, nil
}

// StorePart takes one file of a multipart form, under the part's field.
func (s *Service) StorePart(ctx context.Context, part *multipart.Part, values Values) (*Result, error) {
	name := part.FileName()
	r, e := s.store(ctx, Upload{Body: part, Name: name, ClaimedType: part.Header.Get("Content-Type"), Values: values})
	if e != nil {
		if field := part.FormName(); field != "" && e.Field == fileField {
			e.Field = CleanName(field)
		}
		return nil, e.about(CleanName(name))
	}
	return r, nil
}

func (s *Service) store(ctx context.Context, u Upload) (*Result, *Error) {
	if e := s.checkValues(u.Values); e != nil {
		return nil, e
	}
	if u.Body == nil {
		return nil, refuse(NoFile, "There is no file.")
	}
	t := &storeOp{service: s, upload: u, bounds: s.bounds(u.Size), head: head{ctx: ctx, src: u.Body}}
	if e := t.bounds.checkClaim(); e != nil {
		return nil, e
	}
	t.noteStart()
	k, e := s.inspect(&t.head, u.ClaimedType)
	if e != nil {
		return nil, e
	}
	if t.head.whole() {
		if e := t.bounds.check(int64(len(t.head.buf))); e != nil {
			return nil, e
		}
	}
	attrs, e := t.store(ctx, k)
	if e != nil {
		return nil, e
	}
	r, err := s.result(ctx, attrs, k, CleanName(u.Name))
	if err != nil {
		s.discard(ctx, attrs.Key)
		return nil, storeFailed(err)
	}
	return r, nil
}

// A taking is one call of Store.
type storeOp struct {
	service *Service
	upload  Upload
	bounds  bounds
	head    head
	seeker  io.Seeker // nil where the body cannot be read again
	start   int64
}

// remember where the body began, if it can be read again from there.
func (t *storeOp) noteStart() {
	seeker, ok := t.upload.Body.(io.Seeker)
	if !ok {
		return
	}
	if start, err := seeker.Seek(0, io.SeekCurrent); err == nil {
		t.seeker, t.start = seeker, start
	}
}

func (t *storeOp) store(ctx context.Context, k kind) (*storage.Attrs, *Error) {
	s := t.service
	for range maxDraws {
		random, err := s.randomKey()
		if err != nil {
			return nil, storeFailed(err)
		}
		key := s.pattern.key(t.upload.Values, s.config.Now(), random, k.extension)
		attrs, err := t.put(ctx, key, k)
		if err == nil {
			return attrs, nil
		}
		if e, refused := errors.AsType[*Error](err); refused {
			return nil, e
		}
		if !errors.Is(err, storage.PreconditionFailed) || !t.rewind() {
			return nil, storeFailed(err)
		}
	}
	return nil, storeFailed(&storage.Error{Code: storage.Internal, Op: "uploads", Err: errors.New("Config.Random draws keys that exist, again and again")})
}

// put is one attempt; an *Error is one of the body.
func (t *storeOp) put(ctx context.Context, key string, k kind) (*storage.Attrs, error) {
	var opts []storage.UploadOption
	for _, o := range t.service.writeOptions(k) {
		opts = append(opts, o)
	}
	if t.head.whole() {
		return t.service.bucket.Upload(ctx, key, bytes.NewReader(t.head.buf), opts...)
	}
	if t.bounds.claimed > 0 {
		opts = append(opts, storage.WithSize(t.bounds.claimed))
	}
	b := &body{from: io.MultiReader(bytes.NewReader(t.head.buf), t.upload.Body), bounds: t.bounds}
	attrs, err := t.service.bucket.Upload(ctx, key, b, opts...)
	switch {
	case err == nil:
		return attrs, nil
	case b.refused != nil:
		return nil, b.refused
	case storage.CodeOf(err) == storage.BodyFailed: // WithSize noticed before the body did
		return nil, refuse(WrongSize, "The file is not as long as it was said to be.")
	}
	return nil, err
}

// rewind has the body read again from where the head ends.
func (t *storeOp) rewind() bool {
	if t.head.whole() {
		return true
	}
	if t.seeker == nil {
		return false
	}
	_, err := t.seeker.Seek(t.start+int64(len(t.head.buf)), io.SeekStart)
	return err == nil
}
