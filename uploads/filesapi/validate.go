package filesapi

import (
	"fmt"

	"github.com/omnibucket/storage/internal/timeid"
	"github.com/omnibucket/storage/internal/webapi"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/internal/filename"
)

type fileOptions struct {
	name    string
	user    string // "": not known
	purpose string // "": none
	temp    bool
}

type partOptions struct {
	file        fileOptions
	token       string
	count, part int
}

const (
	minToken = 8
	maxToken = 128
)

const purposeName = "purpose"

func (o *fileOptions) metadata() map[string]string {
	return map[string]string{purposeName: o.purpose}
}

func (o *fileOptions) validate() error {
	if flaw := filename.Flaw(o.name); flaw != "" {
		return invalid(fieldName, flaw)
	}
	if err := validateLabel(fieldPurpose, o.purpose); err != nil {
		return err
	}
	return validateLabel(fieldUser, o.user)
}

// validate checks all but the numbers, which [uploads.Service.PutPiece] checks.
func (o *partOptions) validate() error {
	if len(o.token) < minToken || len(o.token) > maxToken || !webapi.IsToken(o.token) {
		return invalid(fieldToken, fmt.Sprintf(`The token must be %d to %d letters, digits, "-", "_" and ".".`, minToken, maxToken))
	}
	return o.file.validate()
}

func validateLabel(field, text string) error {
	if flaw := filename.LabelFlaw(text); flaw != "" {
		return invalid(field, flaw)
	}
	return nil
}

// validateID refuses any ID that a service cannot have made.
func validateID(id string) error {
	if !timeid.Valid(id) {
		return invalid(fieldID, "This is not the ID of a file.")
	}
	return nil
}

func refuse(field string, code uploads.Code, message string) *uploads.Error {
	return &uploads.Error{Field: field, Code: code, Message: message, Err: code.Storage()}
}

func invalid(field, message string) *uploads.Error {
	return refuse(field, uploads.InvalidValue, message)
}
