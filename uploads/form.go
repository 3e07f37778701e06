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
	maxFields     = 100      // other fields of a form, which are skipped
	maxFieldBytes = 64 << 10 // bytes of such fields before the file of /s3/single
	formOverhead  = 1 << 20  // bytes of such fields beside files, and of boundaries and headers
	maxPartHeader = 64 << 10 // bytes of a part's header, and of what is read ahead of it
)

// storeForm stores every file of a form, or none.
func (h *handler) storeForm(c *call) (err error) {
	release, err := c.share(min(intake.FileHeld, h.service.judge.Rules().MaxSize))
	if err != nil {
		return err
	}
	defer release()
	form, err := newFormReader(c, http.MaxBytesReader(c.w, intake.Body(c.w, c.Request), h.maxBody()), "", formOverhead)
	if err != nil {
		return err
	}
	var stored []*File
	telling := false
	defer func() {
		if err != nil || !telling { // the sender is not told if the application's judge panics
			for _, f := range stored {
				h.service.discardFile(c.Context(), f)
			}
		}
	}()
	for {
		part, err := form.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if len(stored) == h.config.MaxFiles {
			return refuseFile(TooManyFiles, "There are too many files: send fewer at once.")
		}
		f, err := h.service.storePart(c.Context(), part, c.user)
		if err != nil {
			return err
		}
		stored = append(stored, f)
	}
	if len(stored) == 0 {
		return noFile()
	}
	telling = true
	for _, f := range stored {
		if err = h.service.tell(c.Context(), f); err != nil {
			if errors.Is(err, storage.OutcomeUnknown) { // the application may know of the files
				stored = nil
			}
			return err
		}
	}
	return c.json(http.StatusCreated, map[string]any{"files": stored})
}

func (h *handler) maxBody() int64 {
	files, each := int64(h.config.MaxFiles), h.service.judge.Rules().MaxSize
	if each > (math.MaxInt64-formOverhead)/files {
		return math.MaxInt64
	}
	return files*each + formOverhead
}

// A formReader finds the files of a form. It limits the bytes between them.
type formReader struct {
	body    *bodylimit.Reader // mime/multipart would hold up to 10 MiB of a part's header, several times over
	parts   *multipart.Reader
	name    string // name of the field of a file; "" means any
	skipped int    // number of skipped fields
	skip    int64  // how many more bytes of fields may be skipped
}

// newFormReader returns a reader of the files in a field of a form; "" means in any. The other fields have at
// most this many bytes.
func newFormReader(c *call, body io.Reader, name string, fieldBytes int64) (*formReader, error) {
	kind, parameters, err := mime.ParseMediaType(c.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || parameters["boundary"] == "" {
		return nil, wrongType("The files must be sent as multipart/form-data.")
	}
	form := &bodylimit.Reader{Body: body, TooLarge: notUnderstood()}
	return &formReader{
		body: form, parts: multipart.NewReader(form, parameters["boundary"]), name: name, skip: fieldBytes,
	}, nil
}

// next returns the next file, and skips fields before it. It returns io.EOF after the last one.
func (f *formReader) next() (*multipart.Part, error) {
	for ; f.skipped <= maxFields; f.skipped++ {
		f.body.Left = maxPartHeader
		part, err := f.parts.NextPart()
		f.body.Left = math.MaxInt64
		switch {
		case err == io.EOF:
			return nil, err
		case err != nil:
			return nil, f.failure(err)
		case part.FileName() != "" && (f.name == "" || f.name == part.FormName()):
			return part, nil
		case part.FormName() == "": // its header is malformed, so it may be anything
			return nil, notUnderstood()
		}
		n, err := io.Copy(io.Discard, io.LimitReader(part, f.skip+1))
		if f.skip -= n; f.skip < 0 {
			return nil, refuseFile(TooLarge, "The fields of the form are too long.")
		}
		if err != nil {
			return nil, f.failure(err)
		}
	}
	return nil, refuse("", InvalidRequest, "The form has too many fields.")
}

// failure returns the error for a read error between the files.
func (f *formReader) failure(err error) *Error {
	if own, ok := errors.AsType[*Error](f.body.Failed); ok {
		return own
	}
	if f.body.Failed != nil || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return interrupted(err)
	}
	return notUnderstood()
}

func notUnderstood() *Error { return refuse("", InvalidRequest, "The form is not understood.") }
