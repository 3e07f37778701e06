package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// If a reader runs the first commands of the README in an empty directory, the program prints what the page says.
// The library comes from a module proxy.
func TestReadmeFirstProgramRuns(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	page, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)

	// The README shows commands, a program for the file main.go, and further commands.
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```.*?Save this as `main.go`:.*?```go\n(.*?)```\n\n```sh\n(.*?)```")
	match := blocks.FindSubmatch(page)
	require.NotNil(t, match)
	firstCommands := string(match[1])
	code := match[2]
	lastCommands := string(match[3])

	// Run all commands in an empty directory. The last ones run the program twice.
	env := moduleProxyEnv(t, root)
	program := filepath.Join(t.TempDir(), "main.go")
	require.NoError(t, os.WriteFile(program, code, 0o600))
	script := firstCommands + "cp \"$PROGRAM\" main.go\n" + lastCommands
	output := shell(t, t.TempDir(), append(env, "PROGRAM="+program), script)
	require.Equal(t, 2, strings.Count(output, "hello, text/plain; charset=utf-8, 5 bytes\n"), output)
}

// If a reader copies the files of two pages of the documentation into an empty directory, the programs build and their
// tests pass. Only make install-check runs this.
func TestProgramsOfThePagesRun(t *testing.T) {
	if os.Getenv("OMNIBUCKET_PAGES") == "" {
		t.Skip("OMNIBUCKET_PAGES is not set: make install-check sets it")
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	env := moduleProxyEnv(t, root)

	t.Run("tests of a backend", func(t *testing.T) {
		// The page adds files in four steps. After each step, the tests pass.
		steps := [][]string{
			{"notes.go", "notes_test.go"},
			{"faults_test.go"},
			{"clock_test.go"},
			{"stores_test.go"},
		}
		dir := t.TempDir()
		files := snippets(t, filepath.Join(root, "docs", "testing-your-backend.md"))
		shell(t, dir, env, "go mod init notes")
		for _, names := range steps {
			for _, name := range names {
				require.NotEmpty(t, files[name], name)
				require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(files[name]), 0o600))
			}
			output := shell(t, dir, env, "go mod tidy && go test .")
			require.Contains(t, output, "ok", names[0])
		}
	})

	t.Run("files of users", func(t *testing.T) {
		dir := t.TempDir()
		files := snippets(t, filepath.Join(root, "docs", "files-of-users.md"))
		for _, name := range []string{"main.go", "page.html"} {
			require.NotEmpty(t, files[name], name)
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(files[name]), 0o600))
		}
		shell(t, dir, env, "go mod init pictures && go mod tidy && go build .")
	})
}

// moduleProxyEnv returns the variables with which the Go command gets the library from a module proxy.
func moduleProxyEnv(t *testing.T, root string) []string {
	t.Helper()
	p, err := newProxy(&repository{root: root, golang: "go"}, t.TempDir(), checkVersion())
	require.NoError(t, err)
	t.Cleanup(p.remove)
	env, err := p.env()
	require.NoError(t, err)
	return append(env, "GOFLAGS=")
}

func shell(t *testing.T, dir string, env []string, script string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", script)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	data, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", data)
	return string(data)
}

// snippets returns the files that a page shows, by name. A file may come in several parts.
func snippets(t *testing.T, page string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	files := map[string]string{}
	for _, match := range regexp.MustCompile("(?s)<!-- \\S*/(\\S+) -->\n```\\w+\n(.*?)```").FindAllSubmatch(text, -1) {
		files[string(match[1])] += "\n" + string(match[2])
	}
	return files
}
