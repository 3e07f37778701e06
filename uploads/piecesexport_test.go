package uploads

import (
	"net/http"

	"github.com/omnibucket/storage/internal/pieces"
)

// Fail responds with err, as the handler does.
func (s *Service) Fail(w http.ResponseWriter, r *http.Request, err error) {
	s.responder.fail(w, r, err)
}

// SetWait makes calls of PutPiece wait for others by another clock.
func (s *Service) SetWait(wait pieces.WaitFunc) { s.pieces.wait = wait }
