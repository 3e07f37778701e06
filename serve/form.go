package serve

import (
	"io"
	"mime/multipart"
	"net/http"
	"strings"

	"github.com/omnibucket/storage/internal/signedurl"
)

const (
	maxFields   = 20 << 10  // bytes of names and values before the file; the limit of S3
	maxFormHead = 128 << 10 // bytes before the file, including boundaries and headers
)

// post stores the file of a signed form. The fields must come before the file, so that the signature
// is checked first. As on S3, everything after the file is ignored.
func (h *handler) post(w http.ResponseWriter, r *http.Request) *failure {
	fields, file, f := readHead(r)
	if f != nil {
		return f
	}
	keys, err := h.origin.VerifyingKeys(r.Context())
	if err != nil {
		return failureOf(err)
	}

	// The fields contain the signature and the rights that it grants.
	grant, status := signedurl.VerifyForm(keys, h.origin.Name, fields, h.origin.Now())
	if f := failureOfStatus(status); f != nil {
		return f
	}

	// The declared length may be enough to refuse the form. It includes the fields before the file
	// and what follows it.
	const aroundFile = 2 * maxFormHead
	if r.ContentLength-aroundFile > grant.MaxSize {
		return errTooLong
	}
	const unknownLength = -1
	attrs, f := h.store(r, grant, file, unknownLength, nil)
	if f != nil {
		return f
	}

	w.Header().Set("ETag", attrs.ETag)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// readHead returns the fields of the form in a request, and the file that follows, which may have
// any length. It fails if more than maxFormHead bytes come before the file.
func readHead(r *http.Request) (fields map[string]string, file io.Reader, f *failure) {
	// The multipart reader itself would accept fields of any length.
	body := &boundedBody{src: r.Body, max: maxFormHead}
	// Limit the body of a copy, so that r.Body stays unchanged.
	limited := r.WithContext(r.Context())
	limited.Body = io.NopCloser(body)
	parts, err := limited.MultipartReader()
	if err != nil {
		return nil, nil, errForm
	}

	fields, file, f = readForm(parts)
	if body.bytesRead > maxFormHead {
		return nil, nil, errFormTooLarge
	}
	if f == errForm && body.failure != nil {
		// The multipart reader may have hidden the failure of the body.
		return nil, nil, body.failure
	}

	// The signed size limits the file that is read next.
	body.max = -1
	return fields, file, f
}

// readForm reads the fields of a form, and returns them with the file that follows. The names of
// fields are in lower case, and none may occur twice.
func readForm(parts *multipart.Reader) (fields map[string]string, file io.Reader, f *failure) {
	fields = map[string]string{}
	total := 0
	for {
		part, err := parts.NextRawPart()
		if err != nil {
			return nil, nil, failureOr(err, errForm)
		}

		name := strings.ToLower(part.FormName())

		// The file is the last part that is read.
		if name == signedurl.FileField {
			return fields, part, nil
		}

		// One byte more than the limit shows that the field is too long.
		value, err := io.ReadAll(io.LimitReader(part, maxFields+1))
		if err != nil {
			return nil, nil, failureOr(err, errForm)
		}
		total += len(name) + len(value)
		if total > maxFields {
			return nil, nil, errFormTooLarge
		}

		_, isRepeated := fields[name]
		if name == "" || isRepeated {
			return nil, nil, errForm
		}
		fields[name] = string(value)
	}
}
