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

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// post sends a document, and returns the status and the response's JSON.
func (s *site) post(user, path string, document any) (int, map[string]any) {
	s.t.Helper()
	return s.ask(user, http.MethodPost, path, "application/json", strings.NewReader(jsonOf(s.t, document)))
}

// ticket returns a ticket in parts.
func (s *site) ticket(user string, size int) *uploads.Ticket {
	s.t.Helper()
	status, answer := s.post(user, "/tickets", map[string]any{"name": "me.png", "type": "image/png", "size": size})
	require.Equal(s.t, http.StatusCreated, status, answer)
	ticket := &uploads.Ticket{}
	require.NoError(s.t, json.Unmarshal([]byte(jsonOf(s.t, answer)), ticket))
	require.NotNil(s.t, ticket.Parts)
	return ticket
}

func TestPartsOverHTTP(t *testing.T) {
	s := newSite(t, inMemory(t), uploads.Config{Rules: rules.Rules{MaxSize: 32 << 20}, PartsFrom: 1})
	content := aPNG() + strings.Repeat("x", 16<<20)
	ticket := s.ticket("42", len(content))
	require.Equal(t, uploads.Parts{Size: 8 << 20, Count: 3}, *ticket.Parts)
	only := map[string]any{"token": ticket.Token}
	stored := func() any {
		status, answer := s.post("42", "/tickets/stored", only)
		require.Equal(t, http.StatusOK, status, answer)
		return answer["numbers"]
	}
	require.Equal(t, []any{}, stored())
	status, problem := s.post("42", "/tickets/finish", only)
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Equal(t, []any{"not_uploaded", "parts", "me.png"}, []any{problem["code"], problem["field"], problem["file"]})

	status, answer := s.post("42", "/tickets/parts", map[string]any{"token": ticket.Token, "numbers": []int{3, 1, 2}})
	require.Equal(t, http.StatusOK, status, answer)
	var signed struct {
		Parts []struct {
			Number int
			Put    *storage.SignedURL
		}
	}
	require.NoError(t, json.Unmarshal([]byte(jsonOf(t, answer)), &signed))
	require.Len(t, signed.Parts, 3)
	for _, part := range signed.Parts {
		r, err := part.Put.Request(t.Context(), strings.NewReader(bytesOf(ticket, part.Number, content)))
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, statusOf(t, r))
	}
	require.Equal(t, []any{1.0, 2.0, 3.0}, stored())
	status, answer = s.post("42", "/tickets/finish", only)
	require.Equal(t, http.StatusOK, status, answer)
	require.Equal(t, []string{answer["key"].(string)}, keys(t, s.bucket))
	status, problem = s.post("42", "/tickets/stored", only)
	require.Equal(t, http.StatusNotFound, status, problem)
	status, answer = s.post("42", "/tickets/abort", only)
	require.Equal(t, http.StatusConflict, status)
	require.Equal(t, "completed", answer["code"])
	require.Len(t, keys(t, s.bucket), 1)
}

func TestRequestsForPartsThatAreRefused(t *testing.T) {
	s := newSite(t, inMemory(t), uploads.Config{Rules: rules.Rules{MaxSize: 32 << 20}, PartsFrom: 1})
	ticket := s.ticket("42", 20<<20)
	many := make([]int, 1001)
	for i := range many {
		many[i] = 1
	}
	for _, row := range []struct {
		name, user string
		numbers    any
		status     int
		code       uploads.Code
		field      any
	}{
		{"none", "42", []int{}, 400, uploads.InvalidValue, "numbers"},
		{"too many", "42", many, 400, uploads.InvalidValue, "numbers"},
		{"part 0", "42", []int{1, 0}, 400, uploads.InvalidValue, "numbers[1]"},
		{"a part after the last", "42", []int{4}, 400, uploads.InvalidValue, "numbers[0]"},
		{"one twice", "42", []int{1, 2, 1}, 400, uploads.InvalidValue, "numbers[2]"},
		{"no number", "42", []string{"1"}, 400, uploads.InvalidRequest, nil},
		{"half a part", "42", []float64{1.5}, 400, uploads.InvalidRequest, nil},
		{"of another user", "43", []int{1}, 404, uploads.NotFound, "token"},
		{"of nobody", "", []int{1}, 401, uploads.Unauthenticated, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			status, problem := s.post(row.user, "/tickets/parts", map[string]any{"token": ticket.Token, "numbers": row.numbers})
			require.Equal(t, row.status, status, problem)
			require.EqualValues(t, row.code, problem["code"])
			require.Equal(t, row.field, problem["field"])
		})
	}
	for _, path := range []string{"/tickets/parts", "/tickets/stored", "/tickets/finish", "/tickets/abort"} {
		status, problem := s.post("42", path, map[string]any{"token": "x", "numbers": []int{1}, "evil": true})
		require.Equal(t, http.StatusBadRequest, status, path)
		require.EqualValues(t, uploads.InvalidRequest, problem["code"], path)
		status, _ = s.post("43", path, withNumbers(path, ticket.Token))
		require.Equal(t, http.StatusNotFound, status, path)
	}
	status, _ := s.post("42", "/tickets/abort", map[string]any{"token": ticket.Token})
	require.Equal(t, http.StatusNoContent, status)
	partStore{s.bucket, smallPart}.empty(t)
}

func withNumbers(path, token string) map[string]any {
	document := map[string]any{"token": token}
	if path == "/tickets/parts" {
		document["numbers"] = []int{1}
	}
	return document
}

// A proxy may give up while a large file is copied.
func TestAFileIsFinishedThoughTheClientHasGone(t *testing.T) {
	s := newSite(t, inMemory(t), uploads.Config{PartsFrom: 1})
	ticket := s.ticket("42", len(aPNG()))
	status, answer := s.post("42", "/tickets/parts", map[string]any{"token": ticket.Token, "numbers": []int{1}})
	require.Equal(t, http.StatusOK, status, answer)
	var signed struct {
		Parts []struct{ Put *storage.SignedURL }
	}
	require.NoError(t, json.Unmarshal([]byte(jsonOf(t, answer)), &signed))
	r, err := signed.Parts[0].Put.Request(t.Context(), strings.NewReader(aPNG()))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, statusOf(t, r))

	gone, leave := context.WithCancel(t.Context())
	leave()
	finish := httptest.NewRequestWithContext(gone, http.MethodPost, "/uploads/tickets/finish", strings.NewReader(jsonOf(t, map[string]any{"token": ticket.Token})))
	finish.Header.Set("Content-Type", "application/json")
	finish.Header.Set("User", "42")
	s.handler.ServeHTTP(httptest.NewRecorder(), finish)
	found := keys(t, s.bucket)
	require.Len(t, found, 1)
	require.True(t, slices.ContainsFunc(found, func(key string) bool { return strings.HasPrefix(key, "users/42/") }))
}
