package uploads

import (
	"context"
	"net/http"

	"github.com/omnibucket/storage/internal/webapi"
	"github.com/omnibucket/storage/uploads/internal/intake"
)

// Fail responds with err, as the handler does.
func (s *Service) Fail(w http.ResponseWriter, r *http.Request, err error) {
	w.Header().Set(webapi.RequestIDHeader, "1")
	s.handler.fail(w, r, err)
}

// SetWait makes calls of PutPiece wait for others by another clock.
func (s *Service) SetWait(wait intake.WaitFunc) { s.memory.Wait = wait }

// Unrecorded returns the keys of files in pieces that have no record yet.
func (s *Service) Unrecorded(ctx context.Context) (map[string]bool, error) {
	return (&sweeper{keeper: s.keeper}).unrecorded(ctx)
}
