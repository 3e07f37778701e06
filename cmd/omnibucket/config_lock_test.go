package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/cmd/omnibucket/internal/config"
)

// If several commands change the configuration at the same time, no change is lost.
func TestConfigChangesAtOnce(t *testing.T) {
	s, path := newConfiguredShell(t, "")
	const commands = 40
	codes := make([]int, commands)
	var running sync.WaitGroup
	for i := range commands {
		running.Go(func() {
			codes[i] = run(t.Context(), []string{"config", "add", fmt.Sprintf("box%02d", i), "mem://box"}, s.environment(nil, io.Discard, io.Discard))
		})
	}
	running.Wait()
	require.Equal(t, make([]int, commands), codes)
	require.Len(t, splitLines(s.ok("config", "list")), commands)

	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1, "no lock and no temporary file stays")
}

// If two commands add the same name at the same time, only one succeeds.
func TestConfigAddOfOneNameAtOnce(t *testing.T) {
	for range 10 {
		s, _ := newConfiguredShell(t, "")
		var codes [4]int
		var running sync.WaitGroup
		for i := range codes {
			running.Go(func() {
				codes[i] = run(t.Context(), []string{"config", "add", "box", fmt.Sprintf("mem://box%d", i)}, s.environment(nil, io.Discard, io.Discard))
			})
		}
		running.Wait()
		added := 0
		for _, code := range codes {
			if code == 0 {
				added++
			}
		}

		require.Equal(t, 1, added, codes)
	}
}

// An interrupt ends a command that waits for the lock of the configuration.
func TestConfigInterruptedInItsWait(t *testing.T) {
	s, path := newConfiguredShell(t, "")
	unlock, err := config.LockBeside(t.Context(), path)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	exit := make(chan int)
	go func() {
		exit <- run(ctx, []string{"config", "add", "box", "mem://box"}, s.environment(nil, io.Discard, io.Discard))
	}()
	s.ok("config", "list") // reading waits for nobody

	cancel()
	require.Equal(t, 130, <-exit)
	unlock()
	require.Empty(t, s.ok("config", "list"))
	s.ok("config", "add", "box", "mem://box")
}
