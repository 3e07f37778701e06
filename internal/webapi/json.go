package webapi

import (
	"encoding/json"
	"net/http"
	"strconv"
	"unicode/utf8"
)

// maxField is how many bytes of the name of a field, which a client may have chosen, are repeated.
const maxField = 64

// Field shortens the name of a field for a response.
func Field(name string) string { return Beginning(name, maxField) }

// Beginning returns as many whole characters of text as fit into most bytes.
func Beginning(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most]
}

// WriteJSON responds with value as JSON.
func WriteJSON(w http.ResponseWriter, status int, contentType string, value any) {
	document, err := json.Marshal(value)
	if err != nil { // only a time after the year 9999 fails
		status, document = http.StatusInternalServerError, []byte(
			`{"code":"internal","message":"Something went wrong here."}`,
		)
	}
	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Set("Content-Length", strconv.Itoa(len(document)))
	w.WriteHeader(status)
	_, _ = w.Write(document) // fails if the client has gone
}
