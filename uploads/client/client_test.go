package client_test

import (
	"bytes"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
	filesclient "github.com/omnibucket/storage/uploads/client"
)

// New accepts only http and https URLs with a host, and without a query or fragment.
func TestNewRefusesBaseAddresses(t *testing.T) {
	invalid := []string{
		"",
		"files.example/api",
		"ftp://files.example",
		"http://",
		"http://files.example/?a=b",
		"http://files.example/#a",
		"http://a b",
	}
	for _, address := range invalid {
		_, err := filesclient.New(address, nil)
		require.ErrorIs(t, err, storage.InvalidArgument, address)
	}

	for _, address := range []string{"http://files.example", "https://files.example/api/"} {
		_, err := filesclient.New(address, nil)
		require.NoError(t, err, address)
	}
}

// An error of the client has the status and the problem document of the server's response.
func TestErrorHasResponseOfServer(t *testing.T) {
	tests := []struct {
		name   string
		status int
		body   string
		want   uploads.Error
	}{
		{
			name:   "problem document",
			status: http.StatusBadRequest,
			body:   `{"code": "invalid_value", "field": "count", "message": "No."}`,
			want:   uploads.Error{Code: uploads.InvalidValue, Field: "count", Message: "No.", Err: storage.InvalidArgument},
		},
		{
			name:   "page of a proxy",
			status: http.StatusBadGateway,
			body:   `<html>Bad gateway</html>`,
			want:   uploads.Error{Code: uploads.Internal, Message: "The response is not one of the file API.", Err: storage.Internal},
		},
		{
			name:   "redirect without an address",
			status: http.StatusMultipleChoices,
			body:   ``,
			want:   uploads.Error{Code: uploads.Internal, Message: "The response is not one of the file API.", Err: storage.Internal},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The server also sends the ID of the request, and the time that the client should
			// wait.
			s := newServer(t, func(_ int, w http.ResponseWriter, _ *http.Request, _ http.Handler) bool {
				w.Header().Set("X-Request-Id", "r-1")
				w.Header().Set("Retry-After", "2")
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body))
				return true
			})
			_, err := s.client.Details(t.Context(), "1")
			var respErr *filesclient.Error
			require.ErrorAs(t, err, &respErr)
			require.Equal(t, &filesclient.Error{Status: tt.status, RequestID: "r-1", RetryAfter: 2 * time.Second, Err: &tt.want}, respErr)
			require.ErrorContains(t, err, "r-1")
		})
	}
}

// The client escapes an ID in the path of a request, so that the ID cannot name another route.
func TestIDsAreEscaped(t *testing.T) {
	path := ""
	s := newServer(t, func(_ int, _ http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		path = r.URL.EscapedPath()
		return false
	})
	_, err := s.client.Details(t.Context(), "../temp-files?x=1#y")
	require.Equal(t, uploads.InvalidValue, uploads.CodeOf(err))
	require.Equal(t, "/files/..%2Ftemp-files%3Fx=1%23y", path)
}

// The client refuses the IDs "", "." and "..", because they would lead to another URL. It makes no
// request.
func TestIDThatLeadsElsewhereIsNotSent(t *testing.T) {
	s := newServer(t, func(_ int, _ http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		t.Errorf("%s %s", r.Method, r.URL)
		return false
	})
	for _, id := range []string{"", ".", ".."} {
		_, detailsErr := s.client.Details(t.Context(), id)
		_, downloadErr := s.client.Download(t.Context(), id, "")
		_, purposeErr := s.client.SetPurpose(t.Context(), id, "x")
		deleteErr := s.client.Delete(t.Context(), id)
		for _, err := range []error{detailsErr, downloadErr, purposeErr, deleteErr} {
			require.Equal(t, uploads.InvalidValue, uploads.CodeOf(err))
			require.ErrorIs(t, err, storage.InvalidArgument)
		}
	}
}

// Upload accepts a reader whose length is not known.
func TestUploadOfUnknownLength(t *testing.T) {
	s := newServer(t, nil)
	data := content(100_000)
	ofUnknownLength := struct{ io.Reader }{bytes.NewReader(data)}
	record, err := s.client.Upload(t.Context(), "a.bin", ofUnknownLength, "")
	require.NoError(t, err)
	s.requireFile(t, record, "a.bin", data)
}
