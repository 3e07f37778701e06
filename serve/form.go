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
	maxFields  = 20 << 10  // bytes of names and values before the file, as S3 has it
	maxPrelude = 128 << 10 // bytes before the file, with all that frames them
)

// post stores the file of a signed form. The fields come first, so that they are
// judged before the file is read; what comes behind it is ignored, as S3 does.
func (h *handler) post(w http.ResponseWriter, r *http.Request) *failure {
	begin := &prelude{ReadCloser: r.Body, left: maxPrelude}
	within := r.WithContext(r.Context()) // a copy: the server's own keeps its body
	within.Body = begin
	parts, err := within.MultipartReader()
	if err != nil {
		return errForm
	}
	fields, file, f := readForm(parts)
	switch {
	case f == errForm && begin.broken != nil:
		return unreadable(begin.broken) // the multipart reader does not always say why
	case f != nil:
		return f
	}
	begin.over = true
	keys, err := h.origin.VerifyingKeys(r.Context())
	if err != nil {
		return failureOf(err)
	}
	g, standing := signedurl.VerifyForm(keys, h.origin.Name, fields, h.origin.Now())
	if f := refusalOf(standing); f != nil {
		return f
	}
	if r.ContentLength-2*maxPrelude > g.MaxSize {
		return errTooLong // without reading up to the bound
	}
	attrs, f := h.store(r, g, file, -1, nil)
	if f != nil {
		return f
	}
	w.Header().Set("ETag", attrs.ETag)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// readForm reads up to the file. Names of fields are in lower case, and each
// stands once. The file's own name and type are not used.
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
	if errors.Is(err, errPrelude) {
		return errFormTooLarge
	}
	if f := failureOf(err); f != errInternal {
		return f
	}
	return errForm
}

// A prelude is the beginning of a body, of which so much may be read and no
// more: the multipart reader would take headers of any length.
type prelude struct {
	io.ReadCloser
	left int
	over bool
	// broken is why the body cannot be read any further; nil at its end.
	broken error
}

var errPrelude = errors.New("there is too much before the file")

func (p *prelude) Read(b []byte) (int, error) {
	if p.over {
		return p.ReadCloser.Read(b)
	}
	if p.left == 0 {
		return 0, errPrelude
	}
	n, err := p.ReadCloser.Read(b[:min(len(b), p.left)])
	p.left -= n
	if err != nil && err != io.EOF {
		p.broken = err
	}
	return n, err
}
