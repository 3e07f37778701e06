package files

import (
	"context"
	"iter"
	"strings"
	"time"

	"github.com/omnibucket/storage"
)

// A listedUpload is an upload in parts as a listing shows it.
type listedUpload struct {
	prefix   string
	newest   time.Time     // of its objects, by the store's clock; zero: it has none
	idle     time.Duration // since its last part or state was stored
	hasState bool
}

// allUploads returns the uploads in parts by ascending prefix. If the states are not in
// the bucket, both listings are merged.
func (w *sweep) allUploads(ctx context.Context) iter.Seq2[listedUpload, error] {
	states, beside := w.store.states.(PartStates)
	if !beside {
		return w.uploadsInBucket(ctx)
	}
	return func(yield func(listedUpload, error) bool) {
		next, stop := iter.Pull2(w.listStates(ctx, states))
		defer stop()
		state, err, more := next()
		for one, failure := range w.uploadsInBucket(ctx) {
			for ; failure == nil && more && err == nil && state.prefix < one.prefix; state, err, more = next() {
				if !yield(state, nil) {
					return
				}
			}
			if failure == nil && err != nil {
				failure = err // it is not known what else has a state
			}
			if failure != nil {
				yield(listedUpload{}, failure)
				return
			}
			if one.hasState = more && state.prefix == one.prefix; one.hasState {
				one.idle = min(one.idle, state.idle)
				state, err, more = next()
			}
			if !yield(one, nil) {
				return
			}
		}
		for more && yield(state, err) && err == nil {
			state, err, more = next()
		}
	}
}

// uploadsInBucket returns the uploads that have an object. A state in the bucket counts
// as one, whether or not it is in use.
func (w *sweep) uploadsInBucket(ctx context.Context) iter.Seq2[listedUpload, error] {
	return func(yield func(listedUpload, error) bool) {
		var one listedUpload
		for entry, err := range w.store.bucket.List(ctx, storage.WithPrefix(w.kind.parts)) {
			if err != nil {
				yield(listedUpload{}, err)
				return
			}
			of := w.kind.uploadOf(entry.Key)
			if of != one.prefix {
				if one.prefix != "" && !yield(one, nil) {
					return
				}
				one = listedUpload{prefix: of}
			}
			if entry.Modified.After(one.newest) {
				one.newest, one.idle = entry.Modified, w.now.Sub(entry.Modified)
			}
			one.hasState = one.hasState || entry.Key == of+stateName
		}
		if one.prefix != "" {
			yield(one, nil)
		}
	}
}

// listStates returns the uploads that have a state beside the bucket.
func (w *sweep) listStates(ctx context.Context, states PartStates) iter.Seq2[listedUpload, error] {
	return func(yield func(listedUpload, error) bool) {
		for after := w.kind.parts; after != ""; {
			found, next, err := states.ListPartStates(ctx, after, maxPage)
			if err != nil {
				yield(listedUpload{}, err)
				return
			}
			for _, state := range found {
				of := w.kind.uploadOf(state.Key)
				switch {
				case !strings.HasPrefix(state.Key, w.kind.parts):
					return
				case of == "" || state.Key != of+stateName: // this package did not write it
				case !yield(listedUpload{prefix: of, idle: state.Idle, hasState: true}, nil):
					return
				}
			}
			after = next
		}
	}
}
