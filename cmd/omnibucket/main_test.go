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

// startProcess starts the program in a process of its own, with pipes for its standard input and output.
// Its standard error is collected in process.Stderr.
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

// waitForExit waits for a process that must fail, and returns its exit code.
func waitForExit(t *testing.T, process *exec.Cmd) int {
	t.Helper()
	var exit *exec.ExitError
	require.ErrorAs(t, process.Wait(), &exit)
	return exit.ExitCode()
}

// moreThanAPipeHolds can only be written while another process reads.
var moreThanAPipeHolds = strings.Repeat("x", 1<<20)

// A signal ends an upload with exit code 130, and nothing is stored.
func TestSignalInterrupts(t *testing.T) {
	bucket := newDirectoryAddress(t)
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		process, stdin, _ := startProcess(t, "cp", "-", bucket+"#a")

		// No pipe holds the whole text, so the process must have begun to read when the write
		// returns.
		_, err := io.WriteString(stdin, moreThanAPipeHolds)
		require.NoError(t, err)

		require.NoError(t, process.Process.Signal(signal))
		require.Equal(t, exitInterrupted, waitForExit(t, process))
	}
	require.Empty(t, newShell(t).run("ls", bucket))
}

// A signal ends a command that opens a named pipe. The command waits there until another program
// opens the pipe to write.
func TestSignalDuringOpenOfANamedPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	env := newShell(t).environment(nil, io.Discard, io.Discard)
	ctx, cancel := context.WithCancel(t.Context())
	timer := time.AfterFunc(100*time.Millisecond, cancel)
	defer timer.Stop()

	require.Equal(t, exitInterrupted, run(ctx, []string{"cp", pipe, newDirectoryAddress(t) + "#a"}, env))

	// A goroutine still waits in the system call that opens the pipe. This call ends when the test
	// opens the pipe to write.
	writer, err := os.OpenFile(pipe, os.O_RDWR, 0)
	require.NoError(t, err)
	require.NoError(t, writer.Close())
}

// cp stores what another program writes to a named pipe.
func TestCpFromANamedPipe(t *testing.T) {
	bucket := newDirectoryAddress(t)
	pipe := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	process, stdin, _ := startProcess(t, "cp", pipe, bucket+"#a")
	require.NoError(t, stdin.Close())

	writer, err := os.OpenFile(pipe, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = io.WriteString(writer, "piped")
	require.NoError(t, err)
	require.NoError(t, writer.Close())

	require.NoError(t, process.Wait())
	require.Equal(t, "piped", newShell(t).run("cat", bucket+"#a"))
}

// If the reader of the output closes its pipe, as head does, the command exits with code 141.
func TestBrokenPipeOfHead(t *testing.T) {
	s := newShell(t)
	bucket := newDirectoryAddress(t)
	s.put(bucket+"#a", moreThanAPipeHolds)
	process, _, stdout := startProcess(t, "cat", bucket+"#a")
	_, err := io.ReadFull(stdout, make([]byte, 10))
	require.NoError(t, err)
	require.NoError(t, stdout.Close())

	require.Equal(t, exitBrokenPipe, waitForExit(t, process))
}

// If standard output is on a full disk, a command fails and a hint says so.
func TestOutputFull(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("this system has no /dev/full")
	}
	defer func() {
		require.NoError(t, full.Close())
	}()

	bucket := newDirectoryAddress(t)
	newShell(t).put(bucket+"#a", "a")
	program, err := os.Executable()
	require.NoError(t, err)

	for _, args := range [][]string{
		{"ls", bucket},
		{"cat", bucket + "#a"},
		{"rm", "-v", bucket + "#a"},
		{"run", "-"},
		{"completion", "bash"},
	} {
		var stderr strings.Builder
		process := exec.CommandContext(t.Context(), program, args...)
		process.Env = append(os.Environ(), asProgram+"=1")
		// Only the command "run" reads this line.
		process.Stdin = strings.NewReader("version\n")
		process.Stdout = full
		process.Stderr = &stderr
		require.NoError(t, process.Start())

		require.Equal(t, exitFailure, waitForExit(t, process), args)
		require.Contains(t, stderr.String(), "omnibucket: writing the output: ", args)
		require.Contains(t, stderr.String(), "hint: free some space: the disk is full\n", args)
	}
}

// If mv is killed, again and again, each file is complete at its source or at its destination.
func TestMvKilled(t *testing.T) {
	const fileCount = 100
	src := t.TempDir()
	dst := t.TempDir()
	files := map[string]string{}
	for i := range fileCount {
		files[fmt.Sprintf("%d/%d", i%7, i)] = strings.Repeat("x", i)
	}
	writeFiles(t, src, files)
	countUnmoved := func() (count int) {
		for path := range files {
			if _, err := os.Lstat(filepath.Join(src, path)); err == nil {
				count++
			}
		}
		return count
	}

	// Kill mv each time that it has moved an eighth of the files, until one run moves the last files.
	kills := 0
	for finished := false; !finished; {
		wantUnmoved := countUnmoved() - fileCount/8
		finished = runAndKill(t, func() bool { return countUnmoved() <= wantUnmoved },
			"mv", "-r", src+"/", "file://"+filepath.ToSlash(dst)+"#moved")
		if !finished {
			kills++
		}

		for path, text := range files {
			if _, err := os.ReadFile(filepath.Join(src, path)); err == nil {
				continue
			}
			moved, err := os.ReadFile(filepath.Join(dst, "moved", path))
			require.NoError(t, err, path)
			require.Equal(t, text, string(moved), path)
		}
		require.Less(t, kills, 2*fileCount)
	}

	// A directory that became empty when mv was killed may stay.
	require.Zero(t, countUnmoved())
	require.Positive(t, kills)
}

// runAndKill runs the program in a process of its own, and kills it when a condition holds. finished reports whether the
// process succeeded before the kill.
func runAndKill(t *testing.T, condition func() bool, args ...string) (finished bool) {
	t.Helper()
	process, stdin, stdout := startProcess(t, args...)
	require.NoError(t, stdin.Close())
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		// The output ends when the process ends.
		_, _ = io.Copy(io.Discard, stdout)
	}()

	for running := true; running && !condition(); {
		select {
		case <-exited:
			running = false
		default:
		}
	}

	// The process may have ended already.
	_ = process.Process.Kill()
	<-exited
	return process.Wait() == nil
}
