package memstore

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

// readStream fails with io.ErrNoProgress if Read of the body keeps returning 0 bytes and no error.
func TestReadStreamWithoutProgress(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	_, err := readStream(ctx, idle{})
	require.ErrorIs(t, err, io.ErrNoProgress)
}
