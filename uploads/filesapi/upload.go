package filesapi

import (
	"net/http"

	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/internal/intake"
)

// receiving returns f for requests that send bytes, which share the memory of the service and must not be slow.
func (h *handler) receiving(f func(*call) error) func(*call) error {
	return func(c *call) error {
		release, err := intake.Of(h.store.service).Share(c.Request, c.user.ID, min(intake.FileHeld, h.config.MaxUploadSize))
		if err != nil {
			return &uploads.Error{Code: uploads.Busy, Message: "Too many files arrive at once. Try again in a moment.", Err: err}
		}
		defer release()
		c.Body = intake.Body(c.w, c.Request)
		return f(c)
	}
}

// upload stores a whole file. fields are the fields that its form may have, before or
// after the file.
func (h *handler) upload(temp bool, fields ...string) func(*call) error {
	return func(c *call) error {
		f, err := readForm(c.Request, h.config.MaxUploadSize, fields)
		if err != nil {
			return err
		}
		o := fileOptions{name: f.fileName, user: c.user.ID, purpose: f.fields[fieldPurpose], temp: temp}
		metadata := o.metadata()
		f.file.after = func() error {
			metadata[purposeName] = f.fields[fieldPurpose]
			return validateLabel(fieldPurpose, metadata[purposeName])
		}
		record, err := h.store.upload(c.Context(), f.file, o, metadata)
		if err != nil {
			return renameField(f.file.failure(err), fieldName, fieldFile) // the name is that of the file itself
		}
		return c.json(http.StatusCreated, record)
	}
}

// partFields are the fields in the form of every part.
var partFields = []string{fieldName, fieldToken, fieldCount, fieldPart}

// uploadPart stores a part of a file. fields are the fields that its form may have
// besides partFields.
func (h *handler) uploadPart(temp bool, fields ...string) func(*call) error {
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
		o.file.user, o.file.temp = c.user.ID, temp
		record, err := h.store.uploadPart(c.Context(), f.file, o)
		switch {
		case err != nil && record != nil:
			return &completedError{record, err}
		case err != nil:
			return f.file.failure(err)
		case record == nil:
			return c.json(http.StatusAccepted, storedPart{o.part, o.count})
		}
		return c.json(http.StatusCreated, record)
	}
}

// storedPart is the response while other parts are missing.
type storedPart struct {
	Part  int `json:"part"`
	Count int `json:"count"`
}

func (f *form) part() (o partOptions, err error) {
	if o.file.name, err = f.required(fieldName); err != nil {
		return o, err
	}
	if o.token, err = f.required(fieldToken); err != nil {
		return o, err
	}
	if o.count, err = f.number(fieldCount); err != nil {
		return o, err
	}
	o.part, err = f.number(fieldPart)
	o.file.purpose = f.fields[fieldPurpose]
	return o, err
}
