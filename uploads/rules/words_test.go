package rules

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The list of allowed types in an error is readable English.
func TestListTypes(t *testing.T) {
	require.Equal(t, "PNG", listTypes([]string{"image/png"}))
	require.Equal(t, "PNG, PDF and audio/mpeg", listTypes([]string{"image/png", "application/pdf", "audio/mpeg"}))
}
