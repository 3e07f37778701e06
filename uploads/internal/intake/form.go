package intake

import (
	"errors"
	"io"
	"math"
	"mime"
	"mime/multipart"

	"github.com/omnibucket/storage/internal/bodyio"
	"github.com/omnibucket/storage/uploads/internal/refusal"
)

const (
	maxFields     = 100      // number of fields without a file that a form may have; they are skipped
	maxPartHeader = 64 << 10 // bytes that may be read to find the next part and its header
)

// A FormReader finds the files in a form. It limits the bytes of everything else in the form.
type FormReader struct {
	// body limits how much mime/multipart reads for the header of a part. Without this limit,
	// mime/multipart would accept a header of up to 10 MiB, and keep several copies in memory.
	body    *bodyio.LimitedReader
	parts   *multipart.Reader
	name    string // name of the field that has the files; "" means any field
	skipped int    // number of fields skipped so far
	skip    int64  // bytes of fields that may still be skipped before the form is refused
}

// NewFormReader returns a reader of the files in the field of a form with this name, or in any field if name
// is "". The fields that it skips may have at most fieldBytes bytes together.
func NewFormReader(c *Call, body io.Reader, name string, fieldBytes int64) (*FormReader, error) {
	kind, parameters, err := mime.ParseMediaType(c.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || parameters["boundary"] == "" {
		return nil, refusal.WrongType("The files must be sent as multipart/form-data.")
	}

	// The limit is set before each part, for its header.
	form := &bodyio.LimitedReader{Body: body, TooLarge: notUnderstood()}
	return &FormReader{
		body:  form,
		parts: multipart.NewReader(form, parameters["boundary"]),
		name:  name,
		skip:  fieldBytes,
	}, nil
}

// Next returns the next file of the form, or io.EOF after the last one. It skips at most maxFields other
// fields.
func (f *FormReader) Next() (*multipart.Part, error) {
	// The number of skipped fields counts over all calls.
	for ; f.skipped <= maxFields; f.skipped++ {
		// Limit the length of the part's header.
		f.body.Left = maxPartHeader
		part, err := f.parts.NextPart()
		f.body.Left = math.MaxInt64
		if err == io.EOF {
			return nil, err
		}
		if err != nil {
			return nil, f.failure(err)
		}

		// If f.name is empty, every file is wanted.
		isWanted := f.name == "" || f.name == part.FormName()
		if isWanted && part.FileName() != "" {
			return part, nil
		}
		if part.FormName() == "" {
			// The header is malformed, and the part may be a file.
			return nil, notUnderstood()
		}
		if err := f.skipField(part); err != nil {
			return nil, err
		}
	}
	return nil, refusal.New("", refusal.CodeInvalidRequest, "The form has too many fields.")
}

// skipField reads a field to its end, and fails if all skipped fields together are too long.
func (f *FormReader) skipField(part io.Reader) error {
	// One byte more than permitted shows that the fields are too long.
	n, err := io.Copy(io.Discard, io.LimitReader(part, f.skip+1))
	f.skip -= n
	if f.skip < 0 {
		return refusal.OfFile(refusal.CodeTooLarge, "The fields of the form are too long.")
	}
	if err != nil {
		return f.failure(err)
	}
	return nil
}

// failure returns the refusal for an error of reading the form, but not the content of a file.
func (f *FormReader) failure(err error) *refusal.Error {
	if refused := refusal.Of(f.body.Failed); refused != nil {
		// The body was refused, for example because it is too long.
		return refused
	}
	if f.body.Failed != nil || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return refusal.Interrupted(err)
	}
	return notUnderstood()
}

// notUnderstood returns the error for a malformed form.
func notUnderstood() *refusal.Error {
	return refusal.New("", refusal.CodeInvalidRequest, "The form is not understood.")
}
