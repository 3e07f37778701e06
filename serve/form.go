package serve

import (
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
	body := &boundedBody{from: r.Body, max: maxFormHead} // the multipart reader would accept headers of any length
	within := r.WithContext(r.Context())                 // a copy, so that the server keeps its own body
	within.Body = io.NopCloser(body)
	parts, err := within.MultipartReader()
	if err != nil {
		return errForm
	}
	fields, file, f := readForm(parts)
	switch {
	case body.read > maxFormHead:
		return errFormTooLarge
	case f == errForm && body.failure != nil:
		return body.failure // the multipart reader does not always return the cause
	case f != nil:
		return f
	}
	body.max = -1
	keys, err := h.origin.VerifyingKeys(r.Context())
	if err != nil {
		return failureOf(err)
	}
	g, status := signedurl.VerifyForm(keys, h.origin.Name, fields, h.origin.Now())
	if f := failureOfStatus(status); f != nil {
		return f
	}
	if r.ContentLength-2*maxFormHead > g.MaxSize {
		return errTooLong // refused without reading up to the limit
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
			return nil, nil, failureOr(err, errForm)
		}
		name := strings.ToLower(part.FormName())
		if name == signedurl.FileField {
			return fields, part, nil
		}
		value, err := io.ReadAll(io.LimitReader(part, maxFields+1))
		if err != nil {
			return nil, nil, failureOr(err, errForm)
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
