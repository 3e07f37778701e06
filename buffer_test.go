package storage

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAPartOfWholeMebibytesReservesNoMore(t *testing.T) {
	limit := NewBufferLimit(64 * mib)
	b := newBuffer(&operation{core: &core{bufferLimit: limit}})
	require.NoError(t, b.reserve(t.Context(), defaultPartSize))
	require.EqualValues(t, defaultPartSize, limit.used)
	b.free()
	require.Zero(t, limit.used)
}
