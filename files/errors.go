package files

import (
	"context"
	"errors"
	"net/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/words"
	"github.com/omnibucket/storage/uploads"
)

func refuse(field string, code uploads.Code, message string) *uploads.Error {
	e := &uploads.Error{Field: field, Code: code, Message: message, Err: code.Storage()}
	if code == uploads.PartsChanged {
		e.Status = http.StatusConflict
	}
	return e
}

func invalid(field, message string) *uploads.Error {
	return refuse(field, uploads.InvalidValue, message)
}

func notFoundError() *uploads.Error {
	return refuse(fieldID, uploads.NotFound, "There is no such file.")
}

func tooLargeError(limit int64) error {
	return refuse(fieldFile, uploads.TooLarge, "The file is too large: at most "+words.Bytes(limit)+".")
}

// toError converts an error of the bucket, the records or the sender's stream.
func toError(err error) error {
	if err == nil {
		return nil
	}
	if own, ok := err.(*uploads.Error); ok {
		return own
	}
	if own, ok := errors.AsType[*uploads.Error](err); ok && (own.Code == uploads.TooLarge || own.Code == uploads.StoreFailed) { // of a body that is bounded
		return own
	}
	if limit, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLargeError(limit.Limit)
	}
	switch storage.CodeOf(err) {
	case storage.BodyFailed:
		return &uploads.Error{Field: fieldFile, Code: uploads.Interrupted, Message: "The file did not arrive completely. Try again.", Err: err}
	case storage.Canceled:
		return &uploads.Error{Code: uploads.Interrupted, Message: "The request was interrupted.", Err: err}
	case storage.TooLarge:
		return &uploads.Error{Field: fieldFile, Code: uploads.TooLarge, Message: "The file is too large.", Err: err}
	}
	if errors.Is(err, context.Canceled) {
		return &uploads.Error{Code: uploads.Interrupted, Message: "The request was interrupted.", Err: err}
	}
	return &uploads.Error{Code: uploads.StoreFailed, Message: "The files cannot be reached. Try again in a moment.", Err: err}
}
