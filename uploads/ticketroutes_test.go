package uploads_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
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

// signTicket asks the handler for a ticket of user 42 for a picture.
func (s *site) signTicket(picture string) *uploads.Ticket {
	s.t.Helper()
	request := map[string]any{"name": "me.png", "type": "image/png", "size": len(picture)}
	status, answer := s.post("42", "/tickets", request)
	require.Equal(s.t, http.StatusCreated, status, answer)
	var ticket uploads.Ticket
	require.NoError(s.t, json.Unmarshal([]byte(mustJSON(s.t, answer)), &ticket))
	return &ticket
}

// The handler refuses to finish a ticket if the request has an unknown field, or comes from another user.
func TestFinishRefusesRequests(t *testing.T) {
	s := newSite(t, openMemory(t), uploads.Config{})
	ticket := s.signTicket(newPNG())
	tests := []struct {
		name       string
		user       string
		request    map[string]any
		wantStatus int
		wantCode   uploads.Code
	}{
		{
			name:       "unknown field",
			user:       "42",
			request:    map[string]any{"token": "x", "evil": true},
			wantStatus: http.StatusBadRequest,
			wantCode:   uploads.InvalidRequest,
		},
		{
			name:       "another user",
			user:       "43",
			request:    map[string]any{"token": ticket.Token},
			wantStatus: http.StatusNotFound,
			wantCode:   uploads.NotFound,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, problem := s.post(tt.user, "/tickets/finish", tt.request)
			require.Equal(t, tt.wantStatus, status)
			require.EqualValues(t, tt.wantCode, problem["code"])
		})
	}
}

// The file of a ticket is finished even if the client disconnects during the request.
func TestFinishAfterClientHasGone(t *testing.T) {
	// A user gets a ticket, and sends the file.
	s := newSite(t, openMemory(t), uploads.Config{})
	ticket := s.signTicket(newPNG())
	require.Equal(t, http.StatusOK, send(t, ticket, newPNG()))

	// The context of the request to finish ends before the handler sees it.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	body := strings.NewReader(mustJSON(t, map[string]any{"token": ticket.Token}))
	finish := httptest.NewRequestWithContext(ctx, http.MethodPost, "/uploads/tickets/finish", body)
	finish.Header.Set("Content-Type", "application/json")
	finish.Header.Set("User", "42")
	s.handler.ServeHTTP(httptest.NewRecorder(), finish)

	// There is one file, under the key of the user.
	files := listPublished(t, s.bucket)
	require.Len(t, files, 1)
	require.True(t, strings.HasPrefix(files[0], "users/42/"), files[0])
}
