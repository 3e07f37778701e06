package filesapi

import (
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/internal/filename"
	"github.com/omnibucket/storage/uploads/internal/timeid"
)

const (
	minToken = 8
	maxToken = 128
)

const purposeName = "purpose"

// validateFile fails if the name, the purpose or the user of a file is invalid.
func validateFile(name string, user uploads.User, metadata map[string]string) error {
	if flaw := filename.Flaw(name); flaw != "" {
		return invalid(fieldName, flaw)
	}
	if err := validateLabel(fieldPurpose, metadata[purposeName]); err != nil {
		return err
	}
	return validateLabel(fieldUser, user.ID)
}

// validateLabel fails if the text in this field cannot be a label.
func validateLabel(field, text string) error {
	if flaw := filename.LabelFlaw(text); flaw != "" {
		return invalid(field, flaw)
	}
	return nil
}

// validateID fails if id does not have the form of an ID, so that no file can have it.
func validateID(id string) error {
	if !timeid.Valid(id) {
		return invalid(fieldID, "This is not the ID of a file.")
	}
	return nil
}

// refuse returns an error with a code.
func refuse(field string, code uploads.Code, message string) *uploads.Error {
	return &uploads.Error{Field: field, Code: code, Message: message, Err: code.Storage()}
}

// invalid returns the error for an invalid value.
func invalid(field, message string) *uploads.Error {
	return refuse(field, uploads.InvalidValue, message)
}
