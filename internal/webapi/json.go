package webapi

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// WriteJSON responds with value as JSON.
func WriteJSON(w http.ResponseWriter, status int, contentType string, value any) {
	document, err := json.Marshal(value)
	if err != nil { // only a time after the year 9999 fails
		status, document = http.StatusInternalServerError, []byte(`{"code":"internal","message":"Something went wrong here."}`)
	}
	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Set("Content-Length", strconv.Itoa(len(document)))
	w.WriteHeader(status)
	_, _ = w.Write(document) // fails if the client has gone
}
