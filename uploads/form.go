package uploads

import (
	"errors"
	"io"
	"math"
	"mime"
	"mime/multipart"
	"net/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/bodylimit"
	"github.com/omnibucket/storage/uploads/internal/intake"
)

const (
	maxFields = 100 // number of fields without a file that a form may have; they are skipped
	// maxFieldBytes limits the bytes of all fields without a file, in a form that is sent to
	// /s3/single.
	maxFieldBytes = 64 << 10
	// formOverhead is how many bytes a form may have outside its files: other fields, boundaries
	// and headers.
	formOverhead  = 1 << 20
	maxPartHeader = 64 << 10 // bytes that may be read to find the next part and its header
)

// A form holds the state of a request that stores one or more files.
type form struct {
	length int64   // bytes of the whole body; -1 means that the length is not known
	stored []*File // files that are stored, but not yet counted in the allowance
	held   *lease  // keeps the reservations of the files
}

// storeForm stores every file of a form. If one file is refused, it removes the others.
func (h *handler) storeForm(c *call) (err error) {
	release, err := c.share(min(intake.FileHeld, h.service.judge.Rules().MaxSize))
	if err != nil {
		return err
	}
	defer release()
	body := http.MaxBytesReader(c.w, intake.Body(c.w, c.Request), h.maxBody())
	reader, err := newFormReader(c, body, "", formOverhead)
	if err != nil {
		return err
	}
	fm := &form{length: c.ContentLength, held: h.service.counter.newLease(c.user.ID)}
	defer fm.held.end()
	telling := false
	defer func() {
		// If err is nil and telling is false, a function of the application has panicked.
		if err != nil || !telling {
			for _, f := range fm.stored {
				h.service.takeBack(c.Context(), f)
			}
		}
	}()
	for {
		part, err := reader.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if len(fm.stored) == h.config.MaxFiles {
			return refuseFile(TooManyFiles, "There are too many files: send fewer at once.")
		}
		f, err := h.service.storePart(c.Context(), part, c.user, fm)
		if err != nil {
			return err
		}
		fm.stored = append(fm.stored, f)
	}
	if len(fm.stored) == 0 {
		return noFile()
	}
	telling = true
	for _, f := range fm.stored {
		if err = h.service.end(c.Context(), f); err != nil {
			// the application may have recorded the files, so they must stay
			if errors.Is(err, storage.OutcomeUnknown) {
				fm.stored = nil
			}
			return err
		}
	}
	return c.json(http.StatusCreated, map[string]any{"files": fm.stored})
}

func (h *handler) maxBody() int64 {
	files := int64(h.config.MaxFiles)
	each := h.service.judge.Rules().MaxSize
	if each > (math.MaxInt64-formOverhead)/files {
		return math.MaxInt64
	}
	return files*each + formOverhead
}

// A formReader finds the files in a form. It limits the bytes of everything else in the form.
type formReader struct {
	// body limits how much mime/multipart reads for the header of a part. Without this limit,
	// mime/multipart would accept a header of up to 10 MiB, and keep several copies in memory.
	body    *bodylimit.Reader
	parts   *multipart.Reader
	name    string // name of the field that has the files; "" means any field
	skipped int    // number of fields skipped so far
	skip    int64  // bytes of fields that may still be skipped before the form is refused
}

// newFormReader returns a reader of the files in a form. It reads only the field with this name, or
// any field if name is "". All other fields together may have at most fieldBytes bytes.
func newFormReader(c *call, body io.Reader, name string, fieldBytes int64) (*formReader, error) {
	kind, parameters, err := mime.ParseMediaType(c.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || parameters["boundary"] == "" {
		return nil, wrongType("The files must be sent as multipart/form-data.")
	}
	form := &bodylimit.Reader{Body: body, TooLarge: notUnderstood()}
	return &formReader{
		body:  form,
		parts: multipart.NewReader(form, parameters["boundary"]),
		name:  name,
		skip:  fieldBytes,
	}, nil
}

// next returns the next file, and skips the fields before it. After the last file, it returns
// io.EOF.
func (f *formReader) next() (*multipart.Part, error) {
	for ; f.skipped <= maxFields; f.skipped++ {
		f.body.Left = maxPartHeader
		part, err := f.parts.NextPart()
		f.body.Left = math.MaxInt64
		if err == io.EOF {
			return nil, err
		}
		if err != nil {
			return nil, f.failure(err)
		}
		if part.FileName() != "" && (f.name == "" || f.name == part.FormName()) {
			return part, nil
		}
		// The header of this part is malformed. The part may be a file, so it must not be skipped.
		if part.FormName() == "" {
			return nil, notUnderstood()
		}
		n, err := io.Copy(io.Discard, io.LimitReader(part, f.skip+1))
		f.skip -= n
		if f.skip < 0 {
			return nil, refuseFile(TooLarge, "The fields of the form are too long.")
		}
		if err != nil {
			return nil, f.failure(err)
		}
	}
	return nil, refuse("", InvalidRequest, "The form has too many fields.")
}

// failure returns the response to an error of reading the form. The error must not come from
// reading the content of a file.
func (f *formReader) failure(err error) *Error {
	if e, ok := errors.AsType[*Error](f.body.Failed); ok {
		return e
	}
	if f.body.Failed != nil || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return interrupted(err)
	}
	return notUnderstood()
}

func notUnderstood() *Error { return refuse("", InvalidRequest, "The form is not understood.") }
