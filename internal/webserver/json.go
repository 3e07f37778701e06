package webserver

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/omnibucket/storage/internal/words"
)

// maxField is the largest number of bytes of a field's name in a response. The name is limited
// because a client may have chosen it.
const maxField = 64

// Field shortens the name of a field for use in a response.
func Field(name string) string { return words.Beginning(name, maxField) }

// WriteJSON sends a response with value in JSON as its body.
func WriteJSON(w http.ResponseWriter, status int, contentType string, value any) {
	document, err := json.Marshal(value)
	if err != nil {
		// Encoding fails only for a time after the year 9999.
		status = http.StatusInternalServerError
		document = []byte(`{"code":"internal","message":"Something went wrong here."}`)
	}

	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Set("Content-Length", strconv.Itoa(len(document)))
	w.WriteHeader(status)
	// Write fails if the client has closed the connection.
	_, _ = w.Write(document)
}
