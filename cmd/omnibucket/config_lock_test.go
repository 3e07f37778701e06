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
	const commands = 40
	s, path := newConfiguredShell(t, "")
	codes := make([]int, commands)
	var group sync.WaitGroup
	for i := range commands {
		group.Go(func() {
			args := []string{"config", "add", fmt.Sprintf("box%02d", i), "mem://box"}
			codes[i] = run(t.Context(), args, s.environment(nil, io.Discard, io.Discard))
		})
	}
	group.Wait()

	for i, code := range codes {
		require.Equal(t, exitOK, code, "box%02d", i)
	}
	require.Len(t, splitLines(s.run("config", "list")), commands)
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1, "must leave no lock and no temporary file")
}

// If several commands add the same name at the same time, only one succeeds.
func TestConfigAddOfOneNameAtOnce(t *testing.T) {
	// The race does not occur in each attempt.
	const attempts = 10
	const commands = 4
	for range attempts {
		s, _ := newConfiguredShell(t, "")
		codes := make([]int, commands)
		var group sync.WaitGroup
		for i := range codes {
			group.Go(func() {
				args := []string{"config", "add", "box", fmt.Sprintf("mem://box%d", i)}
				codes[i] = run(t.Context(), args, s.environment(nil, io.Discard, io.Discard))
			})
		}
		group.Wait()

		succeeded := 0
		for _, code := range codes {
			if code == exitOK {
				succeeded++
			}
		}
		require.Equal(t, 1, succeeded, codes)
	}
}

// An interrupt ends a command that waits for the lock of the configuration.
func TestConfigInterruptedInItsWait(t *testing.T) {
	// Another program has the lock, so config add waits for it.
	s, path := newConfiguredShell(t, "")
	unlock, err := config.LockBeside(t.Context(), path)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	exitCode := make(chan int)
	go func() {
		args := []string{"config", "add", "box", "mem://box"}
		exitCode <- run(ctx, args, s.environment(nil, io.Discard, io.Discard))
	}()

	// A command that reads does not wait for the lock.
	s.run("config", "list")

	// Canceling the context has the effect of SIGINT.
	cancel()
	require.Equal(t, exitInterrupted, <-exitCode)

	// The interrupted command has added nothing, and a later one gets the lock.
	unlock()
	require.Empty(t, s.run("config", "list"))
	s.run("config", "add", "box", "mem://box")
}
