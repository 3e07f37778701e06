package memoryfiles

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPlace(t *testing.T) {
	tests := map[string]struct {
		before string
		suits  bool
		want   string
	}{
		"in memory":              {"", true, "/memory"},
		"without enough memory":  {"", false, ""},
		"where the command says": {"/somewhere", true, "/somewhere"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TMPDIR", tt.before)
			place("/memory", func(string) bool { return tt.suits })
			require.Equal(t, tt.want, os.Getenv("TMPDIR"))
		})
	}
}

// A missing directory and a directory in another kind of file system do not suit.
func TestSuitsNoOtherDirectory(t *testing.T) {
	for _, dir := range []string{"/does-not-exist", "/proc"} {
		require.False(t, suits(dir), dir)
	}
}
