// Package metadata translates the metadata of objects between users and stores.
//
// A user's names are in lower case, because headers are. A store may keep only ASCII: then other
// values are sent as encoded words of RFC 2047. Names that begin with [Reserved] are the library's
// own, and users do not see them. One of them has the write id, by which the library recognizes an
// object that it has written itself.
package metadata

import (
	"context"
	"slices"
	"strings"

	"github.com/omnibucket/storage/internal/writeid"
)

const (
	// Reserved is the prefix of the library's own names. Users cannot set them, and copies do
	// not keep them.
	Reserved = "omnibucket"
	// WriteIDName has letters only. Ceph RGW before Quincy returns "-" for "_", and nginx
	// drops headers with "_" unless it is told to keep them.
	WriteIDName = writeid.Key
	// WriteIDLength is the length of a write id: 16 random bytes in hexadecimal.
	WriteIDLength = 32

	maxName = 64
)

// oldWriteIDNames are the names that earlier releases used for WriteIDName, and the forms into
// which Ceph RGW changed them. Objects and multipart uploads with them may still be in a store.
var oldWriteIDNames = [...]string{Reserved + "_write_id", Reserved + "-write-id"}

// A Coding says how one store keeps metadata.
type Coding struct {
	ASCII  bool     // values are ASCII only
	Hidden []string // names of the store's own layers
}

// Encode returns a user's metadata in the form for the store, with the write id if there is
// one. The result may be the same map.
func (c Coding) Encode(metadata map[string]string, writeID string) map[string]string {
	if writeID == "" && (len(metadata) == 0 || !c.ASCII) {
		return metadata
	}
	out := make(map[string]string, len(metadata)+1)
	for name, value := range metadata {
		if c.ASCII {
			value = EncodeValue(value)
		}
		out[name] = value
	}
	if writeID != "" {
		out[WriteIDName] = writeID
	}
	return out
}

// Decode returns a store's metadata as the user sees it: in lower case, decoded, and without the
// library's own names, except those that [WithLayers] keeps. It returns nil if there is none.
func (c Coding) Decode(ctx context.Context, stored map[string]string) map[string]string {
	if len(stored) == 0 {
		return nil
	}
	out := make(map[string]string, len(stored))
	for key, value := range stored {
		name := LowerASCII(key)
		if IsReserved(name) && !c.keeps(ctx, name) {
			continue
		}
		if _, twice := out[name]; twice && name != key {
			continue // if two names fold to one, the one in lower case takes precedence
		}
		if c.ASCII {
			value = decodeValue(value)
		}
		out[name] = value
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

type layersKey struct{}

// WithLayers returns a context in which Decode keeps names of the library: see
// driver.WithLayerMetadata.
func WithLayers(ctx context.Context) context.Context {
	return context.WithValue(ctx, layersKey{}, true)
}

func (c Coding) keeps(ctx context.Context, name string) bool {
	return ctx.Value(layersKey{}) != nil && name != WriteIDName && !slices.Contains(oldWriteIDNames[:], name) &&
		!slices.Contains(c.Hidden, name)
}

// HoldsWriteID reports whether stored metadata has this write id.
func HoldsWriteID(stored map[string]string, id string) bool {
	if id == "" {
		return false
	}
	if stored[WriteIDName] == id {
		return true
	}
	return slices.ContainsFunc(oldWriteIDNames[:], func(old string) bool { return stored[old] == id })
}

// HoldsReserved reports whether stored metadata has a name of the library's own.
func HoldsReserved(stored map[string]string) bool {
	for name := range stored {
		if IsReserved(strings.ToLower(name)) {
			return true
		}
	}
	return false
}

// IsReserved reports whether a name in lower case is the library's own.
func IsReserved(name string) bool { return strings.HasPrefix(name, Reserved) }

// ValidName reports whether a name in lower case is a letter and up to 63 letters, digits, "-"
// or "_".
func ValidName(name string) bool {
	return name != "" && len(name) <= maxName && name[0] >= 'a' && name[0] <= 'z' &&
		!strings.ContainsFunc(name, func(c rune) bool {
			return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_'
		})
}

// LowerASCII folds only ASCII letters: U+212A, the kelvin sign, is not a "k".
func LowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}
