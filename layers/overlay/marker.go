package overlay

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/crc32c"
)

// The metadata of a marker. Users see no names that begin with "omnibucket".
const (
	markerName = "omnibucketoverlay"
	copying    = "copying" // readers look in the old store
	removed    = "removed" // there is no object
)

// newMarker returns the body of the marker of a key. Each is another one, so that no two have one ETag.
func newMarker(key string) string {
	text := "An overlay moves or removes this object now. " + rand.Text()
	return text + strings.Repeat(" ", int(markerSize(key))-len(text)-1) + "\n"
}

const (
	leastMarker = 72
	markerSizes = 1024
)

// markerSize returns the bytes of the marker of a key, by which a listing finds what may be one. They depend on the key:
// of a thousand objects of one size, whatever it is, about one has that of its marker, and needs another request.
func markerSize(key string) int64 { return leastMarker + int64(crc32c.Sum([]byte(key))%markerSizes) }

// A place is what the new store has of a key.
type place struct {
	attrs  *storage.Attrs // of an object or a marker; nil if there is none
	marker string         // copying, removed, or "" if attrs are of an object
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

// markerOf returns what kind of marker an object of the new store is, or "".
func markerOf(key string, attrs *storage.Attrs) string {
	if attrs.Size != markerSize(key) {
		return ""
	}
	return attrs.Metadata[markerName]
}

// putMarker stores a marker. If c does not hold, it returns errAgain.
func (s *stores) putMarker(ctx context.Context, key, kind string, c storage.Condition) (place, error) {
	attrs, err := s.putText(ctx, key, newMarker(key), map[string]string{markerName: kind}, c)
	switch {
	case errors.Is(err, storage.PreconditionFailed):
		return place{}, errAgain
	case err != nil:
		return place{}, err
	}
	return place{attrs, kind}, nil
}

// putText stores a small object by the driver: keys of the old store may break rules of the core.
func (s *stores) putText(ctx context.Context, key, text string, metadata map[string]string, c storage.Condition) (*storage.Attrs, error) {
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
	err := s.driver.Delete(ctx, &driver.DeleteRequest{Key: key, Condition: storage.Condition{Revision: p.attrs.Revision}})
	if errors.Is(err, storage.PreconditionFailed) || errors.Is(err, storage.ObjectNotFound) {
		return nil
	}
	return err
}
