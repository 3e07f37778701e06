package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/omnibucket/storage/cmd/omnibucket/internal/console"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/serving"
)

const (
	manual   = "../../docs/cli.md"
	s3Manual = "../../docs/s3server.md"
)

// The manual describes every command and exit code, and names only flags that exist.
func TestManualHasEveryCommand(t *testing.T) {
	text := readFile(t, manual)
	p := program.New(newShell(t).environment(nil, io.Discard, io.Discard), console.NewOutput(io.Discard, func() {}), nil)
	root := rootCommand(p)

	flags := map[string]bool{"help": true} // cobra adds it
	addFlag := func(f *pflag.Flag) { flags[f.Name] = true }
	root.PersistentFlags().VisitAll(addFlag)
	for _, c := range root.Commands() {
		require.Contains(t, text, "`"+c.Name()+" ", "docs/cli.md")
		c.Flags().VisitAll(addFlag)
	}

	for _, flag := range flagsIn(text) {
		require.True(t, flags[flag], "docs/cli.md names --%s", flag)
	}

	exitCodeInHelp := regexp.MustCompile(`(?m)^  (\d+) `)
	for _, match := range exitCodeInHelp.FindAllStringSubmatch(root.Long, -1) {
		require.Contains(t, text, "\n| "+match[1]+" |", "docs/cli.md")
	}
}

// flagsIn returns the flags that a text names.
func flagsIn(text string) (names []string) {
	for _, flag := range regexp.MustCompile("`--([a-z0-9-]+)").FindAllStringSubmatch(text, -1) {
		names = append(names, flag[1])
	}
	return names
}

// The manual of the S3 server names all flags of the server, and no other flags.
func TestManualOfS3Server(t *testing.T) {
	var f serving.S3Flags
	c := &cobra.Command{}
	f.Register(c)
	flags := flagsIn(readFile(t, s3Manual))

	// The manual names the flags of the S3 server, and --domain, a flag of each server that "serve"
	// can start.
	for _, name := range append(f.Names, "domain") {
		require.Contains(t, flags, name)
	}

	// The other flags in the manual are those of "serve", and --version of the program s3server.
	existing := append(f.Names, "domain", "s3", "listen", "version")
	for _, name := range flags {
		require.Contains(t, existing, name)
	}
}

// The short session at the start of the manual works as printed, in a real shell.
func TestManualSession(t *testing.T) {
	blocks := codeBlocks(t, manual, "sh")
	require.Len(t, blocks, 2, "the build and the session")
	session := blocks[1]

	// In the session, "omnibucket" is the test binary. It behaves as the program if asProgram is
	// set.
	testBinary, err := os.Executable()
	require.NoError(t, err)
	binDir := t.TempDir()
	require.NoError(t, os.Symlink(testBinary, filepath.Join(binDir, "omnibucket")))

	shell := exec.CommandContext(t.Context(), "sh", "-e", "-c", session)
	shell.Dir = t.TempDir()
	shell.Env = append(os.Environ(), "PATH="+binDir+string(os.PathListSeparator)+os.Getenv("PATH"), asProgram+"=1")
	output, err := shell.CombinedOutput()
	require.NoError(t, err, string(output))

	// The commands are an upload, a listing and a download. Each prints one line.
	lines := strings.SplitAfter(string(output), "\n")
	require.Len(t, lines, 4)
	require.Regexp(t, `^uploaded - to .*\n$`, lines[0])
	require.Regexp(t, `^ +6  \S+Z  greetings/hello\.txt\n$`, lines[1])
	require.Equal(t, "hello\n", lines[2])
	require.Empty(t, lines[3], "must end after the last line")
}

// codeBlocks returns the code blocks of a language in a Markdown file.
func codeBlocks(t *testing.T, path, language string) (blocks []string) {
	t.Helper()
	pattern := regexp.MustCompile("(?s)```" + language + "\n(.*?)```")
	for _, match := range pattern.FindAllStringSubmatch(readFile(t, path), -1) {
		blocks = append(blocks, match[1])
	}
	return blocks
}

// The Kubernetes Job in the manual has a valid command line.
func TestManualJob(t *testing.T) {
	args := jobArgs(t)
	s := newShell(t)
	s.setLocation("state", newMemoryAddress(t)+"-state")
	s.setLocation("old", newMemoryAddress(t)+"-old")
	s.setLocation("new", newMemoryAddress(t)+"-new")
	s.env["JOB_COMPLETION_INDEX"] = "63" // Kubernetes sets it
	s.put("old:a", "a")

	// Buckets in memory take the place of the manual's buckets.
	locationOf := map[string]string{
		"s3://migration-state/": "state:",
		"s3://old-bucket":       "old:",
		"gs://new-bucket":       "new:",
	}
	for i, arg := range args {
		for address, location := range locationOf {
			arg = replaceAddress(t, arg, address, location)
		}
		require.NotContains(t, arg, "://", "an address that this test does not replace")
		args[i] = arg
	}

	// The job copies the last of 64 shards.
	s.run(args...)

	// Together, all shards copy the object.
	const shards = 64
	for i := range shards {
		s.run(append(args, fmt.Sprintf("--shard=%d/%d", i, shards))...)
	}
	require.Equal(t, "a", s.run("cat", "new:a"))
}

// jobArgs returns the arguments of the only container in the manual's Job.
func jobArgs(t *testing.T) []string {
	t.Helper()
	block := regexp.MustCompile("(?s)```yaml\n(apiVersion:.*?)```").FindStringSubmatch(readFile(t, manual))
	require.NotNil(t, block)
	var job struct {
		Spec struct {
			Template struct {
				Spec struct {
					Containers []struct {
						Args []string `yaml:"args"`
					} `yaml:"containers"`
				} `yaml:"spec"`
			} `yaml:"template"`
		} `yaml:"spec"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(block[1]), &job))
	containers := job.Spec.Template.Spec.Containers
	require.Len(t, containers, 1)
	return containers[0].Args
}

// replaceAddress returns an argument in which the name of a location replaces an address and its
// parameters. The key stays.
func replaceAddress(t *testing.T, arg, address, name string) string {
	t.Helper()
	before, after, found := strings.Cut(arg, address)
	if !found {
		return arg
	}
	l, err := location.Parse(address+after, nil)
	require.NoError(t, err)
	return before + name + l.Key
}
