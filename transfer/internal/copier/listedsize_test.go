package copier

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/transfer/internal/ends"
)

// After an object was listed, a larger one may replace it. checkListedSize accepts the new size.
func TestDownloadGrowsBeforeItIsRead(t *testing.T) {
	src := memstore.New()
	_, err := src.Upload(t.Context(), "a", strings.NewReader("a longer one"))
	require.NoError(t, err)
	attrs, err := src.Attrs(t.Context(), "a")
	require.NoError(t, err)
	listed := ends.Entry{Key: "a", Size: int64(len("short")), Revision: "memory:before"}

	require.NoError(t, checkListedSize("Copy", listed, attrs))
}
