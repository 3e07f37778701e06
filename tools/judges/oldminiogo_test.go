package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// The server accepts the requests of the old minio-go that restic 0.18 and kopia 0.21 have. This client does not sign
// Content-Type, and signs each chunk of a body that it sends over HTTP.
func TestOldMinioGo(t *testing.T) {
	// Build the client. The file old.mod names the version of minio-go.
	client := filepath.Join(t.TempDir(), "miniogo")
	modFile := filepath.Join("miniogo", "old.mod")
	build := exec.CommandContext(t.Context(), "go", "build", "-modfile", modFile, "-o", client, "./miniogo")
	output, err := build.CombinedOutput()
	require.NoError(t, err, string(output))

	tests := []struct {
		name  string
		start func(overTLS bool) (runningServer, error)
	}{
		{name: "memory", start: startOurs},
		{name: "directory", start: startDirectory},
		{name: "strict", start: startStrict},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			const overTLS = false
			server, err := tt.start(overTLS)
			require.NoError(t, err)
			t.Cleanup(server.stop)

			command := exec.CommandContext(t.Context(), client, server.host())
			command.Env = append(os.Environ(), server.environment()...)
			output, err := command.CombinedOutput()
			require.NoError(t, err, string(output))
		})
	}
}

// startStrict starts a strict server without TLS. It stores objects in memory.
func startStrict(bool) (runningServer, error) {
	s, err := s3server.Start(s3server.Config{Strict: true})
	if err != nil {
		return runningServer{}, err
	}
	return runningServer{
		url:  s.URL,
		main: account{s3server.DefaultAccessKeyID, s3server.DefaultSecretKey},
		stop: s.Close,
	}, nil
}
