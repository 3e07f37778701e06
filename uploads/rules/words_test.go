package rules

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Types are listed in words.
func TestListTypes(t *testing.T) {
	require.Equal(t, "PNG", listTypes([]string{"image/png"}))
	require.Equal(t, "PNG, PDF and audio/mpeg", listTypes([]string{"image/png", "application/pdf", "audio/mpeg"}))
}
