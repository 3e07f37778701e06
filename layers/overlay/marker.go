package overlay

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/objectkey"
)

// This is metadata of a marker. Users do not see names that begin with "omnibucket".
const (
	markerName = objectkey.OverlayMarker
	copying    = "copying"                // the object is being copied: readers use the old store
	removed    = objectkey.OverlayRemoved // the object was removed: readers find none
	pairName   = "omnibucketoverlaypair"  // metadata that names both stores; markers of an earlier version lack it
)

// A keyState is the state of a key in the new store: an object, a marker, or nothing.
type keyState struct {
	attrs  *storage.Attrs // attributes of the object or marker; nil if there is nothing
	marker string         // the constant copying or the constant removed; "" if there is no marker
}

func (k keyState) hasObject() bool { return k.attrs != nil && k.marker == "" }

// condition returns the condition of a write that must replace the object or marker of k, or create the
// object if there is none.
func (k keyState) condition() storage.Condition {
	if k.attrs == nil {
		return storage.Condition{Absent: true}
	}
	return storage.Condition{Revision: k.attrs.Revision}
}

// lookup returns the state of a key in the new store.
func (s *stores) lookup(ctx context.Context, key string) (keyState, error) {
	if err := s.checkKey(key); err != nil {
		return keyState{}, err
	}

	attrs, err := s.driver.Head(ctx, &driver.GetRequest{Key: key, Length: -1, Auxiliary: true})
	if errors.Is(err, storage.ObjectNotFound) {
		return keyState{}, nil
	}
	if err != nil {
		return keyState{}, err
	}

	// Do not take a marker of a later version of this package for an object.
	kind := markerOf(attrs)
	return keyState{attrs: attrs, marker: kind}, checkKind(key, kind)
}

// checkKind fails for a marker of a kind that only a later version of this package knows.
func checkKind(key, kind string) error {
	if kind == "" || kind == copying || kind == removed {
		return nil
	}
	return &storage.Error{
		Code: storage.Unsupported,
		Key:  key,
		Err:  fmt.Errorf("a later version of this library has stored a marker of the kind %q", kind),
		Hint: "update this program",
	}
}

// isForeign reports whether a marker was made for another pair of stores. Such a marker comes from
// a bucket that was copied together with its markers. The marker hides the object of the old store
// from readers. But the layer never removes the hidden object, because the marker is not its own.
func (s *stores) isForeign(state keyState) bool {
	pair := state.attrs.Metadata[pairName]
	return pair != "" && pair != s.pair
}

// markerOf returns the kind of marker that an object of the new store is. It returns "" for an
// ordinary object. The size says nothing here: another version of this package may give its markers
// other sizes.
func markerOf(attrs *storage.Attrs) string { return attrs.Metadata[markerName] }

// putMarker stores a marker of the given kind. It returns errAgain if the condition c is not met.
func (s *stores) putMarker(ctx context.Context, key, kind string, c storage.Condition) (keyState, error) {
	metadata := map[string]string{markerName: kind, pairName: s.pair}
	attrs, err := s.putText(ctx, key, objectkey.NewOverlayMarker(key), metadata, c)
	if errors.Is(err, storage.PreconditionFailed) {
		return keyState{}, errAgain
	}
	if err != nil {
		return keyState{}, err
	}
	return keyState{attrs: attrs, marker: kind}, nil
}

// putText stores a small object. It uses the driver instead of a bucket, because keys of the old store
// may break rules of the engine.
func (s *stores) putText(
	ctx context.Context, key, text string, metadata map[string]string, c storage.Condition,
) (*storage.Attrs, error) {
	return s.driver.Put(ctx, &driver.PutRequest{
		Key:        key,
		Body:       strings.NewReader(text),
		Size:       int64(len(text)),
		Condition:  c,
		Properties: storage.Properties{ContentType: "text/plain", Metadata: metadata},
		CRC32C:     storage.CRC32C{Sum: crc32c.Sum([]byte(text)), Known: true},
	})
}

// endMarker removes a marker, unless it was replaced. In a store without conditional removals, the
// marker stays until the next write or copy, or until [RemoveMarkers].
func (s *stores) endMarker(ctx context.Context, key string, state keyState) error {
	if s.desc.Features&storage.ConditionalRemove == 0 {
		return nil
	}
	err := s.driver.Delete(ctx, &driver.DeleteRequest{
		Key:       key,
		Condition: storage.Condition{Revision: state.attrs.Revision},
	})
	if errors.Is(err, storage.PreconditionFailed) || errors.Is(err, storage.ObjectNotFound) {
		return nil
	}
	return err
}
