package copier

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/transfer/internal/ends"
)

// checkListedSize accepts the new size of an object that was replaced by a larger one after it was listed.
func TestDownloadGrowsBeforeItIsRead(t *testing.T) {
	src := memstore.New()
	_, err := src.Upload(t.Context(), "a", strings.NewReader("a longer one"))
	require.NoError(t, err)
	attrs, err := src.Attrs(t.Context(), "a")
	require.NoError(t, err)
	listed := ends.Entry{Key: "a", Size: int64(len("short")), Revision: "memory:before"}

	require.NoError(t, checkListedSize("Copy", listed, attrs))
}
