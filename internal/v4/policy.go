package v4

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf16"

	"github.com/omnibucket/storage"
)

// CheckForm refuses what no form of a provider's has the server enforce. Hints
// name the provider. Unsupported, and InvalidArgument of a key in which both put
// the name of the user's file.
func CheckForm(r *storage.SignRequest, provider string) error {
	lacks := func(what string) error {
		return &storage.Error{Code: storage.Unsupported, Hint: provider + "'s forms " + what}
	}
	switch {
	case len(r.Native) > 0:
		return storage.Unsupported
	case r.Condition != storage.Condition{}:
		return lacks("know no condition: SignedUploadURL does")
	case r.CRC32C != nil:
		return lacks("are not known to check a CRC32C: SignedUploadURL does")
	case r.ContentLanguage != "":
		return lacks("have no field for the content language: SignedUploadURL has")
	case strings.Contains(r.Key, "${filename}"):
		return &storage.Error{Code: storage.InvalidArgument, Hint: provider + " puts the name of the user's file in the place of ${filename} in a form's key"}
	}
	return nil
}

// Policy is a form's policy as it is signed and sent: JSON of ASCII alone, in
// base64.
func Policy(document any) (string, error) {
	text, err := json.Marshal(document)
	if err != nil {
		return "", &storage.Error{Code: storage.Internal, Err: err}
	}
	return base64.StdEncoding.EncodeToString(ascii(text)), nil
}

// ascii escapes what is not ASCII.
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
