package files

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"unicode/utf8"

	"github.com/omnibucket/storage/internal/webapi"
)

const (
	// maxJSON is the longest document that is read, in bytes, but for one of more
	// IDs than fit: those take idJSON each, blanks counted.
	maxJSON = 64 << 10
	idJSON  = 64
)

// maxIDs is the longest document of n IDs that is read, in bytes.
func maxIDs(n int) int64 {
	const most = 1 << 40 // so that there is no overflow
	return max(maxJSON, idJSON*min(int64(n), most))
}

// readField reads a JSON object of one field. encoding/json would take the last
// of two, its name in any case, and null for nothing.
func readField(r *http.Request, name string, limit int64, to any) error {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/json" {
		return refuse("Content-Type", InvalidRequest, "The body has to be application/json.")
	}
	document, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	switch {
	case err != nil:
		return refuse("", Interrupted, "The request did not arrive whole. Try again.")
	case int64(len(document)) > limit:
		return refuse(name, TooLarge, "The document is too long: at most "+webapi.Bytes(limit)+".")
	case !utf8.Valid(document):
		return refuse(name, InvalidRequest, "The document is no text.")
	}
	value, err := onlyField(document, name)
	if err != nil {
		return err
	}
	if string(value) == "null" || json.Unmarshal(value, to) != nil {
		return invalid(name, "This is of another type.")
	}
	return nil
}

// onlyField is the value of an object's one field.
func onlyField(document []byte, name string) (value json.RawMessage, err error) {
	malformed := refuse(name, InvalidRequest, "The body has to be one JSON object.")
	decoder := json.NewDecoder(bytes.NewReader(document))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil, malformed
	}
	for decoder.More() {
		token, err := decoder.Token()
		field, isText := token.(string)
		switch {
		case err != nil || !isText:
			return nil, malformed
		case field != name:
			return nil, refuse(field, InvalidRequest, "This is not a field of the document.")
		case value != nil:
			return nil, refuse(field, InvalidRequest, "This field is given twice.")
		}
		if err := decoder.Decode(&value); err != nil {
			return nil, malformed
		}
	}
	if _, err := decoder.Token(); err != nil {
		return nil, malformed
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, malformed
	}
	if value == nil {
		return nil, invalid(name, "This field is missing.")
	}
	return value, nil
}
