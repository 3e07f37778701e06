package main

import (
	"context"
	"crypto/rand"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

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

// fakeServers returns servers that behave in these ways. They are processes of the test program.
func fakeServers(t *testing.T, how ...string) []server {
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

// If each of two servers is ready only with the other, start starts both.
func TestFleetStartsTogether(t *testing.T) {
	var f fleet
	meeting := "two in " + t.TempDir()
	require.NoError(t, f.start(t.Context(), fakeServers(t, meeting, meeting)), "each is ready only with the other")
	require.Len(t, f.running, 2)
	require.Len(t, f.variables, 4, "an address and a key each")
	require.NoError(t, f.stop())
}

// If a server ends before it is ready, start tries again and then fails with the server's output.
func TestFleetServerEnds(t *testing.T) {
	var f fleet
	err := f.start(t.Context(), fakeServers(t, "serves", "ends"))
	require.ErrorIs(t, err, errEnded)
	require.ErrorContains(t, err, "cannot go on")
	require.Len(t, f.dirs, 1+startAttempts, "only the one that ended")
	require.Len(t, f.running, 1)

	require.NoError(t, f.stop())
	for _, dir := range f.dirs {
		require.NoDirExists(t, dir)
	}
}

// If a server ends while the command runs, the fleet reports it at once.
func TestFleetServerEndsDuringTheCommand(t *testing.T) {
	var f fleet
	require.NoError(t, f.start(t.Context(), fakeServers(t, "serves")))
	reported := make(chan error, 1)
	f.watch(t.Context(), func(err error) {
		reported <- err
	})
	require.NoError(t, f.check(t.Context()))

	require.NoError(t, f.running[0].command.Process.Kill())
	require.ErrorIs(t, <-reported, errEnded)
	require.ErrorContains(t, f.check(t.Context()), "fake: ", "and it is named if the command fails")
	require.ErrorIs(t, f.stop(), errEnded)
}

// A server has the same address and directory in each run. If another run uses them, it gets others.
func TestFleetUsualAddress(t *testing.T) {
	servers := fakeServers(t, "serves")

	// The first two runs overlap. The third one begins after the first.
	var first, second, third fleet
	require.NoError(t, first.start(t.Context(), servers))
	require.NoError(t, second.start(t.Context(), servers))
	require.NoError(t, first.stop())
	require.NoError(t, third.start(t.Context(), servers))

	// The variables have the addresses.
	require.Equal(t, first.variables, third.variables)
	require.Equal(t, first.dirs, third.dirs)
	require.NotEqual(t, first.variables, second.variables)
	require.NotEqual(t, first.dirs, second.dirs)

	require.NoError(t, second.stop())
	require.NoError(t, third.stop())
}

// The usual address of a server depends on its name, its program and the settings.
func TestUsualHostOfAVersion(t *testing.T) {
	same := usualHost([]byte("settings"), "minio", []string{"minio-1"})
	require.Equal(t, same, usualHost([]byte("settings"), "minio", []string{"minio-1"}))
	for name, other := range map[string]string{
		"other settings":       usualHost([]byte("others"), "minio", []string{"minio-1"}),
		"another server":       usualHost([]byte("settings"), "minio-tls", []string{"minio-1"}),
		"another program":      usualHost([]byte("settings"), "minio", []string{"minio-2"}),
		"one with an argument": usualHost([]byte("settings"), "minio", []string{"minio-1", "x"}),
	} {
		require.NotEqual(t, same, other, name)
	}
}

// If a port is in use, freeHost returns another one.
func TestFreeHostIsNotTaken(t *testing.T) {
	free, err := freeHost("", nil)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", free)
	require.NoError(t, err)
	defer listener.Close()

	for range 20 {
		host, err := freeHost(free, nil)
		require.NoError(t, err)
		require.NotEqual(t, free, host)

		_, text, err := net.SplitHostPort(host)
		require.NoError(t, err)
		port, err := strconv.Atoi(text)
		require.NoError(t, err)
		require.True(t, firstPort <= port && port <= lastPort, host)
	}
}

// If the fleet has given an address to one server, freeHost gives another one to the next.
func TestFreeHostIsUnique(t *testing.T) {
	free, err := freeHost("", nil)
	require.NoError(t, err)
	host, err := freeHost(free, []string{free})
	require.NoError(t, err)
	require.NotEqual(t, free, host, "the first server may not listen yet")
}

// A killed run leaves its directory behind. If the directory is old, newDir replaces it. A younger one may belong to a
// run that is just starting, so newDir creates another directory.
func TestNewDirAfterAKill(t *testing.T) {
	tests := []struct {
		name         string
		age          time.Duration // of the directory that was left
		wantReplaced bool
	}{
		{name: "old directory", age: 2 * time.Hour, wantReplaced: true},
		{name: "directory of a run that may be starting", age: time.Second, wantReplaced: false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			const host = "127.0.0.1:1"
			server := rand.Text()

			// Leave a directory of this age with a file in it.
			oldDir, err := newDir(server, host)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, os.RemoveAll(oldDir)) })
			require.NoError(t, os.WriteFile(filepath.Join(oldDir, "data"), nil, 0o600))
			start := time.Now().Add(-tt.age)
			require.NoError(t, os.Chtimes(oldDir, start, start))

			// The new directory lacks this file, and has the same path if it replaces the old one.
			dir, err := newDir(server, host)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
			replaced := dir == oldDir
			require.Equal(t, tt.wantReplaced, replaced)
			require.NoFileExists(t, filepath.Join(dir, "data"))
		})
	}
}
