package resumable

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"

	"github.com/omnibucket/storage/internal/words"
)

const (
	maxFields   = 100      // of a form, before the file
	maxEnvelope = 64 << 10 // bytes of a form besides the file
)

// file returns the bytes of a file in one request, and how many there are, or -1. The file is the
// body, or a field of a form. Reading fails after most bytes (0: no limit) or if the client sends
// nothing for a while.
func (c *call) file(most int64) (io.Reader, int64, error) {
	if c.Method == http.MethodPost {
		file, err := c.formFile(most)
		return file, -1, err
	}
	body, err := c.boundedBody(most)
	return body, c.ContentLength, err
}

// formFile returns the field "file" of a form. Fields before it are skipped, and those after it are
// not read.
func (c *call) formFile(most int64) (io.Reader, error) {
	kind, parameters, err := mime.ParseMediaType(c.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || parameters["boundary"] == "" {
		return nil, refuse("Content-Type", UnsupportedType, "The request must be a form of multipart/form-data.")
	}
	envelope := most
	if most > 0 {
		envelope += maxEnvelope
	}
	body, err := c.boundedBody(envelope)
	if err != nil {
		return nil, tooLarge("Content-Length", most)
	}
	fields := &formFields{from: body, left: maxEnvelope}
	form := multipart.NewReader(fields, parameters["boundary"])
	for range maxFields {
		switch part, err := form.NextPart(); {
		case err == io.EOF:
			return nil, invalid("file", "The form has no file.")
		case err != nil:
			return nil, formFailed(err)
		case part.FormName() != "file":
		default:
			fields.over = true
			if most > 0 {
				return &limitedBody{from: part, left: most, most: most}, nil
			}
			return part, nil
		}
	}
	return nil, invalid("file", "The form has too many fields before the file.")
}

// formFields limits the bytes of a form before its file. The package mime/multipart would hold up
// to 10 MiB of a header.
type formFields struct {
	from io.Reader
	left int
	over bool // the file follows
}

func (f *formFields) Read(p []byte) (int, error) {
	if f.over {
		return f.from.Read(p)
	}
	if f.left <= 0 {
		return 0, invalid("file", "The form has more than "+words.Bytes(maxEnvelope)+" before the file.")
	}
	n, err := f.from.Read(p[:min(len(p), f.left)])
	f.left -= n
	return n, err
}

// formFailed returns the error for a form that cannot be read.
func formFailed(err error) error {
	if _, own := errors.AsType[*Error](err); own {
		return err
	}
	return &Error{Code: Interrupted, Field: "body", Message: "The form did not arrive completely.", Err: err}
}
