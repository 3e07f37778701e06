//go:build omnibucket_sdks

package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/testserver"
)

// accounts has a function for each kind of account. The function returns the address of an account.
var accounts = map[string]func(t *testing.T) string{
	"directory": func(t *testing.T) string {
		return addressOfDirectory(t.TempDir())
	},
	"minio": func(t *testing.T) string {
		t.Setenv("AWS_ACCESS_KEY_ID", testserver.Need(t, "OMNIBUCKET_TEST_MINIO_KEY"))
		t.Setenv("AWS_SECRET_ACCESS_KEY", testserver.Need(t, "OMNIBUCKET_TEST_MINIO_SECRET"))
		return "s3://?profile=minio&path_style=true&endpoint=" + testserver.Need(t, "OMNIBUCKET_TEST_MINIO")
	},
	"fake-gcs-server": func(t *testing.T) string {
		return "gs://?project=test&endpoint=" + testserver.Need(t, "OMNIBUCKET_TEST_GCS")
	},
	"azurite": func(t *testing.T) string {
		return "azblob://?endpoint=" + testserver.Need(t, "OMNIBUCKET_TEST_AZURITE")
	},
}

// asProgram is an environment variable. If it is set, the executable of the tests runs the program instead.
const asProgram = "OMNIBUCKET_CERTIFY"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// certify returns a command that runs the program with these arguments.
func certify(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	return cmd
}

// certify tests an account of each kind. Here it runs only the cases of two rules, because the
// tests of the drivers run the cases of all rules.
func TestCertifyAccounts(t *testing.T) {
	const rules = "K1,R1"
	for name, open := range accounts {
		t.Run(name, func(t *testing.T) {
			address := open(t)
			resultFile := filepath.Join(t.TempDir(), "result.json")

			output, err := certify(t, "-yes", "-run", rules, "-o", resultFile, address).CombinedOutput()
			require.NoError(t, err, "%s", output)

			// The result names the rules, counts the requests and the bytes, and has no failure.
			data, err := os.ReadFile(resultFile)
			require.NoError(t, err)
			var r result
			require.NoError(t, json.Unmarshal(data, &r))
			require.Empty(t, r.Failed)
			require.Positive(t, r.Requests)
			require.Positive(t, r.Bytes)
			require.Len(t, r.Suites, 1)
			require.Positive(t, r.Suites[0].Rules["R1"])
			require.Equal(t, rules, r.Rules)
			require.Empty(t, r.Suites[0].Without)
		})
	}
}

// exitNotBegun is the exit code of certify if it could not begin.
const exitNotBegun = 2

// addressOfDirectory returns the address of an account that has its buckets in a directory.
func addressOfDirectory(dir string) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(dir)}).String()
}

// Unless the user answers yes or gives -yes, certify does nothing.
func TestCertifyBeginsOnlyWhenAsked(t *testing.T) {
	dir := t.TempDir()
	account := addressOfDirectory(dir)
	newFolder := filepath.Join(dir, "recording")
	const folderWithFiles = ".."

	tests := []struct {
		name       string
		args       []string
		answer     string // on standard input
		wantExit   int
		wantOutput string // on standard output or standard error
	}{
		{name: "a plan", args: []string{"-plan", account}, wantOutput: "Requests: about"},
		{
			name:       "another answer than yes",
			args:       []string{account},
			answer:     "y\n",
			wantExit:   exitNotBegun,
			wantOutput: "nothing was done",
		},
		{name: "no answer", args: []string{account}, wantExit: exitNotBegun, wantOutput: "nothing was done"},
		{name: "no address", wantExit: exitNotBegun, wantOutput: "usage: certify"},
		{name: "help", args: []string{"-h"}, wantOutput: "-plan        say what would be done, and end"},
		{
			name:       "a plan of a recording",
			args:       []string{"-plan", "-record", newFolder, account},
			wantOutput: "Requests: about",
		},
		{
			name:       "no answer to a recording",
			args:       []string{"-record", newFolder, account},
			wantExit:   exitNotBegun,
			wantOutput: "nothing was done",
		},
		{
			name:       "a folder for a recording that has files",
			args:       []string{"-yes", "-record", folderWithFiles, account},
			wantExit:   exitNotBegun,
			wantOutput: "must be new, or empty",
		},
		{
			name:       "the address of a bucket",
			args:       []string{"s3://photos"},
			wantExit:   exitNotBegun,
			wantOutput: `without the bucket "photos"`,
		},
		{
			name:       "a rule that no case has",
			args:       []string{"-run", "W1,X9", account},
			wantExit:   exitNotBegun,
			wantOutput: `no case has the rule "X9"`,
		},
		{name: "an unknown scheme", args: []string{"ftp://"}, wantExit: exitNotBegun, wantOutput: "scheme"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cmd := certify(t, tt.args...)
			cmd.Stdin = strings.NewReader(tt.answer)

			output, err := cmd.CombinedOutput()
			require.Equal(t, tt.wantExit, cmd.ProcessState.ExitCode(), "%v: %s", err, output)
			require.Contains(t, string(output), tt.wantOutput)

			entries, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Empty(t, entries, "no bucket and no recording was made")
		})
	}
}

// If certify cannot write the result, lacks the permission to create buckets or is interrupted, it
// leaves no bucket and writes no result.
func TestCertifyLeavesNoBucket(t *testing.T) {
	t.Run("a result that cannot be written stops before the first bucket", func(t *testing.T) {
		dir := t.TempDir()
		resultInMissingFolder := filepath.Join(dir, "missing", "r.json")
		cmd := certify(t, "-yes", "-o", resultInMissingFolder, addressOfDirectory(dir))

		output, err := cmd.CombinedOutput()
		require.Error(t, err)
		require.Equal(t, exitNotBegun, cmd.ProcessState.ExitCode(), "%s", output)
		require.Contains(t, string(output), "-o: ")
		require.Empty(t, bucketsIn(t, dir))
	})
	t.Run("credentials that create no bucket", func(t *testing.T) {
		t.Setenv("AWS_ACCESS_KEY_ID", "key")
		t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
		refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
		}))
		t.Cleanup(refusing.Close)
		resultFile := filepath.Join(t.TempDir(), "r.json")
		cmd := certify(t, "-yes", "-o", resultFile, "s3://?path_style=true&endpoint="+refusing.URL)

		output, err := cmd.CombinedOutput()
		require.Error(t, err)
		require.Equal(t, exitNotBegun, cmd.ProcessState.ExitCode(), "%s", output)
		require.Contains(t, string(output), "permission denied")
		require.NoFileExists(t, resultFile)
	})
	t.Run("an interruption", func(t *testing.T) {
		if runtime.GOOS == "windows" {
			t.Skip("a process cannot interrupt another")
		}
		dir := t.TempDir()
		resultFile := filepath.Join(t.TempDir(), "r.json")
		cmd := certify(t, "-yes", "-o", resultFile, addressOfDirectory(dir))
		var output bytes.Buffer
		cmd.Stdout = &output
		cmd.Stderr = &output
		require.NoError(t, cmd.Start())

		// Interrupt certify when it has at least four buckets. It gets two signals, as from a
		// sender that signals a process and its group.
		hasBuckets := func() bool { return len(bucketsIn(t, dir)) > 3 }
		require.Eventually(t, hasBuckets, time.Minute, time.Millisecond)
		for range 2 {
			require.NoError(t, cmd.Process.Signal(os.Interrupt))
		}

		require.Error(t, cmd.Wait())
		require.Equal(t, 1, cmd.ProcessState.ExitCode(), "%s", &output)
		require.Contains(t, output.String(), "stopping")
		require.Contains(t, output.String(), "no result was written")
		require.Empty(t, bucketsIn(t, dir), "%s", &output)
		require.NoFileExists(t, resultFile)
	})
}

// bucketsIn returns the names of the buckets in a directory. Each entry that is not hidden is a
// bucket.
func bucketsIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names
}
