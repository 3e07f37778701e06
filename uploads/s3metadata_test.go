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

// Numbers in metadata are kept as the client wrote them. Pages often send the ID of an album, or the like, as a
// number.
func TestS3MetadataNumbers(t *testing.T) {
	tests := []struct{ json, want string }{
		{`"text"`, "text"},
		{`7`, "7"},
		{`1234567`, "1234567"},
		{`9007199254740993`, "9007199254740993"}, // a float64 would have ...992
		{`0.10`, "0.10"},
		{`true`, "true"},
	}
	for _, tt := range tests {
		t.Run(tt.json, func(t *testing.T) {
			var said map[string]string
			s, err := uploads.New(memstore.New(), uploads.Config{
				Rules:     rules.Any(0),
				Authorize: func(*http.Request) (uploads.User, error) { return uploads.User{ID: "eva"}, nil },
				Begin: func(_ *http.Request, _ uploads.User, n uploads.Request) (*uploads.Target, error) {
					said = n.Metadata
					return nil, nil
				},
			})
			require.NoError(t, err)
			r := httptest.NewRequest(http.MethodPost, "/s3/multipart", strings.NewReader(`{"filename": "a", "metadata": {"album": `+tt.json+`}}`))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()

			s.ServeHTTP(w, r)
			require.Equal(t, http.StatusOK, w.Code, w.Body)
			require.Equal(t, map[string]string{"album": tt.want}, said)
		})
	}
}
