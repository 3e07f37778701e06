package files

import (
	"fmt"
	"mime"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/omnibucket/storage/internal/webapi"
)

// These are the fields of errors.
const (
	fieldID         = "ID"
	fieldName       = "originalFileName"
	fieldType       = "MIMEType"
	fieldPurpose    = "Purpose"
	fieldUploadedBy = "UploadedByUser.ID"
	fieldToken      = "token"
	fieldCount      = "count"
	fieldPart       = "part"
	fieldFile       = "file"
	fieldPageToken  = "pageToken"
	fieldPageSize   = "pageSize"
	fieldFrom       = "from"
)

const (
	maxName   = 1000 // characters
	maxLabel  = 256  // characters of a purpose or a user's ID
	maxType   = 255  // bytes
	minToken  = 8
	maxToken  = 128
	maxSuffix = 15 // characters of an extension after its dot
)

func (o *UploadOptions) validate() error {
	if err := validateName(o.OriginalFileName); err != nil {
		return err
	}
	if err := validateType(o.MIMEType); err != nil {
		return err
	}
	if err := validateLabel(fieldPurpose, o.Purpose); err != nil {
		return err
	}
	return validateLabel(fieldUploadedBy, o.UploadedBy)
}

// validate checks all but the numbers, which [uploads.Service.PutPiece] checks.
func (o *PartOptions) validate() error {
	if len(o.Token) < minToken || len(o.Token) > maxToken || !webapi.IsToken(o.Token) {
		return invalid(fieldToken, fmt.Sprintf(`The token must be %d to %d letters, digits, "-", "_" and ".".`, minToken, maxToken))
	}
	return o.UploadOptions.validate()
}

func isAlphanumeric(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// validateName checks that a name can be shown and saved anywhere. A bad name is
// refused rather than cleaned, so that OriginalFileName is what the client sent.
func validateName(name string) error {
	switch {
	case strings.TrimSpace(name) == "":
		return invalid(fieldName, "The file needs a name.")
	case !utf8.ValidString(name):
		return invalid(fieldName, "The file's name is not valid text.")
	case utf8.RuneCountInString(name) > maxName:
		return invalid(fieldName, "The file's name is too long: at most 1,000 characters.")
	case strings.ContainsAny(name, `/\`) || name == "." || name == "..":
		return invalid(fieldName, "The file's name is a path.")
	case strings.ContainsFunc(name, isConfusable):
		return invalid(fieldName, "The file's name has characters that cannot be shown.")
	}
	return nil
}

// isConfusable reports whether r is a control character, a line end, or changes the
// direction of the text that follows, so that "gpj.exe" reads as "exe.jpg". Marks
// that scripts need (ZWJ, ZWNJ, RLM) are fine.
func isConfusable(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' ||
		r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}

func validateLabel(field, text string) error {
	switch {
	case !utf8.ValidString(text) || strings.ContainsFunc(text, isConfusable):
		return invalid(field, "This is not valid text, or has characters that cannot be shown.")
	case utf8.RuneCountInString(text) > maxLabel:
		return invalid(field, "This is too long: at most 256 characters.")
	}
	return nil
}

func validateType(mediaType string) error {
	if mediaType == "" {
		return nil
	}
	parsed, _, err := mime.ParseMediaType(mediaType)
	if err != nil || !strings.Contains(parsed, "/") || len(mediaType) > maxType || strings.ContainsFunc(mediaType, unicode.IsControl) {
		return invalid(fieldType, "The type of the file must be one such as image/png.")
	}
	return nil
}

// extension returns a Record's FileExt.
func extension(name string) string {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return ""
	}
	suffix := name[i+1:]
	if suffix == "" || len(suffix) > maxSuffix || strings.ContainsFunc(suffix, func(r rune) bool { return !isAlphanumeric(r) }) {
		return ""
	}
	return "." + strings.ToLower(suffix)
}
