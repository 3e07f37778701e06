package localfile

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// IsTempName recognizes the names that TempName returns.
func TestTemporaryNames(t *testing.T) {
	require.True(t, IsTempName(TempName()))

	tests := []struct {
		name     string
		fileName string
		want     bool
	}{
		{name: "a number", fileName: TempPrefix + "0123456789abcdef", want: true},
		{name: "a number and a suffix", fileName: TempPrefix + "0123456789abcdef-1f", want: true},
		{name: "an empty suffix", fileName: TempPrefix + "0123456789abcdef-", want: false},
		{name: "a suffix that is not a number", fileName: TempPrefix + "0123456789abcdef-x", want: false},
		{name: "a short number", fileName: TempPrefix + "0123456789abcde", want: false},
		{name: "no number", fileName: TempPrefix + "mine", want: false},
		{name: "no prefix", fileName: "0123456789abcdef", want: false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, IsTempName(tt.fileName))
		})
	}
}
