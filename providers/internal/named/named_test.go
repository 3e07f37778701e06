package named

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// Check accepts names of up to 128 characters, and refuses names that no variable or file could have.
func TestNames(t *testing.T) {
	for _, name := range []string{"work", "team@example.com", "a/b", strings.Repeat("n", 128)} {
		require.NoError(t, Credentials(name).Check(), name)
	}
	for _, name := range []string{strings.Repeat("n", 129), "two words", "a=b", "café", "a\n"} {
		require.ErrorIs(t, Credentials(name).Check(), storage.InvalidArgument, name)
	}
}

// Variable returns the name of an environment variable, which begins with the credentials' name in upper case.
func TestVariableHasName(t *testing.T) {
	require.Equal(t, "WORK_X", Credentials("work").Variable("X"))
	require.Equal(t, "OLD_2_X", Credentials("Old-2").Variable("X"))
	require.Equal(t, "A_B_C_X", Credentials("a.b@c").Variable("X"))
}

// Get returns the value of the environment variable that Variable names.
func TestGetVariable(t *testing.T) {
	t.Setenv("OLD_2_X", "value")
	require.Equal(t, "value", Credentials("old-2").Get("X"))
}

// The error of missing credentials contains their name, and its hint says which environment
// variables to set.
func TestMissingHint(t *testing.T) {
	err := Credentials("work").Missing("WORK_KEY", "WORK_FILE")

	require.ErrorIs(t, err, storage.Unauthenticated)
	require.ErrorContains(t, err, "work")
	require.Equal(t, "set WORK_KEY, or WORK_FILE", err.Hint)
}
