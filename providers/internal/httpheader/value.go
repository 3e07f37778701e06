package httpheader

import (
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"strings"

	"github.com/omnibucket/storage"
)

// Optional returns a value as SDKs take it. It returns nil if it is the zero value, as "" is.
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

// EncodeCRC32C returns a CRC32C as S3 and Google write it: big-endian, in base64.
func EncodeCRC32C(sum uint32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}

// DecodeCRC32C returns the CRC32C in a text. It returns nil if the text is not one.
func DecodeCRC32C(text string) storage.CRC32C {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) != 4 {
		return storage.CRC32C{}
	}
	return storage.CRC32C{Sum: binary.BigEndian.Uint32(raw), Known: true}
}
