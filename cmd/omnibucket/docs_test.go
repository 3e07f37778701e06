package main

import (
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
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

// The manual has every command and exit code.
func TestManualHasEveryCommand(t *testing.T) {
	text := readFile(t, manual)
	p := program.New(newShell(t).environment(nil, io.Discard, io.Discard), console.NewOutput(io.Discard, func() {}), nil)
	root := rootCommand(p)

	for _, c := range root.Commands() {
		require.Contains(t, text, "`"+c.Name()+" ", "docs/cli.md")
	}

	for _, code := range regexp.MustCompile(`(?m)^  (\d+) `).FindAllStringSubmatch(root.Long, -1) {
		require.Contains(t, text, "\n| "+code[1]+" |", "docs/cli.md")
	}

	for _, flag := range flagsIn(text) {
		ok := root.PersistentFlags().Lookup(flag) != nil
		for _, c := range root.Commands() {
			ok = ok || c.Flags().Lookup(flag) != nil
		}
		require.True(t, ok || flag == "help", "docs/cli.md names --%s", flag)
	}
}

// flagsIn returns the flags that a text names.
func flagsIn(text string) (names []string) {
	for _, flag := range regexp.MustCompile("`--([a-z0-9-]+)").FindAllStringSubmatch(text, -1) {
		names = append(names, flag[1])
	}
	return names
}

// The manual of the S3 server has its flags.
func TestManualOfS3Server(t *testing.T) {
	var f serving.S3Flags
	c := &cobra.Command{}
	f.Register(c)
	flags := flagsIn(readFile(t, s3Manual))
	names := append(f.Names, "domain")
	for _, name := range names {
		require.Contains(t, flags, name)
	}
	for _, name := range flags {
		require.Contains(t, append(names, "s3", "listen", "version"), name) // version is of s3server alone
	}
}

// The shortest session of the manual works in a real shell, in which the test binary is the program.
func TestManualSession(t *testing.T) {
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(readFile(t, manual), -1)
	require.Len(t, blocks, 2, "the build and the session")
	program, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), "sh", "-e", "-c", `omnibucket() { "$PROGRAM" "$@"; }`+"\n"+blocks[1][1])
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "PROGRAM="+program, asProgram+"=1")
	data, err := cmd.CombinedOutput()
	require.NoError(t, err, string(data))
	require.Regexp(t, `^uploaded - to .*\n +6  \S+Z  greetings/hello\.txt\nhello\n$`, string(data))
}

// The Job of the manual has a valid command line: tools/release checks that the rest of the manifest is a Job.
func TestManualJob(t *testing.T) {
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
	require.Len(t, job.Spec.Template.Spec.Containers, 1)
	args := job.Spec.Template.Spec.Containers[0].Args

	s := newShell(t)
	s.env["OMNIBUCKET_STATE"], s.env["OMNIBUCKET_OLD"], s.env["OMNIBUCKET_NEW"] = newMemoryAddress(t)+"-state", newMemoryAddress(t)+"-old", newMemoryAddress(t)+"-new"
	s.env["JOB_COMPLETION_INDEX"] = "63" // Kubernetes sets it
	s.put("old:a", "a")

	for i, arg := range args {
		for address, name := range map[string]string{"s3://migration-state/": "state:", "s3://old-bucket": "old:", "gs://new-bucket": "new:"} {
			prefix, suffix, ok := strings.Cut(arg, address)
			if ok {
				l, err := location.Parse(address+suffix, nil)
				require.NoError(t, err)
				arg = prefix + name + l.Key
			}
		}
		require.NotContains(t, arg, "://", "an address that this test does not replace")
		args[i] = arg
	}

	s.ok(args...)
	for i := range 64 { // the key has one of the shards
		s.ok(append(args, "--shard="+strconv.Itoa(i)+"/64")...)
	}
	require.Equal(t, "a", s.ok("cat", "new:a"))
}
