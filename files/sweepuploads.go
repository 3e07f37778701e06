package files

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/parallel"
)

// uploads gives up uploads in parts that were left alone for ttl.
func (w *sweep) uploads(ctx context.Context, ttl time.Duration) error {
	var errs []error
	upload, newest := "", time.Time{}
	end := func() {
		if upload == "" || w.now.Sub(newest) < ttl {
			return
		}
		gone, err := w.giveUp(ctx, upload, newest)
		if err != nil {
			errs = append(errs, err)
		} else if gone {
			w.report.Uploads++
		}
	}
	for entry, err := range w.bucket.List(ctx, storage.WithPrefix(w.parts)) {
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		if of := w.uploadOf(entry.Key); of != upload {
			end()
			if len(errs) >= maxFailures {
				return errors.Join(errs...)
			}
			upload, newest = of, time.Time{}
		}
		if entry.Modified.After(newest) {
			newest = entry.Modified
		}
	}
	end()
	return errors.Join(errs...)
}

// giveUp removes an upload of which nothing was newer: the parts first, and then
// the state. It is false for one that somebody goes on with after all. Once the
// state has Expired, a call for the token begins another upload, with keys of its
// own, whether this gets to its end or not.
func (w *sweep) giveUp(ctx context.Context, upload string, newest time.Time) (bool, error) {
	u := &partUpload{Store: w.Store, kind: w.kind, prefix: upload}
	state, err := u.read(ctx)
	switch {
	case storage.CodeOf(err) == storage.ObjectNotFound:
		state = nil // of parts that came when it had expired
	case err != nil:
		return false, err
	case state.Expired || state.Claim != nil && state.Claim.Recorded: // nobody goes on with it
	default:
		if expired, err := w.expire(ctx, u, state, newest); !expired || err != nil {
			return false, err
		}
	}
	old := func(e storage.ListEntry) bool {
		return e.Key != upload+stateName && !e.Modified.After(newest)
	}
	if _, err := storage.RemoveMatching(ctx, w.bucket, old, storage.WithPrefix(upload)); err != nil {
		return false, err
	}
	if state == nil {
		return true, nil
	}
	err = u.forget(ctx, state.revision)
	return err == nil, err
}

// forget removes the state, unless another upload has begun since it was read. Where
// the store knows no such condition it looks first: one that begins between the two
// requests loses its state. A part that is on its way then is answered NotFound; one
// that was stored by then has to be sent again.
func (u *partUpload) forget(ctx context.Context, revision string) error {
	var opts []storage.RemoveOption
	if storage.Supports(u.bucket, storage.ConditionalRemove) {
		opts = append(opts, storage.IfRevision(revision))
	} else {
		switch now, err := u.read(ctx); {
		case storage.CodeOf(err) == storage.ObjectNotFound:
			return nil
		case err != nil:
			return err
		case now.revision != revision:
			return nil
		}
	}
	err := u.bucket.Remove(ctx, u.prefix+stateName, opts...)
	if storage.CodeOf(err) == storage.PreconditionFailed {
		return nil
	}
	return err
}

// expire asks whether anybody goes on with an upload, and gives it up where nobody
// does: a call that is answered before it is asked has left a part that is newer,
// one that is answered later has answered the question.
func (w *sweep) expire(ctx context.Context, u *partUpload, state *partState, newest time.Time) (bool, error) {
	state.Asked = rand.Text()
	if swapped, err := u.swap(ctx, state); !swapped || err != nil {
		return false, err
	}
	for entry, err := range w.bucket.List(ctx, storage.WithPrefix(u.prefix)) {
		if err != nil {
			return false, err
		}
		if entry.Key != u.prefix+stateName && entry.Modified.After(newest) {
			return false, nil
		}
	}
	state.Asked, state.Expired = "", true
	return u.swap(ctx, state)
}

// claimed are the IDs of files that uploads in parts are about to become: their
// bytes may be there, and no record yet. A claim is older than its bytes, so that
// none is missed of bytes that were seen before.
func (w *sweep) claimed(ctx context.Context) (map[string]bool, error) {
	var prefixes []string
	for entry, err := range w.bucket.List(ctx, storage.WithPrefix(w.parts)) {
		if err != nil {
			return nil, err
		}
		if of := w.uploadOf(entry.Key); of != "" && strings.TrimPrefix(entry.Key, of) == stateName {
			prefixes = append(prefixes, of)
		}
	}
	states := make([]*partState, len(prefixes))
	errs := parallel.All(len(prefixes), readsAtOnce, func(i int) (err error) {
		u := &partUpload{Store: w.Store, kind: w.kind, prefix: prefixes[i]}
		if states[i], err = u.read(ctx); storage.CodeOf(err) == storage.ObjectNotFound {
			return nil
		}
		return err
	})
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	ids := map[string]bool{}
	for _, state := range states {
		if state != nil && !state.Expired && state.Claim != nil && !state.Claim.Recorded {
			ids[state.Claim.ID] = true
		}
	}
	return ids, nil
}
