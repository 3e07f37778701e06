package memstore_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/serve"
)

// A bucket answers the preflight requests of browsers by a copy of the rules in Config.CORS.
func TestConfigSetsCORSRules(t *testing.T) {
	rules := []storage.CORSRule{{Origins: []string{"https://app.example.com"}, Methods: []string{"PUT"}}}
	d := memstore.NewDriver(memstore.Config{CORS: rules})
	rules[0].Methods[0] = "GET" // must have no effect on the driver
	b := engine.New(d, storage.WithSigningBaseURL("http://localhost/files"))

	preflight := httptest.NewRequest(http.MethodOptions, "/files/key", nil)
	preflight.Header.Set("Origin", "https://app.example.com")
	preflight.Header.Set("Access-Control-Request-Method", "PUT")
	recorder := httptest.NewRecorder()
	serve.NewHandler(b).ServeHTTP(recorder, preflight)
	require.Equal(t, http.StatusNoContent, recorder.Code)
	require.Equal(t, "https://app.example.com", recorder.Header().Get("Access-Control-Allow-Origin"))
}
