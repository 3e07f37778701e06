package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// startProcess starts the program in a process of its own.
func startProcess(t *testing.T, args ...string) (process *exec.Cmd, in io.WriteCloser, out io.ReadCloser) {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	process = exec.CommandContext(t.Context(), program, args...)
	process.Env = append(os.Environ(), asProgram+"=1")
	process.Stderr = &strings.Builder{}
	in, err = process.StdinPipe()
	require.NoError(t, err)
	out, err = process.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, process.Start())
	return process, in, out
}

func waitForExit(t *testing.T, process *exec.Cmd) int {
	t.Helper()
	var exit *exec.ExitError
	require.ErrorAs(t, process.Wait(), &exit)
	return exit.ExitCode()
}

// moreThanAPipeHolds can only be written while another process reads.
var moreThanAPipeHolds = strings.Repeat("x", 1<<20)

// A signal interrupts.
func TestSignalInterrupts(t *testing.T) {
	bucket := newDirectoryAddress(t)
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		process, stdin, _ := startProcess(t, "cp", "-", bucket+"#a")
		_, err := io.WriteString(stdin, moreThanAPipeHolds) // it is being read
		require.NoError(t, err)
		require.NoError(t, process.Process.Signal(signal))
		require.Equal(t, 130, waitForExit(t, process))
	}
	require.Empty(t, newShell(t).ok("ls", bucket))
}

// A signal ends a command that opens a named pipe, which blocks until another program writes to it.
func TestSignalDuringOpenOfANamedPipe(t *testing.T) {
	bucket := newDirectoryAddress(t)
	pipe := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	s := newShell(t)
	ctx, cancel := context.WithCancel(t.Context())
	timer := time.AfterFunc(100*time.Millisecond, cancel)
	defer timer.Stop()

	require.Equal(t, 130, run(ctx, []string{"cp", pipe, bucket + "#a"}, s.environment(nil, io.Discard, io.Discard)))
	writer, err := os.OpenFile(pipe, os.O_RDWR, 0) // ends the wait
	require.NoError(t, err)
	require.NoError(t, writer.Close())

	pipe += "2" // of the first one, a reader may still be ending
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	process, stdin, _ := startProcess(t, "cp", pipe, bucket+"#b")
	require.NoError(t, stdin.Close())
	writer, err = os.OpenFile(pipe, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = io.WriteString(writer, "piped")
	require.NoError(t, err)
	require.NoError(t, writer.Close())

	require.NoError(t, process.Wait())
	require.Equal(t, "piped", s.ok("cat", bucket+"#b"))
}

// If head closes the pipe, the command exits with 141.
func TestBrokenPipeOfHead(t *testing.T) {
	s := newShell(t)
	bucket := newDirectoryAddress(t)
	s.put(bucket+"#a", moreThanAPipeHolds)
	process, _, stdout := startProcess(t, "cat", bucket+"#a")
	_, err := io.ReadFull(stdout, make([]byte, 10))
	require.NoError(t, err)
	require.NoError(t, stdout.Close())

	require.Equal(t, 141, waitForExit(t, process))
}

// If standard output is on a full disk, the command fails.
func TestOutputFull(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("this system has no /dev/full")
	}
	defer func() {
		require.NoError(t, full.Close())
	}()
	s := newShell(t)
	bucket := newDirectoryAddress(t)
	s.put(bucket+"#a", "a")
	program, err := os.Executable()
	require.NoError(t, err)

	for _, args := range [][]string{{"ls", bucket}, {"cat", bucket + "#a"}, {"rm", "-v", bucket + "#a"}, {"run", "-"}, {"completion", "bash"}} {
		process := exec.CommandContext(t.Context(), program, args...)
		process.Env = append(os.Environ(), asProgram+"=1")
		var errs strings.Builder
		process.Stdin = strings.NewReader("version\n")
		process.Stdout = full
		process.Stderr = &errs
		require.NoError(t, process.Start())

		require.Equal(t, 1, waitForExit(t, process), args)
		require.Contains(t, errs.String(), "omnibucket: writing the output: ", args)
		require.Contains(t, errs.String(), "hint: free some space: the disk is full\n", args)
	}
}

// If mv is killed, each file is at the source or the destination.
func TestMvKilled(t *testing.T) {
	const files = 100
	dir := t.TempDir()
	bucket := t.TempDir()
	tree := map[string]string{}
	for i := range files {
		tree[fmt.Sprintf("%d/%d", i%7, i)] = strings.Repeat("x", i)
	}
	writeFiles(t, dir, tree)
	kills := 0
	count := func() (n int) {
		for key := range tree {
			if _, err := os.Lstat(filepath.Join(dir, key)); err == nil {
				n++
			}
		}
		return n
	}

	for finished := false; !finished; {
		process, stdin, stdout := startProcess(t, "mv", "-r", dir+"/", "file://"+filepath.ToSlash(bucket)+"#moved")
		require.NoError(t, stdin.Close())
		filesBefore := count()
		exited := make(chan struct{})
		go func() {
			defer close(exited)
			_, _ = io.Copy(io.Discard, stdout)
		}()
		for running := true; running && count() > filesBefore-files/8; { // in its middle
			select {
			case <-exited:
				running = false
			default:
			}
		}

		_ = process.Process.Kill()
		<-exited
		finished = process.Wait() == nil
		if !finished {
			kills++
		}

		for key, text := range tree {
			_, srcErr := os.ReadFile(filepath.Join(dir, key))
			moved, dstErr := os.ReadFile(filepath.Join(bucket, "moved", key))
			require.True(t, srcErr == nil || dstErr == nil && string(moved) == text, key)
		}
		require.Less(t, kills, 2*files)
	}
	require.Zero(t, count()) // a directory that became empty when mv was killed may stay
	require.Positive(t, kills)
}
