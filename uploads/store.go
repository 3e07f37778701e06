package uploads

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime/multipart"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads/rules"
)

// An Upload is a file to store.
type Upload struct {
	Body io.Reader // never closed
	Name string    // by the sender: shown by CleanName, and used for nothing else
	// ClaimedType is the type by the sender. It decides nothing, but makes the
	// message clearer if it is wrong.
	ClaimedType string
	// Size is the length by the sender, in bytes; any other length fails with
	// WrongSize. 0 or less: not known.
	Size   int64
	Values Values
}

// maxDraws limits how often a key is drawn. If two keys exist already, Random is
// broken.
const maxDraws = 8

// Store stores one file. It reads the file until something is wrong with it; then it
// stores nothing and returns an *Error that says why. No object is overwritten. If
// the key exists, Store draws another one, provided that the body fits the first
// buffer or can seek. Otherwise it fails with StoreFailed, and the call can be
// repeated.
func (s *Service) Store(ctx context.Context, u Upload) (*Result, error) {
	r, e := s.store(ctx, u)
	if e != nil {
		return nil, e.about(CleanName(u.Name))
	}
	return r, nil
}

// StorePart stores one file of a multipart form. Errors name the part's field.
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
	t := &storeOp{service: s, upload: u, bounds: s.bounds(u.Size)}
	if e := t.bounds.checkClaim(); e != nil {
		return nil, e
	}
	t.noteStart()
	v, err := s.judge.Inspect(ctx, u.Body, u.ClaimedType)
	if e := refused(err); e != nil {
		return nil, e
	}
	if err != nil {
		return nil, unread(ctx, err)
	}
	if v.Whole {
		if e := t.bounds.check(int64(len(v.Head))); e != nil {
			return nil, e
		}
	}
	t.verdict = v
	attrs, e := t.store(ctx)
	if e != nil {
		return nil, e
	}
	r, err := s.result(ctx, attrs, v, CleanName(u.Name))
	if err != nil {
		s.discard(ctx, attrs.Key)
		return nil, storeFailed(err)
	}
	return r, nil
}

// A storeOp is one call of Store.
type storeOp struct {
	service *Service
	upload  Upload
	bounds  bounds
	verdict *rules.Verdict
	seeker  io.Seeker // nil if the body cannot be read again
	start   int64
}

// noteStart notes where the body starts, if it can seek.
func (t *storeOp) noteStart() {
	seeker, ok := t.upload.Body.(io.Seeker)
	if !ok {
		return
	}
	if start, err := seeker.Seek(0, io.SeekCurrent); err == nil {
		t.seeker, t.start = seeker, start
	}
}

func (t *storeOp) store(ctx context.Context) (*storage.Attrs, *Error) {
	s := t.service
	for range maxDraws {
		random, err := s.randomKey()
		if err != nil {
			return nil, storeFailed(err)
		}
		key := s.pattern.key(t.upload.Values, s.config.Now(), random, t.verdict.Extension)
		attrs, err := t.put(ctx, key)
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
	return nil, storeFailed(&storage.Error{Code: storage.Internal, Op: "uploads", Err: errors.New("Config.Random repeatedly returns the bytes of existing keys")})
}

// put makes one attempt. It returns an *Error if the body is refused.
func (t *storeOp) put(ctx context.Context, key string) (*storage.Attrs, error) {
	var opts []storage.UploadOption
	for _, o := range t.service.writeOptions(t.verdict) {
		opts = append(opts, o)
	}
	if t.verdict.Whole {
		return t.service.bucket.Upload(ctx, key, bytes.NewReader(t.verdict.Head), opts...)
	}
	if t.bounds.claimed > 0 {
		opts = append(opts, storage.WithSize(t.bounds.claimed))
	}
	b := &body{from: io.MultiReader(bytes.NewReader(t.verdict.Head), t.upload.Body), bounds: t.bounds, limit: t.bounds.limit()}
	attrs, err := t.service.bucket.Upload(ctx, key, b, opts...)
	switch {
	case err == nil:
		return attrs, nil
	case b.refused != nil:
		return nil, b.refused
	case storage.CodeOf(err) == storage.BodyFailed: // WithSize noticed it before the body did
		return nil, wrongSize()
	}
	return nil, err
}

// rewind moves the body to where the head ends.
func (t *storeOp) rewind() bool {
	if t.verdict.Whole {
		return true
	}
	if t.seeker == nil {
		return false
	}
	_, err := t.seeker.Seek(t.start+int64(len(t.verdict.Head)), io.SeekStart)
	return err == nil
}
