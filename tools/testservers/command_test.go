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
	for name, row := range map[string]struct {
		script string
		want   int
	}{
		"success":           {"exit 0", 0},
		"failure":           {"exit 7", 7},
		"ended by a signal": {"kill -TERM $$", 128 + int(syscall.SIGTERM)},
		"a variable":        {`test "$NAME" = "a value"`, 0},
		"its directory":     {"test -f here", 0},
		"its own PWD":       {`test -f "$PWD/here"`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "here"), nil, 0o600))
			code, err := runCommand(dir, []string{"sh", "-c", row.script}, []string{"NAME=a value"}, nil)
			require.NoError(t, err)
			require.Equal(t, row.want, code)
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
