package buffer

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// Reserve of a whole number of mebibytes takes exactly that much memory.
func TestReserveWholeMebibytes(t *testing.T) {
	limit := &Limit{Max: 64 * mib}
	b := New(limit, new(atomic.Int32))
	require.NoError(t, b.Reserve(t.Context(), 8*mib))
	require.EqualValues(t, 8*mib, limit.used)
	b.Free()
	require.Zero(t, limit.used)
}
