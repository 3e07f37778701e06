package httpheader

import (
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"strings"
)

// Optional is a header's value as SDKs want it: nil is none.
func Optional(value string) *string {
	if value == "" {
		return nil
	}
	return &value
}

// ETag is an entity tag as it is sent and compared: some servers leave the
// quotes away in listings, and a proxy that compresses marks it as weak.
func ETag(tag string) string {
	tag = strings.TrimPrefix(tag, "W/")
	if tag == "" || strings.HasPrefix(tag, `"`) {
		return tag
	}
	return `"` + tag + `"`
}

// Metadata are the headers whose names begin with prefix, which is in the form
// of http.CanonicalHeaderKey; their names without it, in lower case.
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

// EncodeCRC32C writes a CRC32C as S3 and Google do: in base64, the first byte
// first.
func EncodeCRC32C(sum uint32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}

// DecodeCRC32C is nil where the text is none.
func DecodeCRC32C(text string) *uint32 {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) != 4 {
		return nil
	}
	sum := binary.BigEndian.Uint32(raw)
	return &sum
}
