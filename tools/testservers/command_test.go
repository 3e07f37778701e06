package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// runCommand returns the exit code of the command, and runs it with the given directory and variables.
func TestRunCommandExitCode(t *testing.T) {
	tests := []struct {
		name   string
		script string
		want   int
	}{
		{name: "success", script: "exit 0", want: 0},
		{name: "failure", script: "exit 7", want: 7},
		{name: "ended by a signal", script: "kill -TERM $$", want: 128 + int(syscall.SIGTERM)},
		{name: "a variable", script: `test "$NAME" = "a value"`, want: 0},
		{name: "its directory", script: "test -f here", want: 0},
		{name: "its own PWD", script: `test -f "$PWD/here"`, want: 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "here"), nil, 0o600))
			command := []string{"sh", "-c", tt.script}
			variables := []string{"NAME=a value"}
			code, err := runCommand(dir, command, variables, nil)
			require.NoError(t, err)
			require.Equal(t, tt.want, code)
		})
	}
}

// If the command is missing, runCommand fails with the exit code 1.
func TestRunCommandMissing(t *testing.T) {
	code, err := runCommand(t.TempDir(), []string{"no-such-command-anywhere"}, nil, nil)
	require.Error(t, err)
	require.Equal(t, 1, code)
}

// runCommand passes signals on to the command.
func TestRunCommandSignals(t *testing.T) {
	signals := make(chan os.Signal, 1)
	signals <- syscall.SIGTERM
	code, err := runCommand(t.TempDir(), []string{"sleep", "60"}, nil, signals)
	require.NoError(t, err)
	require.Equal(t, 128+int(syscall.SIGTERM), code)
}
