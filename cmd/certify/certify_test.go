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

// accounts return the address of an account each.
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

// asProgram makes the test's own executable be the program.
const asProgram = "OMNIBUCKET_CERTIFY"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func certify(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	return cmd
}

// certify tests accounts. It runs only some rules here, because the tests of the drivers run all of them.
func TestCertifyAccounts(t *testing.T) {
	for name, open := range accounts {
		t.Run(name, func(t *testing.T) {
			address := open(t)
			out := filepath.Join(t.TempDir(), "result.json")
			said, err := certify(t, "-yes", "-run", "K1,R1", "-o", out, address).CombinedOutput()
			require.NoError(t, err, "%s", said)
			var r result
			data, err := os.ReadFile(out)
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(data, &r))
			require.Empty(t, r.Failed)
			require.Positive(t, r.Requests)
			require.Positive(t, r.Bytes)
			require.Len(t, r.Suites, 1)
			require.Positive(t, r.Suites[0].Rules["R1"])
			require.Equal(t, "K1,R1", r.Rules)
			require.Empty(t, r.Suites[0].Without, "cases that nobody asked for tell nothing")
		})
	}
}

// Unless the user answers yes or gives -yes, certify does nothing.
func TestCertifyBeginsOnlyWhenAsked(t *testing.T) {
	dir := t.TempDir()
	account := (&url.URL{Scheme: "file", Path: filepath.ToSlash(dir)}).String()
	for _, test := range []struct {
		name, answer string
		args         []string
		code         int
		says         string
	}{
		{"a plan", "", []string{"-plan", account}, 0, "Requests: about"},
		{"another answer than yes", "y\n", []string{account}, 2, "nothing was done"},
		{"no answer", "", []string{account}, 2, "nothing was done"},
		{"no address", "", nil, 2, "usage: certify"},
		{"help", "", []string{"-h"}, 0, "-plan        say what would be done, and end"},
		{"a plan of a recording", "", []string{"-plan", "-record", filepath.Join(dir, "recording"), account}, 0, "Requests: about"},
		{"no answer to a recording", "", []string{"-record", filepath.Join(dir, "recording"), account}, 2, "nothing was done"},
		{"a folder for a recording that has files", "", []string{"-yes", "-record", "..", account}, 2, "must be new, or empty"},
		{"a bucket", "", []string{"s3://photos"}, 2, `without the bucket "photos"`},
		{"a rule that no case has", "", []string{"-run", "W1,X9", account}, 2, `no case has the rule "X9"`},
		{"an unknown scheme", "", []string{"ftp://"}, 2, "scheme"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cmd := certify(t, test.args...)
			cmd.Stdin = strings.NewReader(test.answer)
			said, err := cmd.CombinedOutput()
			require.Equal(t, test.code, cmd.ProcessState.ExitCode(), "%v: %s", err, said)
			require.Contains(t, string(said), test.says)
			left, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}

// If certify cannot write the result, may not create buckets or is interrupted, it leaves no bucket and writes no
// result.
func TestCertifyLeavesNoBucket(t *testing.T) {
	left := func(t *testing.T, dir string) []string {
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
	account := func(dir string) string { return (&url.URL{Scheme: "file", Path: filepath.ToSlash(dir)}).String() }

	t.Run("a result that cannot be written stops before the first bucket", func(t *testing.T) {
		dir := t.TempDir()
		cmd := certify(t, "-yes", "-o", filepath.Join(dir, "missing", "r.json"), account(dir))
		said, err := cmd.CombinedOutput()
		require.Error(t, err)
		require.Equal(t, 2, cmd.ProcessState.ExitCode(), "%s", said)
		require.Contains(t, string(said), "-o: ")
		require.Empty(t, left(t, dir))
	})
	t.Run("credentials that create no bucket", func(t *testing.T) {
		t.Setenv("AWS_ACCESS_KEY_ID", "key")
		t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
		refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusForbidden)
		}))
		t.Cleanup(refusing.Close)
		out := filepath.Join(t.TempDir(), "r.json")
		cmd := certify(t, "-yes", "-o", out, "s3://?path_style=true&endpoint="+refusing.URL)
		said, err := cmd.CombinedOutput()
		require.Error(t, err)
		require.Equal(t, 2, cmd.ProcessState.ExitCode(), "%s", said)
		require.Contains(t, string(said), "permission denied")
		require.NoFileExists(t, out)
	})
	t.Run("an interruption", func(t *testing.T) {
		if runtime.GOOS == "windows" {
			t.Skip("a process cannot interrupt another")
		}
		dir := t.TempDir()
		out := filepath.Join(t.TempDir(), "r.json")
		cmd := certify(t, "-yes", "-o", out, account(dir))
		var said bytes.Buffer
		cmd.Stdout = &said
		cmd.Stderr = &said
		require.NoError(t, cmd.Start())
		require.Eventually(t, func() bool { return len(left(t, dir)) > 3 }, time.Minute, time.Millisecond)
		for range 2 { // as a sender does that signals a process and its group
			require.NoError(t, cmd.Process.Signal(os.Interrupt))
		}
		require.Error(t, cmd.Wait())
		require.Equal(t, 1, cmd.ProcessState.ExitCode(), "%s", &said)
		require.Contains(t, said.String(), "stopping")
		require.Contains(t, said.String(), "no result was written")
		require.Empty(t, left(t, dir), "%s", &said)
		require.NoFileExists(t, out)
	})
}
