package copier

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/transfer/internal/ends"
)

// If an object was replaced by a larger one after it was listed, checkListedSize accepts its new size.
func TestDownloadGrowsBeforeItIsRead(t *testing.T) {
	src := memstore.New()
	for _, text := range []string{"short", "a longer one"} {
		_, err := src.Upload(t.Context(), "a", strings.NewReader(text))
		require.NoError(t, err)
	}
	old := ends.Entry{Key: "a", Size: 5, Revision: "memory:before"}
	current, err := src.Attrs(t.Context(), "a")
	require.NoError(t, err)
	require.NoError(t, checkListedSize("Copy", old, current))
}
