package overlay

import (
	"context"
	"errors"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// A Report says what [Finish] did.
type Report struct {
	Copied int64 // objects
	Bytes  int64 // of the copied objects
	Left   int64 // objects of the old store that could not be copied: the error says why
	// Markers are small objects that are in the way, and that the new store cannot remove by a condition:
	// [RemoveMarkers] does. It is 0 if the store has [storage.ConditionalRemove].
	Markers int64
}

// atOnce is the number of objects that Finish copies together.
const atOnce = 16

// Finish copies every object that only the old store has to the new one, while others read and
// write. It may be called again, also after it was killed, and by several processes: each copies what is left.
// When it returns nil and no Markers, all reads find their object in the new store, if no writer
// bypasses the overlay. Then open the new store without the layer. The old store keeps its objects.
//
// A failure of one object does not end it: the error joins the first ten.
//
// InvalidArgument: b was not opened with the layer. Unsupported: a store does not list in byte order.
func Finish(ctx context.Context, b storage.Bucket) (Report, error) {
	s, err := storesOf(b, "overlay.Finish")
	if err != nil {
		return Report{}, err
	}
	f := finisher{stores: s}
	keys := make(chan leftover)
	var workers sync.WaitGroup
	for range atOnce {
		workers.Go(func() {
			for l := range keys {
				f.end(ctx, l)
			}
		})
	}
	err = s.left(ctx, func(l leftover) error { keys <- l; return nil })
	close(keys)
	workers.Wait()
	return Report{f.copied.Load(), f.bytes.Load(), f.failed.Load(), f.markers.Load()}, errors.Join(append(f.failures, err)...)
}

// RemoveMarkers removes the markers that are left, without a condition, and returns how many. Call it
// after [Finish] while no writer uses the bucket: a write at the same moment would be lost.
//
// InvalidArgument: b was not opened with the layer.
func RemoveMarkers(ctx context.Context, b storage.Bucket) (removedNow int64, err error) {
	s, err := storesOf(b, "overlay.RemoveMarkers")
	if err != nil {
		return 0, err
	}
	err = s.left(ctx, func(l leftover) error {
		if l.place.attrs == nil || l.inOld && l.place.marker == copying {
			return nil
		}
		if l.inOld {
			if err := s.old.Remove(ctx, l.key); err != nil {
				return err
			}
		}
		removedNow++
		return s.driver.Delete(ctx, &driver.DeleteRequest{Key: l.key})
	})
	return removedNow, err
}

// Left returns how many objects only the old store has.
//
// InvalidArgument: b was not opened with the layer.
func Left(ctx context.Context, b storage.Bucket) (objects int64, err error) {
	s, err := storesOf(b, "overlay.Left")
	if err != nil {
		return 0, err
	}
	err = s.left(ctx, func(l leftover) error {
		if l.inOld && l.place.marker != removed {
			objects++
		}
		return nil
	})
	return objects, err
}

func storesOf(b storage.Bucket, op string) (*stores, error) {
	if d, ok := storage.As[*objectDriver](b); ok {
		return d.stores, nil
	}
	return nil, &storage.Error{Code: storage.InvalidArgument, Op: op, Err: errors.New("b must be a bucket that was opened with the layer, and no folder of it")}
}

// A finisher copies objects in several goroutines.
type finisher struct {
	stores *stores

	copied, bytes, failed, markers atomic.Int64

	mu       sync.Mutex
	failures []error
}

// end copies an object, or ends what a process that was killed has begun.
func (f *finisher) end(ctx context.Context, l leftover) {
	var attrs *storage.Attrs
	var err error
	switch {
	case l.place.marker == removed:
		err = f.stores.endRemoval(ctx, l.key, l.place)
	case l.inOld:
		attrs, err = f.stores.copyOld(ctx, l.key)
	case l.place.attrs != nil:
		err = f.stores.endMarker(ctx, l.key, l.place)
	}
	if l.place.attrs != nil && (l.place.marker == removed || !l.inOld) && f.stores.desc.Features&storage.ConditionalRemove == 0 {
		f.markers.Add(1)
	}
	switch {
	case errors.Is(err, storage.ObjectNotFound): // it was removed meanwhile
	case err != nil:
		f.fail(err)
	case attrs != nil:
		f.copied.Add(1)
		f.bytes.Add(attrs.Size)
	}
}

func (f *finisher) fail(err error) {
	f.failed.Add(1)
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.failures) < 10 {
		f.failures = append(f.failures, err)
	}
}

// A leftover is a key of which the new store has no object.
type leftover struct {
	place place
	key   string
	inOld bool
}

// left calls found with each key that the old store has and the new one not, and with each marker.
func (s *stores) left(ctx context.Context, found func(leftover) error) error {
	next, stop := iter.Pull2(s.new.List(ctx))
	defer stop()
	ofNew, err, more := next()
	passMarkers := func(before string, all bool) error { // of keys that the old store does not have
		for more && err == nil && (all || ofNew.Key < before) {
			if err := s.pass(ctx, ofNew, false, found); err != nil {
				return err
			}
			ofNew, err, more = next()
		}
		return err
	}
	for ofOld, failed := range s.old.List(ctx) {
		if failed != nil {
			return failed
		}
		if err := passMarkers(ofOld.Key, false); err != nil {
			return err
		}
		var failed error
		if more && ofNew.Key == ofOld.Key {
			failed = s.pass(ctx, ofNew, true, found)
			ofNew, err, more = next()
		} else {
			failed = found(leftover{key: ofOld.Key, inOld: true})
		}
		if failed != nil {
			return failed
		}
	}
	return passMarkers("", true)
}

// pass calls found if an entry of the new store is a marker.
func (s *stores) pass(ctx context.Context, e storage.ListEntry, inOld bool, found func(leftover) error) error {
	if e.Size != markerSize {
		return nil
	}
	p, err := s.look(ctx, e.Key)
	if err != nil || p.hasObject() {
		return err
	}
	return found(leftover{p, e.Key, inOld})
}
