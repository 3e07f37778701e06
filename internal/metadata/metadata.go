// Package metadata has the rules of what is stored beside the content of an object: its metadata, tags and retention.
// It converts metadata between the form that users see and the form that a store keeps.
//
// Names are in lower case, because HTTP headers do not distinguish case. If a store keeps only
// ASCII, a value with other characters is encoded as words of RFC 2047. Names that begin with
// [Reserved] belong to the library, and users do not see them. One of these names holds the write
// id, by which the library recognizes an object that it has written itself.
package metadata

import (
	"context"
	"slices"
	"strings"
)

const (
	// Reserved is the prefix of the names that belong to the library. Users cannot set such names,
	// and copies do not keep them.
	Reserved = "omnibucket"
	// WriteIDName is the name under which the write id is stored. It has only letters: Ceph RGW
	// before Quincy changes "_" to "-", and nginx drops headers with "_" by default.
	WriteIDName = "omnibucketwriteid"
	// WriteIDLength is the length of a write id: 16 random bytes as hexadecimal digits.
	WriteIDLength = 32

	maxName = 64
)

// oldWriteIDNames are the names that earlier releases used for WriteIDName, and the forms into
// which Ceph RGW changed them. Objects and multipart uploads with them may still be in a store.
var oldWriteIDNames = [...]string{Reserved + "_write_id", Reserved + "-write-id"}

// A Coding describes how one store keeps metadata.
type Coding struct {
	ASCII  bool     // true if the store accepts only ASCII values
	Hidden []string // names that the store uses itself, and that users do not see
}

// Encode converts a user's metadata to the form for the store, and adds the write id if there is
// one. The result may be the given map.
func (c Coding) Encode(metadata map[string]string, writeID string) map[string]string {
	if writeID == "" && (len(metadata) == 0 || !c.ASCII) {
		return metadata
	}

	result := make(map[string]string, len(metadata)+1)
	for name, value := range metadata {
		if c.ASCII {
			value = EncodeValue(value)
		}
		result[name] = value
	}
	if writeID != "" {
		result[WriteIDName] = writeID
	}
	return result
}

// Decode converts a store's metadata to the form that the user sees, with names in lower case and
// decoded values. It leaves out the names of the library, except those that [WithLayers] keeps, and
// returns nil if nothing is left.
func (c Coding) Decode(ctx context.Context, values map[string]string) map[string]string {
	if len(values) == 0 {
		return nil
	}

	result := make(map[string]string, len(values))
	for key, value := range values {
		name := lowerASCII(key)
		if isReserved(name) && !c.keeps(ctx, name) {
			continue
		}

		// If two names differ only in case, the value of the lower-case name is used.
		isLowerCase := name == key
		_, isDuplicate := result[name]
		if isDuplicate && !isLowerCase {
			continue
		}
		if c.ASCII {
			value = decodeValue(value)
		}
		result[name] = value
	}
	if len(result) == 0 {
		return nil
	}
	return result
}

type layersKey struct{}

// WithLayers returns a context in which Decode also returns the names that layers of the library
// use. It implements driver.WithLayerMetadata.
func WithLayers(ctx context.Context) context.Context {
	return context.WithValue(ctx, layersKey{}, true)
}

func (c Coding) keeps(ctx context.Context, name string) bool {
	return ctx.Value(layersKey{}) != nil && name != WriteIDName && !slices.Contains(oldWriteIDNames[:], name) &&
		!slices.Contains(c.Hidden, name)
}

// HoldsWriteID reports whether stored metadata contains the given write id, which says that the
// write with that id made the object.
func HoldsWriteID(values map[string]string, id string) bool {
	if id == "" {
		return false
	}
	if values[WriteIDName] == id {
		return true
	}
	return slices.ContainsFunc(oldWriteIDNames[:], func(old string) bool { return values[old] == id })
}

// HoldsReserved reports whether stored metadata has a name that belongs to the library.
func HoldsReserved(values map[string]string) bool {
	for name := range values {
		if isReserved(strings.ToLower(name)) {
			return true
		}
	}
	return false
}

// isReserved reports whether name belongs to the library. name must be in lower case.
func isReserved(name string) bool { return strings.HasPrefix(name, Reserved) }

// validName reports whether name is a valid name of metadata, which is a lower-case letter followed
// by up to 63 lower-case letters, digits, "-" or "_".
func validName(name string) bool {
	if name == "" || len(name) > maxName {
		return false
	}
	for i, c := range []byte(name) {
		isLetter := c >= 'a' && c <= 'z'
		if isLetter {
			continue
		}
		isAllowed := c >= '0' && c <= '9' || c == '-' || c == '_'
		if i == 0 || !isAllowed {
			return false
		}
	}
	return true
}

// lowerASCII changes only ASCII letters to lower case. strings.ToLower would also change U+212A,
// the kelvin sign, to "k".
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}
