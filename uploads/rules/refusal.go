package rules

import (
	"cmp"
	"fmt"
	"strings"
)

// A Code says which rule a file breaks.
type Code string

// The codes.
const (
	Empty          Code = "empty"            // the file has no bytes
	TooSmall       Code = "too_small"        // the file has fewer bytes than Rules.MinSize
	TooLarge       Code = "too_large"        // the file exceeds Rules.MaxSize, or too many bytes precede its picture
	TypeNotAllowed Code = "type_not_allowed" // the content of the file is of another type
	Damaged        Code = "damaged"          // the header of the file contradicts itself or is cut short
	ActiveContent  Code = "active_content"   // the file holds markup or a script
	TooManyPixels  Code = "too_many_pixels"  // the picture has more pixels than Rules.MaxPixels when decoded
)

// A Refusal says why a file is not accepted.
type Refusal struct {
	Code    Code
	Message string // a sentence for the sender of the file, in English
}

// Error returns the code and the message.
func (r *Refusal) Error() string { return string(r.Code) + ": " + r.Message }

// A reason says why a file of an allowed type is refused.
type reason struct {
	code    Code
	message string // text for the sender, with %s in place of the name of the type
}

var (
	damaged           = &reason{Damaged, "This %s file is damaged and cannot be opened."}
	activeContent     = &reason{ActiveContent, "This %s file has a program in it, and cannot be uploaded."}
	externalReference = &reason{
		ActiveContent, "This %s file has a link or an external reference in it, and cannot be uploaded.",
	}
	tooLong     = &reason{TooLarge, "This %s file is too large to be checked: at most 1 MiB is allowed."}
	headTooLong = &reason{
		TooLarge,
		"This %s file has more than 1 MiB of metadata before its picture. Save it without metadata and send it again.",
	}
)

// refusal returns the refusal of a file of this type for the reason.
func (r *reason) refusal(mediaType string) *Refusal {
	return &Refusal{r.code, fmt.Sprintf(r.message, typeName(mediaType))}
}

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

// typeName returns the name of a type for people.
func typeName(mediaType string) string { return cmp.Or(typeNames[mediaType], mediaType) }

// listTypes returns the names of types as a list for people, such as "JPEG, PNG and GIF".
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
