package sigv4

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/escape"
)

// CheckForm fails with Unsupported if r has a property that the server cannot enforce for a form, and
// with InvalidArgument if the key contains ${filename}, which servers replace in forms. The hints name
// the provider.
func CheckForm(r *driver.SignRequest, provider string) error {
	missing := ""
	switch {
	case r.Condition != (storage.Condition{}):
		missing = "have no conditions"
	case r.CRC32C.Known:
		missing = "may not check a CRC32C"
	case r.ContentLanguage != "":
		missing = "have no field for the content language"
	}
	if missing != "" {
		return &storage.Error{
			Code: storage.Unsupported,
			Hint: provider + "'s forms " + missing + ": use SignedUploadURL",
		}
	}
	if strings.Contains(r.Key, "${filename}") {
		return &storage.Error{
			Code: storage.InvalidArgument,
			Hint: provider + " replaces ${filename} in the key of a form with the name of the user's file: leave it out of the key",
		}
	}
	return nil
}

// Policy returns the policy of an HTML form as the signature and the request need it: JSON with only
// ASCII characters, in base64.
func Policy(document any) (string, error) {
	text, err := json.Marshal(document)
	if err != nil {
		return "", &storage.Error{Code: storage.Internal, Err: err}
	}
	return base64.StdEncoding.EncodeToString(escape.ASCIIJSON(text)), nil
}
