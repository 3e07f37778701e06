package localfile

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// IsTempName recognizes the names that TempName returns.
func TestTemporaryNames(t *testing.T) {
	require.True(t, IsTempName(TempName()))
	for name, want := range map[string]bool{
		TempPrefix + "0123456789abcdef":    true,
		TempPrefix + "0123456789abcdef-1f": true,
		TempPrefix + "0123456789abcdef-":   false,
		TempPrefix + "0123456789abcdef-x":  false,
		TempPrefix + "0123456789abcde":     false,
		TempPrefix + "mine":                false,
		"0123456789abcdef":                 false,
	} {
		require.Equal(t, want, IsTempName(name), name)
	}
}
