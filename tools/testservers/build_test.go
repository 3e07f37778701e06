package main

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// tiny is a module that builds quickly.
func tiny(t *testing.T) goTool {
	t.Helper()
	t.Setenv("OMNIBUCKET_CACHE", t.TempDir())
	dir := t.TempDir()
	t.Chdir(dir)
	require.NoError(t, os.Mkdir("tiny", 0o700))
	for name, content := range map[string]string{
		"go.mod":  "module example.com/tiny\n\ngo 1.26.0\n",
		"go.sum":  "",
		"main.go": "package main\n\nfunc main() {}\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join("tiny", name), []byte(content), 0o600))
	}
	return goTool{module: "tiny", pkg: "example.com/tiny"}
}

func cached(t *testing.T) []string {
	t.Helper()
	dir, err := cacheDir()
	require.NoError(t, err)
	names, err := filepath.Glob(filepath.Join(dir, "tiny-*"))
	require.NoError(t, err)
	return names
}

// If several calls of ensureBuilt run at the same time, one of them builds, and all return the same program.
func TestEnsureBuiltByOneProcess(t *testing.T) {
	g := tiny(t)
	var group sync.WaitGroup
	paths := make([]string, 4)
	for i := range paths {
		group.Go(func() {
			paths[i], _ = ensureBuilt(t.Context(), g)
		})
	}
	group.Wait()

	require.Equal(t, []string{paths[0]}, cached(t), "one file, and no incomplete build")
	for _, path := range paths {
		require.Equal(t, paths[0], path)
	}

	oldInfo, err := os.Stat(paths[0])
	require.NoError(t, err)
	path, err := ensureBuilt(t.Context(), g)
	require.NoError(t, err)
	newInfo, err := os.Stat(path)
	require.NoError(t, err)
	require.True(t, os.SameFile(oldInfo, newInfo), "an existing program is not built again")
}

// If a pinned version changes, the stamp changes, so that the program is built again.
func TestStampOfAChangedPin(t *testing.T) {
	g := tiny(t)
	one, err := g.stamp(t.Context())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join("tiny", "go.sum"), []byte("\n"), 0o600))
	two, err := g.stamp(t.Context())
	require.NoError(t, err)
	require.NotEqual(t, one, two)
}

// If a build fails, ensureBuilt leaves no file in the cache.
func TestEnsureBuiltFailsLeavesNothing(t *testing.T) {
	g := tiny(t)
	require.NoError(t, os.WriteFile(filepath.Join("tiny", "main.go"), []byte("package main\n"), 0o600))
	_, err := ensureBuilt(t.Context(), g)
	require.ErrorContains(t, err, "building tiny")
	require.Empty(t, cached(t))
}

// If ctx is canceled, ensureBuilt fails and leaves no file in the cache.
func TestEnsureBuiltInterrupted(t *testing.T) {
	g := tiny(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := ensureBuilt(ctx, g)
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, cached(t))
}

// If another call has the lock, lock reports that it waits, until the lock is free or ctx ends.
func TestLockWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlockFirst, err := lock(t.Context(), path, func() {
		t.Error("the first call waits")
	})
	require.NoError(t, err)

	// The second call reports that it waits, which cancels its ctx.
	ctx, cancel := context.WithCancel(t.Context())
	_, err = lock(ctx, path, cancel)
	require.ErrorIs(t, err, context.Canceled)

	// The third call reports that it waits, which unlocks the file. It gets the lock.
	waited := false
	unlockThird, err := lock(t.Context(), path, func() {
		waited = true
		unlockFirst()
	})
	require.NoError(t, err)
	require.True(t, waited)
	unlockThird()
}

// If an earlier build was killed, ensureBuilt removes its files.
func TestEnsureBuiltRemovesKilledBuilds(t *testing.T) {
	g := tiny(t)
	dir, err := cacheDir()
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "tiny"+building+"1", "source"), 0o700))
	path, err := ensureBuilt(t.Context(), g)
	require.NoError(t, err)
	require.Equal(t, []string{path}, cached(t))
}
