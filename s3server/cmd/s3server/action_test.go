package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// An action is what the test reads of action.yml.
type action struct {
	Inputs map[string]struct {
		Description string
		Default     *string
	}
	Outputs map[string]struct{ Description, Value string }
	Runs    struct {
		Using string
		Steps []struct {
			ID, Shell, Run string
			Env            map[string]string
		}
	}
}

func readAction(t *testing.T) (a action) {
	t.Helper()
	text, err := os.ReadFile("../../action.yml")
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, &a))
	require.Equal(t, "composite", a.Runs.Using)
	require.Len(t, a.Runs.Steps, 1)
	return a
}

// The action uses each input, and no other.
func TestActionUsesEachInput(t *testing.T) {
	a := readAction(t)
	input := regexp.MustCompile(`^\$\{\{ inputs\.([a-z-]+) \}\}$`)
	used := map[string]bool{}

	for _, value := range a.Runs.Steps[0].Env {
		if names := input.FindStringSubmatch(value); names != nil {
			require.Contains(t, a.Inputs, names[1])
			used[names[1]] = true
		}
	}

	for name, i := range a.Inputs {
		require.True(t, used[name], name)
		require.NotEmpty(t, i.Description, name)
		require.NotNil(t, i.Default, name)
	}
	require.NotContains(t, a.Runs.Steps[0].Run, "${{", "an expression in a script is an injection")

	for name, o := range a.Outputs {
		require.Equal(t, "${{ steps."+a.Runs.Steps[0].ID+".outputs."+name+" }}", o.Value)
		require.Contains(t, a.Runs.Steps[0].Run, `echo "`+name+"=")
	}
}

// asProgram makes the test binary the program.
const asProgram = "S3SERVER_AS_PROGRAM"

// runAction runs the step with inputs, in which the test binary is the program, and returns what it exports.
func runAction(t *testing.T, inputs map[string]string) (exported map[string]string, output string, err error) {
	t.Helper()
	for _, program := range []string{"bash", "nohup", "pgrep", "kill"} { // the last two stop the server
		testserver.Program(t, program)
	}
	a := readAction(t)
	temporary := t.TempDir()
	inputs["program"] = filepath.Join(temporary, "program")
	binary, err := os.Executable()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(inputs["program"], []byte("#!/bin/sh\n"+asProgram+"=1 exec '"+binary+"' \"$@\"\n"), 0o700))
	cmd := exec.CommandContext(t.Context(), "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", a.Runs.Steps[0].Run)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "RUNNER_TEMP=" + temporary, "GITHUB_ENV=" + temporary + "/env", "GITHUB_OUTPUT=" + temporary + "/output"}
	for name, value := range a.Runs.Steps[0].Env {
		if input, ok := strings.CutPrefix(strings.TrimSuffix(value, " }}"), "${{ inputs."); ok {
			value = *a.Inputs[input].Default
			if inputValue, exists := inputs[input]; exists {
				value = inputValue
			}
		}
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	data, err := cmd.CombinedOutput()
	exported = map[string]string{}
	for _, file := range []string{"env", "output"} {
		text, _ := os.ReadFile(filepath.Join(temporary, file)) // a step that failed has none
		for line := range strings.Lines(string(text)) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			exported[name] = value
		}
	}
	if err == nil {
		t.Cleanup(func() { stopServer(t, temporary) })
	}
	return exported, string(data), err
}

// stopServer ends the server that a step has left, as the end of a job does.
func stopServer(t *testing.T, temporary string) {
	t.Helper()
	ids, err := exec.CommandContext(context.Background(), "pgrep", "-f", "--", "--ready-file "+temporary).Output()
	require.NoError(t, err)
	for id := range strings.FieldsSeq(string(ids)) {
		require.NoError(t, exec.CommandContext(context.Background(), "kill", id).Run())
	}
}

// Later steps of a workflow get the server's address from the action.
func TestActionSetsVariablesOfLaterSteps(t *testing.T) {
	exported, output, err := runAction(t, map[string]string{"address": "127.0.0.1:0", "buckets": "photos"})
	require.NoError(t, err, output)
	require.Contains(t, output, "::add-mask::"+exported["AWS_SECRET_ACCESS_KEY"])
	require.Equal(t, exported["endpoint"], exported["AWS_ENDPOINT_URL"])

	for name, value := range exported {
		if strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, value)
		}
	}

	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	c, err := config.LoadDefaultConfig(t.Context())
	require.NoError(t, err)
	list, err := s3.NewFromConfig(c).ListBuckets(t.Context(), &s3.ListBucketsInput{})
	require.NoError(t, err)
	require.Equal(t, "photos", *list.Buckets[0].Name)

	log, err := os.ReadFile(exported["log"])
	require.NoError(t, err)
	require.Contains(t, string(log), "operation=ListBuckets")
}

// If the server does not start, the log of the action shows the reason.
func TestActionTellsWhyServerDoesNotStart(t *testing.T) {
	_, output, err := runAction(t, map[string]string{"address": "256.0.0.1:0"})
	require.Error(t, err)
	require.Contains(t, output, "::error::s3server: listen tcp")
	_, output, err = runAction(t, map[string]string{"access-key-id": "key"})
	require.Error(t, err)
	require.Contains(t, output, "MINIO_ROOT_PASSWORD")
}

// The documentation starts the program by a make target.
func TestMakefileOfManual(t *testing.T) {
	text, err := os.ReadFile("../../../docs/s3server.md")
	require.NoError(t, err)

	rule := regexp.MustCompile("(?s)```make\n(.*?)```").FindStringSubmatch(string(text))
	require.NotNil(t, rule)
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("make is missing")
	}
	dir := t.TempDir()
	binary, err := os.Executable()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "s3server"), []byte("#!/bin/sh\n"+asProgram+"=1 exec '"+binary+"' \"$@\"\n"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go"), []byte("#!/bin/sh\ns3server --health $(cat s3.url) && echo tested\n"), 0o700))
	makeAt := func(address string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "make", "-f", "-")
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
		cmd.Stdin = strings.NewReader(strings.Replace(rule[1], "127.0.0.1:9000", address, 1))
		data, err := cmd.CombinedOutput()
		return string(data), err
	}
	output, err := makeAt("127.0.0.1:0")
	require.NoError(t, err, output)
	require.Contains(t, output, "tested")

	output, err = makeAt("256.0.0.1:0")
	require.Error(t, err, "it does not wait for a server that has ended")
	require.Contains(t, output, "listen")
	require.NotContains(t, output, "tested")
}
