package main

import (
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// started is the program in a process of its own.
func started(t *testing.T, args ...string) (process *exec.Cmd, in io.WriteCloser, out io.ReadCloser) {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	process = exec.CommandContext(t.Context(), program, args...)
	process.Env = append(os.Environ(), asProgram+"=1")
	in, err = process.StdinPipe()
	require.NoError(t, err)
	out, err = process.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, process.Start())
	return process, in, out
}

func exitOf(t *testing.T, process *exec.Cmd) int {
	t.Helper()
	var exit *exec.ExitError
	require.ErrorAs(t, process.Wait(), &exit)
	return exit.ExitCode()
}

// moreThanAPipeHolds can only be written while another process reads.
var moreThanAPipeHolds = strings.Repeat("x", 1<<20)

func TestASignalInterrupts(t *testing.T) {
	bucket := directory(t)
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		process, in, _ := started(t, "cp", "-", bucket+"#a")
		_, err := io.WriteString(in, moreThanAPipeHolds) // it is being read
		require.NoError(t, err)
		require.NoError(t, process.Process.Signal(signal))
		require.Equal(t, 130, exitOf(t, process))
	}
	require.Empty(t, newShell(t).ok("ls", bucket))
}

func TestHeadMayCloseThePipe(t *testing.T) {
	s := newShell(t)
	bucket := directory(t)
	s.put(bucket+"#a", moreThanAPipeHolds)
	process, _, out := started(t, "cat", bucket+"#a")
	_, err := io.ReadFull(out, make([]byte, 10))
	require.NoError(t, err)
	require.NoError(t, out.Close())
	require.Equal(t, 141, exitOf(t, process))
}
