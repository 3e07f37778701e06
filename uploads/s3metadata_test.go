package uploads_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// Numbers in metadata become texts exactly as the client wrote them.
func TestS3MetadataNumbers(t *testing.T) {
	tests := []struct {
		json string
		want string
	}{
		{json: `"text"`, want: "text"},
		{json: `7`, want: "7"},
		{json: `1234567`, want: "1234567"},
		{json: `9007199254740993`, want: "9007199254740993"}, // a float64 would have ...992
		{json: `0.10`, want: "0.10"},
		{json: `true`, want: "true"},
	}
	for _, tt := range tests {
		t.Run(tt.json, func(t *testing.T) {
			// The function Begin notes the metadata that it gets.
			var metadata map[string]string
			s, err := uploads.New(memstore.New(), uploads.Config{
				Rules:     rules.Any(0),
				Authorize: func(*http.Request) (uploads.User, error) { return uploads.User{ID: "eva"}, nil },
				Begin: func(_ *http.Request, _ uploads.User, request uploads.Request) (*uploads.Target, error) {
					metadata = request.Metadata
					return nil, nil
				},
			})
			require.NoError(t, err)

			// Begin an upload with this value.
			body := `{"filename": "a", "metadata": {"album": ` + tt.json + `}}`
			r := httptest.NewRequest(http.MethodPost, "/s3/multipart", strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)

			require.Equal(t, http.StatusOK, w.Code, w.Body)
			require.Equal(t, map[string]string{"album": tt.want}, metadata)
		})
	}
}
