//go:build omnibucket_sdks

package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/recorded"
	"github.com/omnibucket/storage/s3server"
)

// certify -record writes files without secrets and without names of buckets, servers or accounts.
// The test package "recorded" can read these files.
func TestPlaybackReadsRecordings(t *testing.T) {
	const key = "AKIDOFTHERECORDING"
	const secret = "secret-of-the-recording"
	// No file of a recording may contain these words: the secrets, and the names of buckets, servers and accounts.
	hidden := []string{key, secret, "omnibucket-certify", "127.0.0.1", "devstoreaccount1"}
	stores := []struct {
		name     string
		provider recorded.Provider
		open     func(t *testing.T) string
	}{
		{
			name:     "s3server",
			provider: recorded.Amazon,
			open: func(t *testing.T) string {
				t.Setenv("AWS_ACCESS_KEY_ID", key)
				t.Setenv("AWS_SECRET_ACCESS_KEY", secret)
				server := httptest.NewServer(s3server.New(s3server.Config{
					Credentials: []s3server.Credential{{AccessKeyID: key, SecretKey: secret}},
				}))
				t.Cleanup(server.Close)
				return "s3://?profile=minio&path_style=true&endpoint=" + url.QueryEscape(server.URL)
			},
		},
		{name: "fake-gcs-server", provider: recorded.Google, open: accounts["fake-gcs-server"]},
		{name: "azurite", provider: recorded.Azure, open: accounts["azurite"]},
	}
	for _, store := range stores {
		t.Run(store.name, func(t *testing.T) {
			address := store.open(t)
			dir := filepath.Join(t.TempDir(), "recording")
			resultFile := filepath.Join(t.TempDir(), "result.json")

			// The cases of these two rules are enough to record uploads and downloads.
			const rules = "K1,R1"
			output, err := certify(t, "-yes", "-run", rules, "-record", dir, "-o", resultFile,
				address).CombinedOutput()
			require.NoError(t, err, "%s", output)
			require.Contains(t, string(output), "exchanges are in "+dir)

			text := recorded.Text(t, dir)
			for _, word := range hidden {
				require.NotContains(t, text, word)
			}

			// The package "recorded" reads at least downloads and uploads.
			recording := recorded.ReadFolder(t, store.provider, dir)
			kinds := map[recorded.Kind]bool{}
			for i := range recording.Exchanges {
				kinds[recording.Exchanges[i].Kind] = true
			}
			require.True(t, kinds[recorded.Get] && kinds[recorded.Put], "%v", kinds)
		})
	}
}

// If a recording cannot be written, certify fails and says so before it prints the result.
func TestRecordingFails(t *testing.T) {
	const key = "AKIDOFTHERECORDING"
	const secret = "secret-of-the-recording"
	t.Setenv("AWS_ACCESS_KEY_ID", key)
	t.Setenv("AWS_SECRET_ACCESS_KEY", secret)
	recording := filepath.Join(t.TempDir(), "recording")
	store := s3server.New(s3server.Config{
		Credentials: []s3server.Credential{{AccessKeyID: key, SecretKey: secret}},
	})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Each request removes the folder, so the recording cannot be written.
		if err := os.RemoveAll(recording); err != nil {
			t.Error(err)
		}
		store.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	resultFile := filepath.Join(t.TempDir(), "r.json")
	address := "s3://?profile=minio&path_style=true&endpoint=" + url.QueryEscape(server.URL)

	cmd := certify(t, "-yes", "-run", "K1", "-record", recording, "-o", resultFile, address)
	output, err := cmd.CombinedOutput()
	require.Error(t, err)
	require.Equal(t, 1, cmd.ProcessState.ExitCode(), "%s", output)

	beforeResult, _, ok := strings.Cut(string(output), "The result is in "+resultFile)
	require.True(t, ok, "%s", output)
	require.Contains(t, beforeResult, "the recording cannot be written")
}
