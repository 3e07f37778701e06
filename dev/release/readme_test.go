package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// The first program of the README runs as the page says: the commands of its first blocks, with the
// program as main.go, in an empty directory. The library comes from a module proxy, as for everybody.
func TestTheFirstProgramOfTheReadmeRuns(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	page, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	first := regexp.MustCompile("(?s)```sh\n(.*?)```.*?Save this as `main.go`:.*?```go\n(.*?)```\n\n```sh\n(.*?)```").FindSubmatch(page)
	require.NotNil(t, first)

	p, err := newProxy(&repository{root: root, golang: "go"}, t.TempDir(), checkVersion())
	require.NoError(t, err)
	t.Cleanup(p.remove)
	env, err := p.env()
	require.NoError(t, err)
	program := filepath.Join(t.TempDir(), "main.go")
	require.NoError(t, os.WriteFile(program, first[2], 0o600))
	script := string(first[1]) + "cp \"$PROGRAM\" main.go\n" + string(first[3])
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", script)
	cmd.Dir, cmd.Env = t.TempDir(), append(os.Environ(), append(env, "PROGRAM="+program, "GOFLAGS=")...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "hello, text/plain; charset=utf-8, <nil>\n")
}
