package httpheader

import (
	"net/http"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/crc32c"
)

// Optional returns a pointer to value for an optional field of an SDK, or nil if value is the zero
// value, such as "".
func Optional[T comparable](value T) *T {
	if value == *new(T) {
		return nil
	}
	return &value
}

// ETag returns an entity tag in the form that is sent and compared: with quotes, which some servers
// omit in listings, and without "W/", which a compressing proxy adds.
func ETag(tag string) string {
	tag = strings.TrimPrefix(tag, "W/")
	if tag == "" || strings.HasPrefix(tag, `"`) {
		return tag
	}
	return `"` + tag + `"`
}

// StandardClass is the default storage class of S3 and Google.
const StandardClass = "STANDARD"

// StorageClass returns a storage class of S3 or Google as callers see it, which is "" for the default
// class.
func StorageClass(class string) string {
	if class == StandardClass {
		return ""
	}
	return class
}

// Metadata returns the values of the headers whose names begin with prefix, by the rest of the name in
// lower case. The prefix must have the form of [http.CanonicalHeaderKey].
func Metadata(h http.Header, prefix string) map[string]string {
	var metadata map[string]string
	for name, values := range h {
		key, ok := strings.CutPrefix(name, prefix)
		if !ok || len(values) == 0 {
			continue
		}
		if metadata == nil {
			metadata = map[string]string{}
		}
		metadata[strings.ToLower(key)] = values[0]
	}
	return metadata
}

// CRC32C returns the checksum that text encodes. If text is not a checksum, the result is unknown.
func CRC32C(text string) storage.CRC32C {
	sum, ok := crc32c.Decode(text)
	return storage.CRC32C{Sum: sum, Known: ok}
}
