package objectkey

import (
	"crypto/rand"
	"strings"

	"github.com/omnibucket/storage/internal/crc32c"
)

// A mirror stores notes about its two stores under keys that begin with MirrorPrefix. It stores an object
// with the key MirrorClock to read the clock of its second store. An overlay marks removed objects
// (tombstones) under keys that begin with OverlayPrefix.
const (
	MirrorPrefix  = ".omnibucket-mirror/"
	MirrorClock   = ".omnibucket-mirror-clock"
	OverlayPrefix = ".omnibucket-overlay/"
)

// IsOfLayer reports whether key, which may be a common prefix, belongs to an object of a layer.
func IsOfLayer(key string) bool {
	return strings.HasPrefix(key, MirrorPrefix) || strings.HasPrefix(key, OverlayPrefix) || key == MirrorClock
}

// Hides reports whether a listing of prefix leaves out key. It leaves out the keys of layers (see
// [IsOfLayer]). If prefix itself is the beginning of such keys, the listing shows them.
func Hides(key, prefix string) bool { return IsOfLayer(key) && !IsOfLayer(prefix) }

// OverlayMarker is the name of the metadata that identifies the marker of an overlay. An overlay
// stores a marker in place of an object while it moves or removes that object.
const OverlayMarker = "omnibucketoverlay"

// OverlayRemoved is the value of the metadata OverlayMarker if the marked object does not exist.
const OverlayRemoved = "removed"

// NewOverlayMarker returns a body for the marker of key. Each body is different, so that two markers never
// have the same ETag.
func NewOverlayMarker(key string) string {
	text := "An overlay moves or removes this object now. " + rand.Text()
	return text + strings.Repeat(" ", int(OverlayMarkerSize(key))-len(text)-1) + "\n"
}

const (
	leastMarker  = 72
	markerSizes  = 1024
	formerMarker = 72 // the size of each marker in the first stored form, whatever its key is
)

// OverlayMarkerSize returns the size in bytes of the marker of key.
func OverlayMarkerSize(key string) int64 {
	return leastMarker + int64(crc32c.SumString(key)%markerSizes)
}

// HasOverlayMarkerSize reports whether size is the size of a marker of key, in one of the forms in
// which markers were ever stored. An object of another size cannot be its marker, and for one of
// this size, the caller must request the metadata to be certain. Few requests are necessary,
// because there are 1,024 sizes of markers, of which key determines one. In the first form, each
// marker had 72 bytes, and an object of this size costs a request.
func HasOverlayMarkerSize(key string, size int64) bool {
	if size < leastMarker || size >= leastMarker+markerSizes {
		return false
	}
	return size == formerMarker || size == OverlayMarkerSize(key)
}
