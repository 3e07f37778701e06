package filesapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"unicode/utf8"

	"github.com/omnibucket/storage/internal/words"
	"github.com/omnibucket/storage/uploads"
)

const (
	// maxJSON limits a JSON document, in bytes. A list of IDs may be longer: it may have idJSON
	// bytes for each ID, including white space.
	maxJSON = 64 << 10
	idJSON  = 64
)

// readField decodes a JSON object of at most limit bytes that has only this field, whose value it stores in
// dst. Unlike encoding/json, it refuses a repeated field, a name in another letter case, and null.
func readField(r *http.Request, name string, limit int64, dst any) error {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/json" {
		return refuse("Content-Type", uploads.InvalidRequest, "The body must be application/json.")
	}

	document, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return refuse("", uploads.Interrupted, "The request did not arrive completely. Try again.")
	}
	if int64(len(document)) > limit {
		return refuse(name, uploads.TooLarge, "The document is too long: at most "+words.Bytes(limit)+".")
	}
	if !utf8.Valid(document) {
		return refuse(name, uploads.InvalidRequest, "The document is not valid UTF-8.")
	}

	// Decode the only field.
	value, err := onlyField(document, name)
	if err != nil {
		return err
	}
	if string(value) == "null" || json.Unmarshal(value, dst) != nil {
		return invalid(name, "This has the wrong type.")
	}
	return nil
}

// onlyField returns the value of the field with this name, which must be the only one of the JSON object. It
// reads token by token, because encoding/json would accept a repeated field.
func onlyField(document []byte, name string) (json.RawMessage, error) {
	malformed := refuse(name, uploads.InvalidRequest, "The body must be one JSON object.")
	decoder := json.NewDecoder(bytes.NewReader(document))
	start, err := decoder.Token()
	if err != nil || start != json.Delim('{') {
		return nil, malformed
	}

	// Each turn reads the name and the value of one field.
	var value json.RawMessage
	for decoder.More() {
		token, err := decoder.Token()
		field, isText := token.(string)
		if err != nil || !isText {
			return nil, malformed
		}
		if field != name {
			return nil, refuse(field, uploads.InvalidRequest, "This is not a field of the document.")
		}
		if value != nil {
			return nil, refuse(field, uploads.InvalidRequest, "This field is given twice.")
		}
		if err := decoder.Decode(&value); err != nil {
			return nil, malformed
		}
	}

	// The object ends here, and nothing follows it.
	_, err = decoder.Token()
	if err != nil {
		return nil, malformed
	}
	_, err = decoder.Token()
	if !errors.Is(err, io.EOF) {
		return nil, malformed
	}
	if value == nil {
		return nil, invalid(name, "This field is missing.")
	}
	return value, nil
}
