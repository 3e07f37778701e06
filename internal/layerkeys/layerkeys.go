// Package layerkeys says which objects of a bucket belong to layers. Jobs leave them out, and so do programs that
// show a bucket to people, because such objects have a meaning only in the place in which they were written.
package layerkeys

import (
	"crypto/rand"
	"strings"

	"github.com/omnibucket/storage/internal/crc32c"
)

// Mirror begins the keys of a mirror's notes, and Overlay begins the keys of an overlay's tombstones. MirrorClock
// is the key by which a mirror reads the clock of its second store.
const (
	Mirror      = ".omnibucket-mirror/"
	MirrorClock = ".omnibucket-mirror-clock"
	Overlay     = ".omnibucket-overlay/"
)

// Is reports whether a key, or a common prefix of keys, belongs to a layer.
func Is(key string) bool {
	return strings.HasPrefix(key, Mirror) || strings.HasPrefix(key, Overlay) || key == MirrorClock
}

// Hides reports whether a listing of the keys with prefix leaves out key: it does if key belongs to a layer, unless
// prefix itself names the keys of that layer.
func Hides(key, prefix string) bool { return Is(key) && !Is(prefix) }

// MarkerName is the name of the metadata of an overlay's marker. The marker has the key of the object that it moves or
// removes.
const MarkerName = "omnibucketoverlay"

// RemovedMarker is the value of MarkerName in a marker that says that there is no object.
const RemovedMarker = "removed"

// NewMarker returns the body of the marker of a key. Each body is different, so that no two markers
// have the same ETag.
func NewMarker(key string) string {
	text := "An overlay moves or removes this object now. " + rand.Text()
	return text + strings.Repeat(" ", int(MarkerSize(key))-len(text)-1) + "\n"
}

const (
	leastMarker = 72
	markerSizes = 1024
)

// MarkerSize returns the size of the marker of a key, by which a listing finds entries that may be markers. The size
// depends on the key: among a thousand objects of any one size, about one has the size of its marker, and needs a
// further request.
func MarkerSize(key string) int64 { return leastMarker + int64(crc32c.Sum([]byte(key))%markerSizes) }
