package uploads

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/omnibucket/storage/internal/webserver"
	"github.com/omnibucket/storage/uploads/internal/intake"
)

// Fail responds with err, as the handler does.
func (s *Service) Fail(w http.ResponseWriter, r *http.Request, err error) {
	w.Header().Set(webserver.RequestIDHeader, "1")
	s.handler.fail(w, r, err)
}

// SetWait replaces the function with which a call of PutPiece waits for other calls, so that tests need no real time.
func (s *Service) SetWait(wait intake.WaitFunc) { s.setup.memory.Wait = wait }

// Orphans returns the given keys without those at which an unfinished upload may store its object.
func (s *Service) Orphans(ctx context.Context, keys ...string) (orphans []string, err error) {
	result := tally{keys: map[string]bool{}}
	for _, key := range keys {
		result.addOrphan(key)
	}
	w := &sweeper{setup: s.setup, counter: s.counter, files: s.files, keeper: s.keeper}
	err = w.dropClaimed(ctx, &result)
	return slices.Sorted(maps.Keys(result.keys)), err
}
