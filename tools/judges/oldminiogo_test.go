package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// TestOldMinioGo writes over HTTP with the version of minio-go that restic 0.18 and kopia 0.21 have. It
// does not sign Content-Type, and signs each chunk of a body. miniogo/old.mod names the version.
func TestOldMinioGo(t *testing.T) {
	program := filepath.Join(t.TempDir(), "miniogo")
	data, err := exec.CommandContext(t.Context(), "go", "build", "-modfile", filepath.Join("miniogo", "old.mod"), "-o", program, "./miniogo").CombinedOutput()
	require.NoError(t, err, string(data))
	strict := func(bool) (running, error) {
		s, err := s3server.Start(s3server.Config{Strict: true})
		if err != nil {
			return running{}, err
		}
		return running{url: s.URL, main: account{s3server.DefaultAccessKeyID, s3server.DefaultSecretKey}, stop: s.Close}, nil
	}

	for name, start := range map[string]func(bool) (running, error){"memory": startOurs, "directory": startDirectory, "strict": strict} {
		t.Run(name, func(t *testing.T) {
			server, err := start(false)
			require.NoError(t, err)
			t.Cleanup(server.stop)
			client := exec.CommandContext(t.Context(), program, server.host())
			client.Env = append(os.Environ(), server.environment()...)
			result, err := client.CombinedOutput()
			require.NoError(t, err, string(result))
		})
	}
}
