package overlay

import (
	"context"
	"errors"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/layerkeys"
)

// Metadata of a marker. Users see no names that begin with "omnibucket".
const (
	markerName = layerkeys.MarkerName
	copying    = "copying"               // readers look in the old store
	removed    = layerkeys.RemovedMarker // there is no object
	pairName   = "omnibucketoverlaypair" // names the stores of the marker; markers of an earlier version lack it
)

// A place is the state of a key in the new store.
type place struct {
	attrs  *storage.Attrs // attributes of an object or a marker; nil if there is none
	marker string         // copying, removed, or "" if the place has an object
}

func (p place) hasObject() bool { return p.attrs != nil && p.marker == "" }

// condition returns what must hold for a write that replaces a marker or creates the object.
func (p place) condition() storage.Condition {
	if p.attrs == nil {
		return storage.Condition{Absent: true}
	}
	return storage.Condition{Revision: p.attrs.Revision}
}

// look returns what the new store has.
func (s *stores) look(ctx context.Context, key string) (place, error) {
	if err := s.reserved(key); err != nil {
		return place{}, err
	}
	attrs, err := s.driver.Head(ctx, &driver.GetRequest{Key: key, Length: -1, Auxiliary: true})
	switch {
	case errors.Is(err, storage.ObjectNotFound):
		return place{}, nil
	case err != nil:
		return place{}, err
	}
	return place{attrs, markerOf(key, attrs)}, nil
}

// isForeign reports whether a marker was made in another new store, or above another old one. Such a marker came
// with a copy of its bucket: it hides the old store's object, but nothing is removed because of it.
func (s *stores) isForeign(p place) bool {
	pair := p.attrs.Metadata[pairName]
	return pair != "" && pair != s.pair
}

// markerOf returns what kind of marker an object of the new store is, or "".
func markerOf(key string, attrs *storage.Attrs) string {
	if attrs.Size != layerkeys.MarkerSize(key) {
		return ""
	}
	return attrs.Metadata[markerName]
}

// putMarker stores a marker. If c does not hold, it returns errAgain.
func (s *stores) putMarker(ctx context.Context, key, kind string, c storage.Condition) (place, error) {
	metadata := map[string]string{markerName: kind, pairName: s.pair}
	attrs, err := s.putText(ctx, key, layerkeys.NewMarker(key), metadata, c)
	switch {
	case errors.Is(err, storage.PreconditionFailed):
		return place{}, errAgain
	case err != nil:
		return place{}, err
	}
	return place{attrs, kind}, nil
}

// putText stores a small object by the driver: and not by a bucket, because keys of the old store
// may break rules of the core.
func (s *stores) putText(
	ctx context.Context, key, text string, metadata map[string]string, c storage.Condition,
) (*storage.Attrs, error) {
	return s.driver.Put(ctx, &driver.PutRequest{
		Key: key, Body: strings.NewReader(text), Size: int64(len(text)), Condition: c,
		Properties: storage.Properties{ContentType: "text/plain", Metadata: metadata},
		CRC32C:     storage.CRC32C{Sum: crc32c.Sum([]byte(text)), Known: true},
	})
}

// endMarker removes a marker if it is still there. A store that cannot remove by a condition keeps it
// until the next write or copy, or [RemoveMarkers].
func (s *stores) endMarker(ctx context.Context, key string, p place) error {
	if s.desc.Features&storage.ConditionalRemove == 0 {
		return nil
	}
	err := s.driver.Delete(
		ctx, &driver.DeleteRequest{Key: key, Condition: storage.Condition{Revision: p.attrs.Revision}},
	)
	if errors.Is(err, storage.PreconditionFailed) || errors.Is(err, storage.ObjectNotFound) {
		return nil
	}
	return err
}
