package uploads

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/parallel"
	"github.com/omnibucket/storage/internal/pieces"
)

// expirePieces removes an upload in pieces that is idle: the pieces first, then the state. It returns
// false if a call continues the upload after all. Once the state is aborted, a call with the token
// starts another upload with other keys, whether or not this removal completes.
func (w *sweeper) expirePieces(ctx context.Context, s *session, g group) (bool, error) {
	newest, idle, beside := g.newest, w.now.Sub(g.newest), w.beside()
	if beside {
		var err error
		if newest, err = w.newest(ctx, s); err != nil {
			return false, err
		}
		idle = min(w.now.Sub(newest), g.idle) // each by the clock of its place
	}
	if idle < w.keeper.config.TTL {
		return false, nil
	}
	if s.Phase != phaseAborted && s.Phase != phaseDone {
		if aborted, err := w.abortPieces(ctx, s, newest); !aborted || err != nil {
			return false, err
		}
	}
	state := w.keeper.objectKey(s, stateName)
	old := func(e storage.ListEntry) bool { return (e.Key != state || beside) && !e.Modified.After(newest) }
	if _, err := storage.RemoveMatching(ctx, w.keeper.bucket, old, storage.WithPrefix(w.keeper.config.Prefix+s.name+"/")); err != nil {
		return false, err
	}
	err := w.keeper.config.States.RemoveState(ctx, state, s.revision)
	return err == nil, err
}

// newest returns the time of the newest object of a session, but not of its state; the zero time if
// there is none.
func (w *sweeper) newest(ctx context.Context, s *session) (newest time.Time, err error) {
	for entry, err := range w.keeper.bucket.List(ctx, storage.WithPrefix(w.keeper.config.Prefix+s.name+"/")) {
		if err != nil {
			return newest, err
		}
		if entry.Key != w.keeper.objectKey(s, stateName) && entry.Modified.After(newest) {
			newest = entry.Modified
		}
	}
	return newest, nil
}

// abortPieces asks whether any call still uses the upload, and otherwise aborts it. A call that finished
// before the question has left a newer piece. A call that finishes later has answered the question.
func (w *sweeper) abortPieces(ctx context.Context, s *session, newest time.Time) (bool, error) {
	save := func() (bool, error) {
		err := w.keeper.save(ctx, s)
		if err == errConflict {
			return false, nil
		}
		return err == nil, err
	}
	s.Pieces.Asked = rand.Text()
	if asked, err := save(); !asked || err != nil {
		return false, err
	}
	if found, err := w.newest(ctx, s); err != nil || found.After(newest) {
		return false, err
	}
	s.Pieces.Asked, s.Phase = "", phaseAborted
	return save()
}

// unrecorded returns the keys of uploads whose bytes may exist, and which have no record yet.
func (w *sweeper) unrecorded(ctx context.Context) (map[string]bool, error) {
	var names []string
	for g, err := range w.sessions(ctx, "") {
		if err != nil {
			return nil, err
		}
		if g.hasState {
			names = append(names, g.name)
		}
	}
	found := make([]string, len(names)) // keys: a state may be large
	const atOnce = 16
	errs := parallel.All(len(names), atOnce, func(n int) error {
		s, err := w.keeper.read(ctx, names[n])
		switch {
		case storage.CodeOf(err) == storage.ObjectNotFound:
			return nil
		case err == nil && (s.Phase == phaseCompleting || s.Phase == phaseStored):
			found[n] = s.Target.Key
		}
		return err
	})
	keys := map[string]bool{}
	for n, err := range errs {
		if err != nil {
			return nil, err
		}
		keys[found[n]] = true
	}
	delete(keys, "")
	return keys, nil
}

func init() {
	pieces.SetWaits = func(service any, wait, pulse pieces.WaitFunc) {
		s := service.(*Service)
		if wait != nil {
			s.pieceWait = wait
		}
		if pulse != nil {
			s.keeper.pulse = pulse
		}
	}
}
