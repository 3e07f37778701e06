package filesapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/filesapi"
	"github.com/omnibucket/storage/uploads/rules"
)

// An upload fails if the user has no room left, until a file is removed.
func TestAllowanceExceeded(t *testing.T) {
	const allowedBytes = 1000
	bucket := memstore.New()
	service, err := uploads.New(bucket, uploads.Config{
		Rules:   rules.Any(0),
		Records: uploads.BucketRecords(bucket),
		Allowance: func(context.Context, uploads.User) (uploads.Allowance, error) {
			return uploads.Allowance{Bytes: allowedBytes}, nil
		},
	})
	require.NoError(t, err)
	handler, err := filesapi.New(service, filesapi.Config{
		Authorize: func(*http.Request) (uploads.User, error) { return uploads.User{ID: "eva"}, nil },
	})
	require.NoError(t, err)

	// send uploads a file of this length. It returns the status of the response, and the code or
	// the ID in its body.
	send := func(bytes int) (status int, code uploads.Code, id string) {
		body, contentType := newForm(t, []formField{newFileField("file", "a.txt", strings.Repeat("x", bytes))})
		r := httptest.NewRequest(http.MethodPost, "/files", body)
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		var document struct {
			Code uploads.Code
			ID   string
		}
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &document), w.Body.String())
		return w.Code, document.Code, document.ID
	}

	// The first file leaves too little room for the second.
	const moreThanHalf = allowedBytes/2 + 200
	status, _, id := send(moreThanHalf)
	require.Equal(t, http.StatusCreated, status)
	status, code, _ := send(moreThanHalf)
	require.Equal(t, http.StatusRequestEntityTooLarge, status)
	require.Equal(t, uploads.OverAllowance, code)

	// After the removal of the first file, there is room again.
	require.NoError(t, service.Remove(t.Context(), &uploads.File{ID: id}))
	status, _, _ = send(moreThanHalf)
	require.Equal(t, http.StatusCreated, status)
}
