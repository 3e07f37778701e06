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

// uploads removes uploads in parts that were idle for ttl.
func (w *sweep) uploads(ctx context.Context, ttl time.Duration) error {
	var errs []error
	upload, newest := "", time.Time{}
	end := func() {
		if upload == "" || w.now.Sub(newest) < ttl {
			return
		}
		gone, err := w.removeUpload(ctx, upload, newest)
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

// removeUpload removes an upload with nothing newer than newest: the parts first,
// then the state. It returns false if a call continues the upload after all. Once the
// state is Expired, a call with the token starts another upload with other keys,
// whether or not this removal completes.
func (w *sweep) removeUpload(ctx context.Context, upload string, newest time.Time) (bool, error) {
	u := &partUpload{Store: w.Store, kind: w.kind, prefix: upload}
	state, err := u.read(ctx)
	switch {
	case storage.CodeOf(err) == storage.ObjectNotFound:
		state = nil // of parts that came after it had expired
	case err != nil:
		return false, err
	case state.Expired || state.Claim != nil && state.Claim.Recorded: // no call continues it
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
	err = u.removeState(ctx, state.revision)
	return err == nil, err
}

// removeState removes the state unless another upload has started since it was read.
// If the store has no such condition, it checks first, and an upload that starts
// between the two requests loses its state. A part in progress then fails with
// NotFound, and parts that were stored by then must be sent again.
func (u *partUpload) removeState(ctx context.Context, revision string) error {
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

// expire asks whether any call still uses the upload, and otherwise marks it as
// expired. A call that finished before the question has left a newer part. A call
// that finishes later has answered the question.
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

// claimed returns the IDs of files that uploads in parts are about to become: their
// bytes may exist without a record. A claim is older than its bytes, so no bytes that
// were listed before are missed.
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
	errs := parallel.All(len(prefixes), readConcurrency, func(i int) (err error) {
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
