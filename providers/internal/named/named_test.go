package named

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

func TestNames(t *testing.T) {
	tests := []struct {
		name  string
		valid bool
	}{
		{"work", true}, {"team@example.com", true}, {"a/b", true}, {strings.Repeat("n", 128), true},
		{strings.Repeat("n", 129), false}, {"two words", false}, {"a=b", false}, {"café", false}, {"a\n", false},
	}
	for _, tt := range tests {
		err := Credentials(tt.name).Check()
		if tt.valid {
			require.NoError(t, err, tt.name)
		} else {
			require.ErrorIs(t, err, storage.InvalidArgument, tt.name)
		}
	}
}

// The name of the credentials, in upper case, is the prefix of each environment variable.
func TestVariableHasName(t *testing.T) {
	for name, want := range map[string]string{"work": "WORK_X", "Old-2": "OLD_2_X", "a.b@c": "A_B_C_X"} {
		require.Equal(t, want, Credentials(name).Variable("X"))
	}
	t.Setenv("OLD_2_X", "value")
	require.Equal(t, "value", Credentials("old-2").Get("X"))
}

// The hint of missing credentials names the variables where they were looked for.
func TestMissingHint(t *testing.T) {
	err := Credentials("work").Missing("WORK_KEY", "WORK_FILE")
	require.ErrorIs(t, err, storage.Unauthenticated)
	require.ErrorContains(t, err, "work")
	require.Equal(t, "set WORK_KEY, or WORK_FILE", err.Hint)
}
