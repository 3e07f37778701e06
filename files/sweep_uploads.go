package files

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/parallel"
)

// uploads removes uploads in parts that were idle for ttl.
func (w *sweep) uploads(ctx context.Context, ttl time.Duration) error {
	var errs []error
	for one, err := range w.allUploads(ctx) {
		switch {
		case err != nil:
			return errors.Join(append(errs, err)...)
		case len(errs) >= maxFailures:
			return errors.Join(errs...)
		case one.idle < ttl:
			continue
		}
		gone, err := w.removeUpload(ctx, one.prefix, one.newest)
		if err != nil {
			errs = append(errs, err)
		} else if gone {
			w.report.Uploads++
		}
	}
	return errors.Join(errs...)
}

// removeUpload removes an upload with nothing newer than newest: the parts first,
// then the state. It returns false if a call continues the upload after all. Once the
// state is Expired, a call with the token starts another upload with other keys,
// whether or not this removal completes.
func (w *sweep) removeUpload(ctx context.Context, upload string, newest time.Time) (bool, error) {
	u := &partUpload{store: w.store, kind: w.kind, prefix: upload}
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
	_, inBucket := w.store.states.(bucketStates)
	old := func(e storage.ListEntry) bool {
		return (e.Key != u.stateKey() || !inBucket) && !e.Modified.After(newest)
	}
	if _, err := storage.RemoveMatching(ctx, w.store.bucket, old, storage.WithPrefix(upload)); err != nil {
		return false, err
	}
	if state == nil {
		return true, nil
	}
	err = u.store.states.RemovePartState(ctx, u.stateKey(), state.revision)
	return err == nil, err
}

// expire asks whether any call still uses the upload, and otherwise marks it as
// expired. A call that finished before the question has left a newer part. A call
// that finishes later has answered the question.
func (w *sweep) expire(ctx context.Context, u *partUpload, state *partState, newest time.Time) (bool, error) {
	state.Asked = rand.Text()
	if swapped, err := u.swap(ctx, state); !swapped || err != nil {
		return false, err
	}
	for entry, err := range w.store.bucket.List(ctx, storage.WithPrefix(u.prefix)) {
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
	for one, err := range w.allUploads(ctx) {
		if err != nil {
			return nil, err
		}
		if one.hasState {
			prefixes = append(prefixes, one.prefix)
		}
	}
	states := make([]*partState, len(prefixes))
	errs := parallel.All(len(prefixes), readConcurrency, func(i int) (err error) {
		u := &partUpload{store: w.store, kind: w.kind, prefix: prefixes[i]}
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
