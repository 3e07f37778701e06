package uploads_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/uploads"
)

// post sends a document, and returns the status and the response's JSON.
func (s *site) post(user, path string, document any) (int, map[string]any) {
	s.t.Helper()
	return s.ask(user, http.MethodPost, path, "application/json", strings.NewReader(mustJSON(s.t, document)))
}

// The handler refuses to finish a ticket if the request has an unknown field, or comes from another user.
func TestFinishRefusesRequests(t *testing.T) {
	s := newSite(t, openMemory(t), uploads.Config{})
	status, answer := s.post("42", "/tickets", map[string]any{"name": "me.png", "type": "image/png", "size": len(newPNG())})
	require.Equal(t, http.StatusCreated, status, answer)

	status, problem := s.post("42", "/tickets/finish", map[string]any{"token": "x", "evil": true})
	require.Equal(t, http.StatusBadRequest, status)
	require.EqualValues(t, uploads.InvalidRequest, problem["code"])

	status, problem = s.post("43", "/tickets/finish", map[string]any{"token": answer["token"]})
	require.Equal(t, http.StatusNotFound, status)
	require.EqualValues(t, uploads.NotFound, problem["code"])
}

// The file of a ticket is finished even if the client disconnects during the request.
func TestFinishAfterClientHasGone(t *testing.T) {
	s := newSite(t, openMemory(t), uploads.Config{})

	// A user gets a ticket, and sends the file.
	status, answer := s.post("42", "/tickets", map[string]any{"name": "me.png", "type": "image/png", "size": len(newPNG())})
	require.Equal(t, http.StatusCreated, status, answer)

	var ticket uploads.Ticket
	require.NoError(t, json.Unmarshal([]byte(mustJSON(t, answer)), &ticket))
	r, err := ticket.Put.Request(t.Context(), strings.NewReader(newPNG()))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, statusOf(t, r))

	// The context of the request ends before the handler sees it.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	body := strings.NewReader(mustJSON(t, map[string]any{"token": ticket.Token}))
	finish := httptest.NewRequestWithContext(ctx, http.MethodPost, "/uploads/tickets/finish", body)
	finish.Header.Set("Content-Type", "application/json")
	finish.Header.Set("User", "42")
	s.handler.ServeHTTP(httptest.NewRecorder(), finish)

	// There is one file, under the key of the user.
	files := slices.DeleteFunc(listKeys(t, s.bucket), func(key string) bool {
		return strings.HasPrefix(key, uploads.DefaultPrefix)
	})
	require.Len(t, files, 1)
	require.True(t, strings.HasPrefix(files[0], "users/42/"), files[0])
}
