package argument

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/omnibucket/storage"
)

// formField is the name of the field of a JSON document that has the number of its form. No form that
// exists today has the field.
const formField = `"form"`

// CheckForm returns an Unsupported error with op and key if the JSON document text has a form with
// a greater number than newest.
//
// A document without a number and a text that is not JSON are left to the caller.
func CheckForm(op, key string, text []byte, newest int) error {
	if !bytes.Contains(text, []byte(formField)) {
		return nil
	}

	var document struct {
		Form int `json:"form"`
	}
	if err := json.Unmarshal(text, &document); err != nil {
		// The caller reports that the text is malformed.
		return nil
	}
	if document.Form <= newest {
		return nil
	}

	return &storage.Error{
		Code: storage.Unsupported,
		Op:   op,
		Key:  key,
		Err:  fmt.Errorf("a later version of this library has stored it in form %d", document.Form),
		Hint: fmt.Sprintf("update this program: it reads forms up to %d", newest),
	}
}
