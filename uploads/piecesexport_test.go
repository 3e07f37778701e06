package uploads

import (
	"context"
	"maps"
	"net/http"
	"slices"

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

// Orphans returns those of the keys that are not of a file that has no record yet.
func (s *Service) Orphans(ctx context.Context, keys ...string) (orphans []string, err error) {
	found := tally{found: map[string]bool{}}
	for _, key := range keys {
		found.add(key)
	}
	err = (&sweeper{keeper: s.keeper}).dropClaimed(ctx, &found)
	return slices.Sorted(maps.Keys(found.found)), err
}
