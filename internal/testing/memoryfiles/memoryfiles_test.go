package memoryfiles

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// place sets TMPDIR to the directory in memory if that suits, unless TMPDIR is already set.
func TestPlace(t *testing.T) {
	tests := map[string]struct {
		before string
		suits  bool
		want   string
	}{
		"in memory":              {before: "", suits: true, want: "/memory"},
		"without enough memory":  {before: "", suits: false, want: ""},
		"where the command says": {before: "/somewhere", suits: true, want: "/somewhere"},
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
