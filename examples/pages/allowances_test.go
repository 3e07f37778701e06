package pages

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
)

// The service of documents counts the files and bytes of each user.
func TestDocumentsAreCounted(t *testing.T) {
	service, err := documents(memstore.New())
	require.NoError(t, err)
	file := uploads.Upload{Body: strings.NewReader("text"), User: uploads.User{ID: "eva"}}
	_, err = service.Store(t.Context(), file)
	require.NoError(t, err)

	usage, err := service.Usage(t.Context(), "eva")
	require.NoError(t, err)
	require.Equal(t, uploads.Usage{Bytes: int64(len("text")), Files: 1}, usage)
}
