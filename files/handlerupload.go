package files

import (
	"context"
	"io"
	"net/http"
)

// upload stores a whole file. fields are the fields that its form may have, before or
// after the file.
func (h *handler) upload(k kind, fields ...string) func(*call) error {
	return func(c *call) error {
		f, err := readForm(c.Request, h.config.MaxUploadSize, fields)
		if err != nil {
			return err
		}
		o := UploadOptions{OriginalFileName: f.fileName, UploadedBy: c.user, Purpose: f.fields[fieldPurpose]}
		metadata := o.metadata()
		f.file.after = func() error {
			metadata[metadataPurpose] = f.fields[fieldPurpose]
			return validateLabel(fieldPurpose, metadata[metadataPurpose])
		}
		record, err := h.store.upload(c.Context(), k, f.file, o, metadata)
		if err != nil {
			return renameField(f.file.failure(err), fieldName, fieldFile) // the name is that of the file itself
		}
		writeJSON(c.w, http.StatusCreated, record)
		return nil
	}
}

type uploadPartFunc func(ctx context.Context, body io.Reader, o PartOptions) (*Record, error)

// partFields are the fields in the form of every part.
var partFields = []string{fieldName, fieldToken, fieldCount, fieldPart}

// uploadPart stores a part of a file. fields are the fields that its form may have
// besides partFields.
func (h *handler) uploadPart(store uploadPartFunc, fields ...string) func(*call) error {
	fields = append(fields, partFields...)
	return func(c *call) error {
		f, err := readForm(c.Request, h.config.MaxUploadSize, fields)
		if err != nil {
			return err
		}
		o, err := f.part()
		if err != nil {
			return err
		}
		o.UploadedBy = c.user
		record, err := store(c.Context(), f.file, o)
		switch {
		case err != nil && record != nil:
			return &completedError{record, err}
		case err != nil:
			return f.file.failure(err)
		case record == nil:
			writeJSON(c.w, http.StatusAccepted, storedPart{o.Part, o.Count})
		default:
			writeJSON(c.w, http.StatusCreated, record)
		}
		return nil
	}
}

// storedPart is the response while other parts are missing.
type storedPart struct {
	Part  int `json:"part"`
	Count int `json:"count"`
}

func (f *form) part() (o PartOptions, err error) {
	if o.OriginalFileName, err = f.required(fieldName); err != nil {
		return o, err
	}
	if o.Token, err = f.required(fieldToken); err != nil {
		return o, err
	}
	if o.Count, err = f.number(fieldCount); err != nil {
		return o, err
	}
	o.Part, err = f.number(fieldPart)
	o.Purpose = f.fields[fieldPurpose]
	return o, err
}
