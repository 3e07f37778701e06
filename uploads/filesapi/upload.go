package filesapi

import (
	"net/http"

	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/internal/intake"
)

// withReceiveLimit returns a handler that waits for the memory that a request with bytes needs before it
// calls f, and limits how slowly the client may send.
func (h *handler) withReceiveLimit(f func(*call) error) func(*call) error {
	return func(c *call) error {
		bufferSize := min(intake.FileHeld, h.config.MaxUploadSize)
		release, err := intake.Of(h.service).Share(c.Request, c.user.ID, bufferSize)
		if err != nil {
			return &uploads.Error{
				Code:    uploads.Busy,
				Message: "Too many files arrive at once. Try again in a moment.",
				Err:     err,
			}
		}
		defer release()

		// Reading this body fails if the client sends too slowly.
		c.Body = intake.Body(c.w, c.Request)
		return f(c)
	}
}

// clientFields are the fields in the form of a client file, apart from the file itself.
var clientFields = []string{fieldPurpose}

// uploadFile stores a client file from a form.
func (h *handler) uploadFile(c *call) error { return h.upload(c, clientFile, clientFields) }

// uploadTempFile stores a temp file from a form.
func (h *handler) uploadTempFile(c *call) error { return h.upload(c, tempFile, nil) }

// upload stores a whole file from a form, which may have these fields before or after the file.
func (h *handler) upload(c *call, temp bool, fields []string) error {
	f, err := readForm(c.Request, h.config.MaxUploadSize, fields)
	if err != nil {
		return err
	}

	// The store reads the file, and then the fields after it. The purpose may be one of these, so set it again
	// in the metadata, which the store looks at only after that.
	metadata := map[string]string{purposeName: f.fields[fieldPurpose]}
	f.file.after = func() error {
		purpose := f.fields[fieldPurpose]
		metadata[purposeName] = purpose
		return validateLabel(fieldPurpose, purpose)
	}
	u := uploads.Upload{
		Body:     f.file,
		Name:     f.fileName,
		User:     uploads.User{ID: c.user.ID},
		Metadata: metadata,
	}
	record, err := h.store(c.Context(), u, temp)
	if err != nil {
		// In a form, the name is part of the file.
		return renameField(f.file.failure(err), fieldName, fieldFile)
	}
	return c.json(http.StatusCreated, record)
}

// These are the fields in the form of a part of a file.
var (
	tempPartFields   = []string{fieldName, fieldToken, fieldCount, fieldPart}
	clientPartFields = append([]string{fieldPurpose}, tempPartFields...)
)

// uploadFilePart stores a part of a client file.
func (h *handler) uploadFilePart(c *call) error { return h.uploadPart(c, clientFile, clientPartFields) }

// uploadTempFilePart stores a part of a temp file.
func (h *handler) uploadTempFilePart(c *call) error { return h.uploadPart(c, tempFile, tempPartFields) }

// uploadPart stores a part of a file from a form, which may have these fields. The response to the part that completes
// the file has the record of the file.
func (h *handler) uploadPart(c *call, temp bool, fields []string) error {
	f, err := readForm(c.Request, h.config.MaxUploadSize, fields)
	if err != nil {
		return err
	}
	p, err := f.piece()
	if err != nil {
		return err
	}
	p.User.ID = c.user.ID

	record, err := h.storePart(c.Context(), p, temp)
	if err != nil && record != nil {
		// An earlier request has completed the file. The response has its record.
		return &completedError{record: record, err: err}
	}
	if err != nil {
		return f.file.failure(err)
	}
	// Without a record, other parts are still missing.
	if record == nil {
		return c.json(http.StatusAccepted, storedPart{p.Number, p.Count})
	}
	return c.json(http.StatusCreated, record)
}

// storedPart is the JSON of the response if other parts are still missing.
type storedPart struct {
	Part  int `json:"part"`
	Count int `json:"count"`
}

// piece returns the part that a form describes, and fails if a field is missing or invalid.
func (f *form) piece() (uploads.Piece, error) {
	name, err := f.requiredText(fieldName)
	if err != nil {
		return uploads.Piece{}, err
	}
	token, err := f.requiredText(fieldToken)
	if err != nil {
		return uploads.Piece{}, err
	}
	count, err := f.requiredNumber(fieldCount)
	if err != nil {
		return uploads.Piece{}, err
	}
	number, err := f.requiredNumber(fieldPart)
	if err != nil {
		return uploads.Piece{}, err
	}
	return uploads.Piece{
		Token:    token,
		Count:    count,
		Number:   number,
		Body:     f.file,
		Name:     name,
		Metadata: map[string]string{purposeName: f.fields[fieldPurpose]},
	}, nil
}
