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
		return (&url.URL{Scheme: "file", Path: filepath.ToSlash(t.TempDir())}).String()
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

// certify tests an account of each server. It runs the cases of only two rules here, because the tests of the drivers
// run all.
func TestCertifyAccounts(t *testing.T) {
	for name, open := range accounts {
		t.Run(name, func(t *testing.T) {
			address := open(t)
			path := filepath.Join(t.TempDir(), "result.json")

			output, err := certify(t, "-yes", "-run", "K1,R1", "-o", path, address).CombinedOutput()
			require.NoError(t, err, "%s", output)

			data, err := os.ReadFile(path)
			require.NoError(t, err)
			var r result
			require.NoError(t, json.Unmarshal(data, &r))

			require.Empty(t, r.Failed)
			require.Positive(t, r.Requests)
			require.Positive(t, r.Bytes)
			require.Len(t, r.Suites, 1)
			require.Positive(t, r.Suites[0].Rules["R1"])
			require.Equal(t, "K1,R1", r.Rules)
			require.Empty(t, r.Suites[0].Without)
		})
	}
}

// Unless the user answers yes or gives -yes, certify does nothing.
func TestCertifyBeginsOnlyWhenAsked(t *testing.T) {
	dir := t.TempDir()
	account := (&url.URL{Scheme: "file", Path: filepath.ToSlash(dir)}).String()
	tests := []struct {
		name, answer string
		args         []string
		code         int
		says         string
	}{
		{name: "a plan", args: []string{"-plan", account}, says: "Requests: about"},
		{
			name:   "another answer than yes",
			answer: "y\n",
			args:   []string{account},
			code:   2,
			says:   "nothing was done",
		},
		{name: "no answer", args: []string{account}, code: 2, says: "nothing was done"},
		{name: "no address", code: 2, says: "usage: certify"},
		{name: "help", args: []string{"-h"}, says: "-plan        say what would be done, and end"},
		{
			name: "a plan of a recording",
			args: []string{"-plan", "-record", filepath.Join(dir, "recording"), account},
			says: "Requests: about",
		},
		{
			name: "no answer to a recording",
			args: []string{"-record", filepath.Join(dir, "recording"), account},
			code: 2,
			says: "nothing was done",
		},
		{
			name: "a folder for a recording that has files",
			args: []string{"-yes", "-record", "..", account},
			code: 2,
			says: "must be new, or empty",
		},
		{name: "a bucket", args: []string{"s3://photos"}, code: 2, says: `without the bucket "photos"`},
		{
			name: "a rule that no case has",
			args: []string{"-run", "W1,X9", account},
			code: 2,
			says: `no case has the rule "X9"`,
		},
		{name: "an unknown scheme", args: []string{"ftp://"}, code: 2, says: "scheme"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cmd := certify(t, tt.args...)
			cmd.Stdin = strings.NewReader(tt.answer)

			said, err := cmd.CombinedOutput()
			require.Equal(t, tt.code, cmd.ProcessState.ExitCode(), "%v: %s", err, said)
			require.Contains(t, string(said), tt.says)

			entries, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Empty(t, entries)
		})
	}
}

// If certify cannot write the result, may not create buckets or is interrupted, it leaves no bucket and writes no
// result.
func TestCertifyLeavesNoBucket(t *testing.T) {
	names := func(t *testing.T, dir string) []string {
		t.Helper()
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		var names []string
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), ".") {
				names = append(names, e.Name())
			}
		}
		return names
	}
	account := func(dir string) string {
		return (&url.URL{
			Scheme: "file",
			Path:   filepath.ToSlash(dir),
		}).String()
	}

	t.Run("a result that cannot be written stops before the first bucket", func(t *testing.T) {
		dir := t.TempDir()
		cmd := certify(t, "-yes", "-o", filepath.Join(dir, "missing", "r.json"), account(dir))
		said, err := cmd.CombinedOutput()
		require.Error(t, err)
		require.Equal(t, 2, cmd.ProcessState.ExitCode(), "%s", said)
		require.Contains(t, string(said), "-o: ")
		require.Empty(t, names(t, dir))
	})
	t.Run("credentials that create no bucket", func(t *testing.T) {
		t.Setenv("AWS_ACCESS_KEY_ID", "key")
		t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
		refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
		}))
		t.Cleanup(refusing.Close)
		path := filepath.Join(t.TempDir(), "r.json")
		cmd := certify(t, "-yes", "-o", path, "s3://?path_style=true&endpoint="+refusing.URL)

		said, err := cmd.CombinedOutput()
		require.Error(t, err)
		require.Equal(t, 2, cmd.ProcessState.ExitCode(), "%s", said)
		require.Contains(t, string(said), "permission denied")
		require.NoFileExists(t, path)
	})
	t.Run("an interruption", func(t *testing.T) {
		if runtime.GOOS == "windows" {
			t.Skip("a process cannot interrupt another")
		}
		dir := t.TempDir()
		path := filepath.Join(t.TempDir(), "r.json")
		cmd := certify(t, "-yes", "-o", path, account(dir))
		var said bytes.Buffer
		cmd.Stdout = &said
		cmd.Stderr = &said
		require.NoError(t, cmd.Start())

		require.Eventually(t, func() bool { return len(names(t, dir)) > 3 }, time.Minute, time.Millisecond)
		for range 2 { // as a sender does that signals a process and its group
			require.NoError(t, cmd.Process.Signal(os.Interrupt))
		}
		require.Error(t, cmd.Wait())
		require.Equal(t, 1, cmd.ProcessState.ExitCode(), "%s", &said)
		require.Contains(t, said.String(), "stopping")
		require.Contains(t, said.String(), "no result was written")
		require.Empty(t, names(t, dir), "%s", &said)
		require.NoFileExists(t, path)
	})
}
