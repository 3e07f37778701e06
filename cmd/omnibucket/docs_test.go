package main

import (
	"io"
	"os"
	"os/exec"
	"regexp"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

const (
	manual   = "../../docs/cli.md"
	s3Manual = "../../docs/s3server.md"
)

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
	for _, flag := range flagsIn(text) {
		known := root.PersistentFlags().Lookup(flag) != nil
		for _, c := range root.Commands() {
			known = known || c.Flags().Lookup(flag) != nil
		}
		require.True(t, known || flag == "help", "docs/cli.md names --%s", flag)
	}
}

// flagsIn returns the flags that a text names.
func flagsIn(text string) (names []string) {
	for _, flag := range regexp.MustCompile("`--([a-z0-9-]+)").FindAllStringSubmatch(text, -1) {
		names = append(names, flag[1])
	}
	return names
}

func TestTheManualOfTheS3ServerHasItsFlags(t *testing.T) {
	var f s3Flags
	c := &cobra.Command{}
	f.register(c)
	named := flagsIn(readFile(t, s3Manual))
	for _, name := range f.names {
		require.Contains(t, named, name)
	}
	for _, name := range named {
		require.Contains(t, append([]string{"s3", "listen"}, f.names...), name)
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
