package filesapi

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/webapi"
	"github.com/omnibucket/storage/uploads"
)

// A store does with the service what requests ask for.
type store struct {
	service *uploads.Service
	tempAge time.Duration
}

// These are the fields of errors.
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

// fields are the names that fields of a service have here.
var fields = map[string]string{"id": fieldID, "name": fieldName, "metadata": fieldPurpose}

// told returns an error of the service as the client sees it.
func told(err error) error {
	if err == nil {
		return nil
	}
	own, ok := errors.AsType[*uploads.Error](err)
	switch {
	case ok:
	case storage.CodeOf(err) == storage.ObjectNotFound:
		return notFound()
	default:
		own = &uploads.Error{Code: uploads.StoreFailed, Err: err}
	}
	e := *own
	switch {
	case e.Code == uploads.Internal, e.Code == uploads.StoreFailed && e.Status == 0:
		e.Code, e.Field, e.Message = uploads.StoreFailed, "", "The files cannot be reached. Try again in a moment."
	case e.Code == uploads.PartsChanged:
		e.Status = http.StatusConflict
	case e.Code == uploads.Interrupted:
		e.Status = 0
	}
	if here, ok := fields[e.Field]; ok {
		e.Field = here
	}
	return &e
}

// upload stores a file.
func (s *store) upload(ctx context.Context, u uploads.Upload, temp bool) (*Record, error) {
	if err := validateFile(u.Name, u.User, u.Metadata); err != nil {
		return nil, err
	}
	u.Target = s.target(temp)
	f, err := s.service.Store(ctx, u)
	return recordOf(f), told(err)
}

// uploadPart stores a part of a file, whose numbers the service checks. After the error Completed, it returns the
// record too, unless the file was deleted.
func (s *store) uploadPart(ctx context.Context, p uploads.Piece, temp bool) (*Record, error) {
	if len(p.Token) < minToken || len(p.Token) > maxToken || !webapi.IsToken(p.Token) {
		return nil, invalid(fieldToken, fmt.Sprintf(`The token must be %d to %d letters, digits, "-", "_" and ".".`, minToken, maxToken))
	}
	if err := validateFile(p.Name, p.User, p.Metadata); err != nil {
		return nil, err
	}
	if temp {
		p.Token = fmt.Sprintf("temp:%x", sha256.Sum256([]byte(p.Token))) // which no client can send: it may be that of a client file too
	}
	p.Target = s.target(temp)
	f, err := s.service.PutPiece(ctx, p)
	return recordOf(f), told(err)
}

func (s *store) target(temp bool) *uploads.Target {
	if temp {
		return &uploads.Target{Lifetime: s.tempAge}
	}
	return &uploads.Target{}
}

func notFound() *uploads.Error { return refuse(fieldID, uploads.NotFound, "There is no such file.") }

func (s *store) details(ctx context.Context, id string) (*Record, error) {
	if err := validateID(id); err != nil {
		return nil, err
	}
	f, err := s.service.Records().Record(ctx, id)
	if err == nil && !f.Expires.IsZero() {
		err = storage.ObjectNotFound
	}
	if err != nil {
		return nil, told(err)
	}
	return recordOf(f), nil
}

func (s *store) download(ctx context.Context, id string, temp bool, opts []storage.DownloadOption) (*storage.Reader, *Record, error) {
	r, f, err := s.service.Download(ctx, id, opts...)
	if err != nil {
		return nil, nil, told(err)
	}
	if f.Expires.IsZero() == temp {
		_ = r.Close()
		return nil, nil, notFound()
	}
	return r, recordOf(f), nil
}

func (s *store) setPurpose(ctx context.Context, id, purpose string) (*Record, error) {
	if err := validateID(id); err != nil {
		return nil, err
	}
	if err := validateLabel(fieldPurpose, purpose); err != nil {
		return nil, err
	}
	f, err := s.service.Records().SetPurpose(ctx, id, purpose)
	if err != nil {
		return nil, told(err)
	}
	return recordOf(f), nil
}

// delete removes a client file. If there is none, it removes the bytes that an earlier call may have left.
func (s *store) delete(ctx context.Context, id string) error {
	if err := validateID(id); err != nil {
		return err
	}
	f, err := s.service.Records().Record(ctx, id)
	switch {
	case storage.CodeOf(err) == storage.ObjectNotFound:
		f = &uploads.File{ID: id}
	case err != nil:
		return told(err)
	case !f.Expires.IsZero():
		return nil
	}
	return told(s.service.Remove(ctx, f))
}
