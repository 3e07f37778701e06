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

// The rules of Config.CORS decide about the preflight requests of browsers.
func TestConfigSetsCORSRules(t *testing.T) {
	rules := []storage.CORSRule{{Origins: []string{"https://app.example.com"}, Methods: []string{"PUT"}}}
	d := memstore.NewDriver(memstore.Config{CORS: rules})
	rules[0].Methods[0] = "GET" // the driver must have a copy
	b := engine.New(d, storage.WithSigningBaseURL("http://localhost/files"))
	r := httptest.NewRequest(http.MethodOptions, "/files/key", nil)
	r.Header.Set("Origin", "https://app.example.com")
	r.Header.Set("Access-Control-Request-Method", "PUT")
	w := httptest.NewRecorder()

	serve.NewHandler(b).ServeHTTP(w, r)
	require.Equal(t, http.StatusNoContent, w.Code)
	require.Equal(t, "https://app.example.com", w.Header().Get("Access-Control-Allow-Origin"))
}
