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

// An action holds the parts of action.yml that the test reads.
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

// readAction reads action.yml, whose only step is a script.
func readAction(t *testing.T) (a action) {
	t.Helper()
	text, err := os.ReadFile("../../action.yml")
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, &a))
	require.Equal(t, "composite", a.Runs.Using)
	require.Len(t, a.Runs.Steps, 1)
	return a
}

// The action uses all inputs that it declares, and no others, and sets all its outputs.
func TestActionUsesEachInput(t *testing.T) {
	a := readAction(t)
	step := a.Runs.Steps[0]
	inputExpression := regexp.MustCompile(`^\$\{\{ inputs\.([a-z-]+) \}\}$`)
	used := map[string]bool{}

	// The script reads the inputs from its environment.
	for _, value := range step.Env {
		if match := inputExpression.FindStringSubmatch(value); match != nil {
			name := match[1]
			require.Contains(t, a.Inputs, name)
			used[name] = true
		}
	}

	// Each input is used, and has a description and a default.
	for name, input := range a.Inputs {
		require.True(t, used[name], name)
		require.NotEmpty(t, input.Description, name)
		require.NotNil(t, input.Default, name)
	}
	require.NotContains(t, step.Run, "${{", "an expression in a script permits injections")

	// The script sets each output by printing a line such as "name=value".
	for name, output := range a.Outputs {
		require.Equal(t, "${{ steps."+step.ID+".outputs."+name+" }}", output.Value)
		require.Contains(t, step.Run, `echo "`+name+"=")
	}
}

// asProgram is the environment variable that makes the test binary run as the program.
const asProgram = "S3SERVER_AS_PROGRAM"

// writeProgram writes a script that runs the test binary as the program s3server.
func writeProgram(t *testing.T, path string) {
	t.Helper()
	binary, err := os.Executable()
	require.NoError(t, err)
	script := "#!/bin/sh\n" + asProgram + "=1 exec '" + binary + "' \"$@\"\n"
	require.NoError(t, os.WriteFile(path, []byte(script), 0o700))
}

// runAction runs the script of the action as a GitHub runner does, with inputs. It returns the variables and outputs
// that the script hands to later steps, and what it printed.
func runAction(t *testing.T, inputs map[string]string) (exported map[string]string, output string, err error) {
	t.Helper()
	for _, program := range []string{"bash", "nohup", "pgrep", "kill"} {
		testserver.Program(t, program)
	}
	a := readAction(t)
	step := a.Runs.Steps[0]
	dir := t.TempDir()
	inputs["program"] = filepath.Join(dir, "program")
	writeProgram(t, inputs["program"])

	cmd := exec.CommandContext(t.Context(), "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step.Run)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"),
		"RUNNER_TEMP=" + dir,
		"GITHUB_ENV=" + dir + "/env",
		"GITHUB_OUTPUT=" + dir + "/output",
	}
	for name, value := range step.Env {
		// The value "${{ inputs.x }}" stands for the input x or its default.
		if input, ok := strings.CutPrefix(strings.TrimSuffix(value, " }}"), "${{ inputs."); ok {
			value = *a.Inputs[input].Default
			if inputValue, exists := inputs[input]; exists {
				value = inputValue
			}
		}
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	data, err := cmd.CombinedOutput()
	if err == nil {
		t.Cleanup(func() { stopServer(t, dir) })
	}

	exported = map[string]string{}
	for _, file := range []string{"env", "output"} {
		text, _ := os.ReadFile(filepath.Join(dir, file)) // a step that failed has none
		for line := range strings.Lines(string(text)) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			exported[name] = value
		}
	}
	return exported, string(data), err
}

// stopServer ends the server that runAction has left in dir, as the end of a job does.
func stopServer(t *testing.T, dir string) {
	t.Helper()
	// The context of the test is canceled before its cleanup.
	ctx := context.Background()
	ids, err := exec.CommandContext(ctx, "pgrep", "-f", "--", "--ready-file "+dir).Output()
	require.NoError(t, err)
	for id := range strings.FieldsSeq(string(ids)) {
		require.NoError(t, exec.CommandContext(ctx, "kill", id).Run())
	}
}

// The action sets environment variables by which later steps of a workflow use the server, and hides the secret in the
// log.
func TestActionSetsVariablesOfLaterSteps(t *testing.T) {
	exported, output, err := runAction(t, map[string]string{"address": "127.0.0.1:0", "buckets": "photos"})
	require.NoError(t, err, output)
	require.Contains(t, output, "::add-mask::"+exported["AWS_SECRET_ACCESS_KEY"])
	require.Equal(t, exported["endpoint"], exported["AWS_ENDPOINT_URL"])

	// A client in a later step needs no other configuration.
	for name, value := range exported {
		if strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, value)
		}
	}

	// The SDK must not read the configuration files of this machine.
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)

	c, err := config.LoadDefaultConfig(t.Context())
	require.NoError(t, err)
	list, err := s3.NewFromConfig(c).ListBuckets(t.Context(), &s3.ListBucketsInput{})
	require.NoError(t, err)
	require.Equal(t, "photos", *list.Buckets[0].Name)

	// The log of the server has the client's request.
	log, err := os.ReadFile(exported["log"])
	require.NoError(t, err)
	require.Contains(t, string(log), "operation=ListBuckets")
}

// If the server does not start, the log of the action shows the reason.
func TestActionTellsWhyServerDoesNotStart(t *testing.T) {
	tests := []struct {
		name   string
		inputs map[string]string
		want   string
	}{
		{
			name:   "no such address",
			inputs: map[string]string{"address": "256.0.0.1:0"},
			want:   "::error::s3server: listen tcp",
		},
		{
			name:   "access key without secret key",
			inputs: map[string]string{"access-key-id": "key"},
			want:   "MINIO_ROOT_PASSWORD",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, output, err := runAction(t, tt.inputs)

			require.Error(t, err)
			require.Contains(t, output, tt.want)
		})
	}
}

// The make target in the manual starts the server and runs the project's tests, or fails if the server does not start.
func TestMakefileOfManual(t *testing.T) {
	manual, err := os.ReadFile("../../../docs/s3server.md")
	require.NoError(t, err)

	// The target is in the manual's first block of make.
	match := regexp.MustCompile("(?s)```make\n(.*?)```").FindStringSubmatch(string(manual))
	require.NotNil(t, match)
	target := match[1]
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("make is missing")
	}

	// In place of "go test", the target runs a script that needs the server.
	dir := t.TempDir()
	writeProgram(t, filepath.Join(dir, "s3server"))
	goScript := "#!/bin/sh\ns3server --health $(cat s3.url) && echo tested\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go"), []byte(goScript), 0o700))
	runMake := func(address string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "make", "-f", "-")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
		cmd.Stdin = strings.NewReader(strings.Replace(target, "127.0.0.1:9000", address, 1))
		data, err := cmd.CombinedOutput()
		return string(data), err
	}

	// With a free port, the tests run.
	output, err := runMake("127.0.0.1:0")
	require.NoError(t, err, output)
	require.Contains(t, output, "tested")

	// With an address that does not exist, the server does not start.
	output, err = runMake("256.0.0.1:0")
	require.Error(t, err)
	require.Contains(t, output, "listen")
	require.NotContains(t, output, "tested")
}
