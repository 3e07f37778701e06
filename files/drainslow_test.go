package files_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/files"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

func TestARefusedClientThatSendsSlowlyIsCutOff(t *testing.T) {
	f := inMemory(t, files.Config{})
	handler, err := files.Handler(f.store, files.HandlerConfig{
		Authorize: func(*http.Request) (string, error) { return "", storage.Unauthenticated },
	})
	require.NoError(t, err)
	wiretest.RefusesSlowBody(t, handler, "/files")
}
