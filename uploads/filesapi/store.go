package filesapi

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/webserver"
	"github.com/omnibucket/storage/uploads"
)

// These are the names of fields in errors.
const (
	fieldID      = "ID"
	fieldName    = "originalFileName"
	fieldPurpose = "Purpose"
	fieldUser    = "UploadedByUser.ID"
	fieldToken   = "token"
	fieldCount   = "count"
	fieldPart    = "part"
	fieldFile    = "file"
)

// fields maps the names of fields in errors of package uploads to the names in this API.
var fields = map[string]string{"id": fieldID, "name": fieldName, "metadata": fieldPurpose}

// clientError converts an error of the service, which may be nil, to the one that the client sees.
func clientError(err error) error {
	if err == nil {
		return nil
	}

	// An error without a code of package uploads comes from Records.
	uploadErr, isUploadErr := errors.AsType[*uploads.Error](err)
	if !isUploadErr {
		if storage.CodeOf(err) == storage.ObjectNotFound {
			return notFound()
		}
		return unreachable(&uploads.Error{Err: err})
	}
	isStoreFailure := uploadErr.Code == uploads.StoreFailed && uploadErr.Status == 0
	if isStoreFailure || uploadErr.Code == uploads.Internal {
		return unreachable(uploadErr)
	}

	// The error may belong to the application, so change only a copy.
	result := *uploadErr
	switch result.Code {
	case uploads.PartsChanged:
		result.Status = http.StatusConflict
	case uploads.Interrupted:
		result.Status = 0 // the status that the code has by default
	}
	// In this API, some fields have other names than in package uploads.
	if field, ok := fields[result.Field]; ok {
		result.Field = field
	}
	return &result
}

// unreachable returns the error for a failure of the store or of the records, whose cause the client does not see.
func unreachable(cause *uploads.Error) *uploads.Error {
	result := *cause
	result.Code = uploads.StoreFailed
	result.Field = ""
	result.Message = "The files cannot be reached. Try again in a moment."
	return &result
}

// store stores a whole file, which may be a temp file, and returns its record.
func (h *handler) store(ctx context.Context, u uploads.Upload, temp bool) (*Record, error) {
	if err := validateFile(u.Name, u.User, u.Metadata); err != nil {
		return nil, err
	}
	u.Target = h.target(temp)
	f, err := h.service.Store(ctx, u)
	return recordOf(f), clientError(err)
}

// storePart stores one part of a file, and returns the record if the file is complete. If the file was
// complete before, it also returns the error Completed.
func (h *handler) storePart(ctx context.Context, p uploads.Piece, temp bool) (*Record, error) {
	if len(p.Token) < minToken || len(p.Token) > maxToken || !webserver.IsToken(p.Token) {
		return nil, invalid(
			fieldToken,
			fmt.Sprintf(`The token must be %d to %d letters, digits, "-", "_" and ".".`, minToken, maxToken),
		)
	}
	if err := validateFile(p.Name, p.User, p.Metadata); err != nil {
		return nil, err
	}
	if temp {
		// The same token must be good for a temp file and another file, so give the temp file one with a
		// colon, which no client can send.
		p.Token = fmt.Sprintf("temp:%x", sha256.Sum256([]byte(p.Token)))
	}
	p.Target = h.target(temp)
	f, err := h.service.PutPiece(ctx, p)
	return recordOf(f), clientError(err)
}

// target returns the Target of a file, which has a lifetime if it is a temp file.
func (h *handler) target(temp bool) *uploads.Target {
	if temp {
		return &uploads.Target{Lifetime: h.config.TempAge}
	}
	return &uploads.Target{}
}

// notFound returns the error for a file that does not exist.
func notFound() *uploads.Error { return refuse(fieldID, uploads.NotFound, "There is no such file.") }
