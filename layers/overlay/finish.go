package overlay

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/objectkey"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/layers/internal/otherstore"
)

// A Report is the result of [Finish].
type Report struct {
	Copied int64 // objects that were copied
	Bytes  int64 // bytes of the copied objects
	Left   int64 // objects of the old store that could not be copied; the error has the reason
	// Markers is the number of markers that Finish could not remove. A marker is a small object
	// that hides a key while the key is copied or removed. Markers stay if the new store has no
	// conditional removals. Markers also stay if another tool has copied them from another bucket.
	// [RemoveMarkers] removes them.
	Markers int64
	// Tombstones is the number of tombstones in the new store. With [Config.KeepOld], a tombstone
	// hides an object that was removed but is still in the old store. Tombstones stay until
	// [FinishConfig.RemoveTombstones] is used.
	Tombstones int64
	// Ignored is the number of folder markers that stay in the old store. A folder marker is an
	// object without content whose key ends in "/". Some new stores, such as directories, cannot
	// have such keys.
	Ignored int64
}

// A FinishConfig sets up [Finish]. The zero value has the defaults.
type FinishConfig struct {
	// Concurrency is the number of objects that are copied at the same time, by default 16. If it is
	// negative, Finish fails with InvalidArgument.
	Concurrency int
	// Progress, if not nil, is called after each object that was copied or that failed, by one
	// goroutine at a time.
	Progress func(Report)
	// RemoveTombstones removes the tombstones of [Config.KeepOld] from the new store. If Left or
	// Markers of the [Report] is not 0, the tombstones stay. Set RemoveTombstones only when no
	// process uses the layer any more. Readers with the layer would see removed objects again.
	RemoveTombstones bool
}

// Finish copies every object that only the old store has to the new store. Others may read and write
// meanwhile. Finish may be killed and called again, and several processes may call it at the same time.
// Each call copies the objects that are left, and only lists those that were already copied.
//
// The copying is complete when Finish returns nil and Markers is 0. If all writers use the overlay, all
// reads then find their object in the new store. Next, open the bucket with [Config.NewOnly] in all
// processes, and when all have it, without the layer. The old store keeps its objects. With
// [Config.KeepOld], it also keeps the removed objects. The copies are private, even if the objects are
// public.
//
// If another process is copying an object, Finish tries again after one second, two seconds, four
// seconds and so on. It then copies the object itself, because that process may have been killed. A
// request that fails for a temporary reason is repeated up to four times in the same way. If one object
// fails, Finish continues with the others, and its error joins the first ten errors.
//
// A job of package transfer cannot replace Finish. It ignores markers, and could bring back an object
// that was removed.
//
// Finish fails with InvalidArgument if b was not opened with the layer, and with Unsupported if a store
// does not list in byte order.
func Finish(ctx context.Context, b storage.Bucket, c FinishConfig) (Report, error) {
	s, err := storesOf(b, "overlay.Finish")
	if err != nil {
		return Report{}, err
	}
	if c.Concurrency < 0 {
		return Report{}, &storage.Error{
			Code: storage.InvalidArgument,
			Op:   "overlay.Finish",
			Err:  errors.New("the concurrency must not be negative"),
		}
	}

	ctx = driver.WithoutFailover(ctx)
	f := finisher{stores: s, config: c}
	limit := cmp.Or(c.Concurrency, defaultConcurrency)
	err = f.run(ctx, limit)
	f.report.Left += int64(len(f.later))
	if err := errors.Join(append(f.failures, err)...); err != nil {
		return f.report, err
	}

	// While objects are left, their tombstones are still needed.
	isComplete := f.report.Left == 0 && f.report.Markers == 0
	if c.RemoveTombstones && isComplete {
		f.report.Tombstones, err = s.removeTombstones(ctx)
	} else {
		f.report.Tombstones, err = s.countTombstones(ctx)
	}
	return f.report, err
}

// run finishes all keys, at most limit at the same time. It then tries those in f.later again, after
// longer and longer waits, until there are none.
func (f *finisher) run(ctx context.Context, limit int) error {
	if err := running.Stream(ctx, f.stores.leftovers(ctx), limit, f.finishKey); err != nil {
		return err
	}

	for wait := time.Second; len(f.later) > 0; wait *= 2 {
		if err := running.Sleep(ctx, wait); err != nil {
			return err
		}
		leftovers := f.later
		f.later = nil
		f.round++

		finish := func(ctx context.Context, i int) error { return f.finishKey(ctx, leftovers[i]) }
		if err := running.Each(ctx, len(leftovers), limit, finish); err != nil {
			return err
		}
	}
	return nil
}

// RemoveMarkers removes all markers that [Finish] has left, and returns their number. Call it after
// Finish, while no writer uses the bucket, because it removes markers without a condition, so that a
// concurrent write would be lost.
//
// A marker that was copied from another bucket may hide an object of the old store, which readers see
// again when the marker is removed. So call Finish once more after RemoveMarkers, to copy the objects
// that were hidden.
//
// RemoveMarkers fails with InvalidArgument if b was not opened with the layer.
func RemoveMarkers(ctx context.Context, b storage.Bucket) (removedNow int64, err error) {
	s, err := storesOf(b, "overlay.RemoveMarkers")
	if err != nil {
		return 0, err
	}

	ctx = driver.WithoutFailover(ctx)
	for l, err := range s.leftovers(ctx) {
		if err != nil {
			return removedNow, err
		}
		state, err := s.stateOf(ctx, l)
		if err != nil {
			return removedNow, err
		}

		isMarker := state.marker != ""
		willBeCopied := l.inOld && state.marker == copying // by the next Finish, which ends the marker
		if !isMarker || willBeCopied {
			continue
		}
		if err := s.removeMarker(ctx, l, state); err != nil {
			return removedNow, err
		}
		removedNow++
	}
	return removedNow, nil
}

// removeMarker removes the marker of a leftover and, if the marker says that the object was removed, the
// object in the old store.
func (s *stores) removeMarker(ctx context.Context, l leftover, state keyState) error {
	// A foreign marker, which was copied from another bucket, says nothing about the old store's object.
	if l.inOld && state.marker == removed && !s.isForeign(state) {
		if err := s.removeOld(ctx, l.key); err != nil {
			return err
		}
	}
	return s.new.Remove(ctx, l.key)
}

// Left returns how many objects only the old store has, including those that [Finish] ignores. It fails
// with InvalidArgument if b was not opened with the layer.
func Left(ctx context.Context, b storage.Bucket) (objects int64, err error) {
	s, err := storesOf(b, "overlay.Left")
	if err != nil {
		return 0, err
	}

	ctx = driver.WithoutFailover(ctx)
	for l, err := range s.leftovers(ctx) {
		if err != nil {
			return objects, err
		}
		state, err := s.stateOf(ctx, l)
		if err != nil {
			return objects, err
		}
		// A marker may say that the object was removed, although the old store still has it.
		isOnlyInOld := l.inOld && !state.hasObject() && state.marker != removed
		if isOnlyInOld {
			objects++
		}
	}
	return objects, nil
}

// stateOf returns what the new store has under the key of a leftover: an object, a marker or nothing. It
// sends no request if the listing of the new store lacked the key.
func (s *stores) stateOf(ctx context.Context, l leftover) (keyState, error) {
	if !l.inNew {
		return keyState{}, nil
	}
	return s.lookup(ctx, l.key)
}

// storesOf returns the two stores of a bucket that was opened with the layer. op names the caller in
// the error.
func storesOf(b storage.Bucket, op string) (*stores, error) {
	if d, ok := storage.As[*objectDriver](b); ok {
		return d.stores, nil
	}
	return nil, &storage.Error{
		Code: storage.InvalidArgument,
		Op:   op,
		Err:  errors.New("b must be a bucket that was opened with the layer, and no folder of it"),
	}
}

const (
	defaultConcurrency = 16
	// maxLater is the largest number of keys that Finish remembers in order to try them again.
	maxLater = 10_000
	// maxRetries is how often Finish tries a key again after a temporary error.
	maxRetries = 4
	// maxExplained is the number of failures whose errors Finish joins.
	maxExplained = 10
)

// A finisher has the state of one call of [Finish].
type finisher struct {
	stores *stores
	config FinishConfig
	round  int

	mu       sync.Mutex
	report   Report
	failures []error
	later    []leftover // keys to try in the next round
}

// finishKey copies an object, or completes a copy or removal that a killed process has begun. It
// returns an error only if the job must end.
func (f *finisher) finishKey(ctx context.Context, l leftover) error {
	// A process that is still copying the object in a later round was perhaps killed, so its copy is taken
	// over.
	takeOver := f.round > 0
	attrs, err := f.stores.copyOld(ctx, l.key, takeOver)
	if errors.Is(err, storage.ObjectNotFound) {
		return f.finishRemoved(ctx, l)
	}
	if err != nil {
		return f.handleFailure(ctx, l, err)
	}
	if attrs == nil {
		// There was nothing to copy.
		return nil
	}

	f.mu.Lock()
	defer f.mu.Unlock()
	f.report.Copied++
	f.report.Bytes += attrs.Size
	f.announce()
	return nil
}

// finishRemoved is finishKey for a key whose object was removed. If the new store still has a marker under the
// key, finishRemoved counts the marker in the report.
func (f *finisher) finishRemoved(ctx context.Context, l leftover) error {
	state, err := f.stores.stateOf(ctx, l)
	if err != nil {
		return f.handleFailure(ctx, l, err)
	}
	if state.marker == "" {
		return nil
	}

	f.mu.Lock()
	defer f.mu.Unlock()
	f.report.Markers++
	return nil
}

// handleFailure puts a key that has failed with err into f.later, or counts it in the report. If ctx has ended, it
// returns err instead, because the job must end.
func (f *finisher) handleFailure(ctx context.Context, l leftover, err error) error {
	if ctx.Err() != nil {
		return err
	}

	f.mu.Lock()
	defer f.mu.Unlock()
	isBeingCopied := errors.Is(err, errAgain) // by another process
	mayRetry := isBeingCopied || storage.IsTemporary(err) && f.round < maxRetries
	if mayRetry && len(f.later) < maxLater {
		f.later = append(f.later, l)
		return nil
	}

	// A folder marker, which is empty, may stay in the old store if the new store cannot have it.
	if otherstore.MayLeaveOut(l.key, l.size, err) {
		f.report.Ignored++
		return nil
	}

	f.report.Left++
	if len(f.failures) < maxExplained {
		f.failures = append(f.failures, err)
	}
	f.announce()
	return nil
}

// announce calls the function Progress, if there is one. The caller holds f.mu.
func (f *finisher) announce() {
	if f.config.Progress != nil {
		f.config.Progress(f.report)
	}
}

// A leftover is a key that only the old store has, or that may have a marker in the new store.
type leftover struct {
	key  string
	size int64 // size in the old store
	// inOld and inNew report which store has the key. If inNew is true, the object in the new store
	// has the size of a marker.
	inOld, inNew bool
}

// leftovers yields each key that only the old store has, and each key that may have a marker in the new
// store.
func (s *stores) leftovers(ctx context.Context) iter.Seq2[leftover, error] {
	return func(yield func(leftover, error) bool) {
		ofNew := newCursor(otherstore.Without(s.new.List(ctx), s.isTombstone))
		defer ofNew.stop()
		ofOld := newCursor(s.oldEntries(ctx, ""))
		defer ofOld.stop()

		for ofNew.hasMore || ofOld.hasMore {
			if err := cmp.Or(ofNew.err, ofOld.err); err != nil {
				yield(leftover{}, err)
				return
			}

			// An object in the new store that does not have the size of a marker is no marker, so nothing is left of the key.
			l := firstLeftover(ofNew, ofOld)
			isFinished := l.inNew && !objectkey.HasOverlayMarkerSize(ofNew.entry.Key, ofNew.entry.Size)
			if !isFinished && !yield(l, nil) {
				return
			}

			// Go to the next key in each store that has this one.
			if l.inNew {
				ofNew.advance()
			}
			if l.inOld {
				ofOld.advance()
			}
		}
	}
}

// firstLeftover returns the leftover of the smaller key of two cursors, or of an equal key from both.
func firstLeftover(ofNew, ofOld *cursor) leftover {
	l := leftover{inNew: ofNew.isAtFirstKey(ofOld), inOld: ofOld.isAtFirstKey(ofNew)}
	if l.inNew {
		l.key = ofNew.entry.Key
	}
	if l.inOld {
		l.key = ofOld.entry.Key
		l.size = ofOld.entry.Size
	}
	return l
}
