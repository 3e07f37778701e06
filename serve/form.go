package serve

import (
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"strings"

	"github.com/omnibucket/storage/internal/signedurl"
)

const (
	maxFields   = 20 << 10  // bytes of names and values before the file, the limit of S3
	maxFormHead = 128 << 10 // bytes before the file, boundaries and headers included
)

// post stores the file of a signed form. The fields must come first, so that they are
// checked before the file is read. Anything after the file is ignored, as on S3.
func (h *handler) post(w http.ResponseWriter, r *http.Request) *failure {
	begin := &formHeadReader{ReadCloser: r.Body, left: maxFormHead}
	within := r.WithContext(r.Context()) // a copy, so that the server keeps its own body
	within.Body = begin
	parts, err := within.MultipartReader()
	if err != nil {
		return errForm
	}
	fields, file, f := readForm(parts)
	switch {
	case f == errForm && begin.err != nil:
		return bodyFailure(begin.err) // the multipart reader does not always return the cause
	case f != nil:
		return f
	}
	begin.done = true
	keys, err := h.origin.VerifyingKeys(r.Context())
	if err != nil {
		return failureOf(err)
	}
	g, status := signedurl.VerifyForm(keys, h.origin.Name, fields, h.origin.Now())
	if f := failureOfStatus(status); f != nil {
		return f
	}
	if r.ContentLength-2*maxFormHead > g.MaxSize {
		return errTooLong // without reading up to the limit
	}
	attrs, f := h.store(r, g, file, -1, nil)
	if f != nil {
		return f
	}
	w.Header().Set("ETag", attrs.ETag)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// readForm reads the form up to the file. It returns field names in lower case, and
// refuses a name that occurs twice. It does not use the file's own name and type.
func readForm(parts *multipart.Reader) (map[string]string, io.Reader, *failure) {
	fields, total := map[string]string{}, 0
	for {
		part, err := parts.NextRawPart()
		if err != nil {
			return nil, nil, formFailure(err)
		}
		name := strings.ToLower(part.FormName())
		if name == signedurl.FileField {
			return fields, part, nil
		}
		value, err := io.ReadAll(io.LimitReader(part, maxFields+1))
		if err != nil {
			return nil, nil, formFailure(err)
		}
		if total += len(name) + len(value); total > maxFields {
			return nil, nil, errFormTooLarge
		}
		if _, twice := fields[name]; name == "" || twice {
			return nil, nil, errForm
		}
		fields[name] = string(value)
	}
}

func formFailure(err error) *failure {
	if errors.Is(err, errFormHead) {
		return errFormTooLarge
	}
	if f := failureOf(err); f != errInternal {
		return f
	}
	return errForm
}

// A formHeadReader limits the bytes that are read before the file. The multipart
// reader would accept headers of any length.
type formHeadReader struct {
	io.ReadCloser
	left int
	done bool
	// err is the error that ended the body, other than io.EOF.
	err error
}

var errFormHead = errors.New("the part of the form before the file is too long")

func (p *formHeadReader) Read(b []byte) (int, error) {
	if p.done {
		return p.ReadCloser.Read(b)
	}
	if p.left == 0 {
		return 0, errFormHead
	}
	n, err := p.ReadCloser.Read(b[:min(len(b), p.left)])
	p.left -= n
	if err != nil && err != io.EOF {
		p.err = err
	}
	return n, err
}
