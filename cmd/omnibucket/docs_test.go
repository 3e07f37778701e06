package main

import (
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const manual = "../../docs/cli.md"

func TestTheManualHasEveryCommandAndExitCode(t *testing.T) {
	text := readFile(t, manual)
	p := &program{environment: newShell(t).around(nil, io.Discard, io.Discard), out: newOutput(io.Discard, func() {})}
	root := p.rootCommand()
	for _, c := range root.Commands() {
		require.Contains(t, text, "`"+c.Name()+" ", "docs/cli.md")
	}
	for _, code := range regexp.MustCompile(`(?m)^  (\d+) `).FindAllStringSubmatch(root.Long, -1) {
		require.Contains(t, text, "\n| "+code[1]+" |", "docs/cli.md")
	}
	for _, flag := range regexp.MustCompile("`(--[a-z-]+)").FindAllStringSubmatch(text, -1) {
		known := false
		for _, c := range root.Commands() {
			known = known || c.Flags().Lookup(strings.TrimPrefix(flag[1], "--")) != nil
		}
		require.True(t, known || flag[1] == "--help", "docs/cli.md names %s", flag[1])
	}
}

// The session runs in a real shell, in which the test binary is the program.
func TestTheShortestSessionOfTheManualWorks(t *testing.T) {
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(readFile(t, manual), -1)
	require.Len(t, blocks, 2, "the build and the session")
	program, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), "sh", "-e", "-c", `omnibucket() { "$PROGRAM" "$@"; }`+"\n"+blocks[1][1])
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "PROGRAM="+program, asProgram+"=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Regexp(t, `^ +6  \S+Z  greetings/hello\.txt\nhello\n$`, string(out))
}
