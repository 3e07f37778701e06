package httpheader

import (
	"net/http"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/crc32c"
)

// Optional returns a pointer to value, or nil if value is the zero value, such as "". SDKs take
// optional fields in this form.
func Optional[T comparable](value T) *T {
	if value == *new(T) {
		return nil
	}
	return &value
}

// ETag returns an entity tag in the form that is sent and compared. It adds quotes, which
// some servers omit in listings, and removes the weak mark of a compressing proxy.
func ETag(tag string) string {
	tag = strings.TrimPrefix(tag, "W/")
	if tag == "" || strings.HasPrefix(tag, `"`) {
		return tag
	}
	return `"` + tag + `"`
}

// StandardClass is the default storage class of S3 and Google.
const StandardClass = "STANDARD"

// StorageClass returns a class of S3 or Google, or "" for the default.
func StorageClass(class string) string {
	if class == StandardClass {
		return ""
	}
	return class
}

// Metadata returns the headers whose names begin with prefix. The prefix must be in the
// form of [http.CanonicalHeaderKey]; names are returned without it, in lower case.
func Metadata(h http.Header, prefix string) map[string]string {
	var metadata map[string]string
	for name, values := range h {
		if key, found := strings.CutPrefix(name, prefix); found && len(values) > 0 {
			if metadata == nil {
				metadata = map[string]string{}
			}
			metadata[strings.ToLower(key)] = values[0]
		}
	}
	return metadata
}

// CRC32C returns the checksum in a text, or an unknown one if the text is not a checksum.
func CRC32C(text string) storage.CRC32C {
	sum, known := crc32c.Decode(text)
	return storage.CRC32C{Sum: sum, Known: known}
}
