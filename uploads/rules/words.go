package rules

import "strings"

// typeNames has the common names of types.
var typeNames = map[string]string{
	"image/jpeg":      "JPEG",
	"image/png":       "PNG",
	"image/gif":       "GIF",
	"image/webp":      "WebP",
	"image/avif":      "AVIF",
	"image/svg+xml":   "SVG",
	"application/pdf": "PDF",
	"text/plain":      "plain text",
}

func typeName(mediaType string) string {
	if name, ok := typeNames[mediaType]; ok {
		return name
	}
	return mediaType
}

// listTypes returns a list such as "JPEG, PNG and GIF".
func listTypes(mediaTypes []string) string {
	names := make([]string, len(mediaTypes))
	for i, t := range mediaTypes {
		names[i] = typeName(t)
	}
	last := len(names) - 1
	if last == 0 {
		return names[0]
	}
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
