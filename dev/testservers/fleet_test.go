package main

import (
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// A presentTool exists already: it is the program of the test.
type presentTool struct{ program string }

func (presentTool) dir() string    { return "present" }
func (presentTool) pins() []string { return nil }

func (presentTool) stamp(context.Context) (string, error) { return "one", nil }

func (p presentTool) build(_ context.Context, _, path string) error {
	return os.Symlink(p.program, path)
}

func (presentTool) command(_ context.Context, path string) ([]string, error) {
	return []string{path}, nil
}

// acts are servers that behave in this way.
func acts(t *testing.T, how ...string) []server {
	t.Helper()
	t.Setenv("OMNIBUCKET_CACHE", t.TempDir())
	program, err := os.Executable()
	require.NoError(t, err)
	var all []server
	for _, act := range how {
		all = append(all, server{name: "fake", tool: presentTool{program}, launch: acting(act)})
	}
	return all
}

func TestServersStartTogether(t *testing.T) {
	var f fleet
	meeting := "two in " + t.TempDir()
	require.NoError(t, f.start(t.Context(), acts(t, meeting, meeting)), "each is ready only with the other")
	require.Len(t, f.running, 2)
	require.Len(t, f.variables, 4, "an address and a key each")
	require.NoError(t, f.stop())
}

func TestAServerThatEndsIsRetriedAndReported(t *testing.T) {
	var f fleet
	err := f.start(t.Context(), acts(t, "serves", "ends"))
	require.ErrorIs(t, err, errEnded)
	require.ErrorContains(t, err, "cannot go on")
	require.Len(t, f.dirs, 1+startAttempts, "only the one that ended")
	require.Len(t, f.running, 1)
	require.NoError(t, f.stop())
	for _, dir := range f.dirs {
		require.NoDirExists(t, dir)
	}
}
