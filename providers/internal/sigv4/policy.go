package sigv4

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf16"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// CheckForm returns Unsupported if r has a property that a form cannot make the
// server enforce. It returns InvalidArgument if the key contains ${filename}, which
// both providers replace. Hints name the provider.
func CheckForm(r *driver.SignRequest, provider string) error {
	unsupported := func(reason string) error {
		return &storage.Error{Code: storage.Unsupported, Hint: provider + "'s forms " + reason}
	}
	switch {
	case r.Condition != storage.Condition{}:
		return unsupported("have no conditions: use SignedUploadURL")
	case r.CRC32C.Known:
		return unsupported("may not check a CRC32C: use SignedUploadURL")
	case r.ContentLanguage != "":
		return unsupported("have no field for the content language: use SignedUploadURL")
	case strings.Contains(r.Key, "${filename}"):
		return &storage.Error{
			Code: storage.InvalidArgument,
			Hint: provider + " replaces ${filename} in the key of a form with the name of the user's file: leave it out of the key",
		}
	}
	return nil
}

// Policy returns a form's policy in the form that is signed and sent: JSON in ASCII, encoded as
// base64.
func Policy(document any) (string, error) {
	text, err := json.Marshal(document)
	if err != nil {
		return "", &storage.Error{Code: storage.Internal, Err: err}
	}
	return base64.StdEncoding.EncodeToString(ascii(text)), nil
}

// ascii escapes characters that are not ASCII.
func ascii(document []byte) []byte {
	escaped := make([]byte, 0, len(document))
	for _, r := range string(document) {
		switch {
		case r < 0x80:
			escaped = append(escaped, byte(r))
		case r < 0x10000:
			escaped = fmt.Appendf(escaped, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			escaped = fmt.Appendf(escaped, `\u%04x\u%04x`, high, low)
		}
	}
	return escaped
}
