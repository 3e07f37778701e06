package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// Each command uses two accounts of one provider, whose servers know only their own key.
func TestTwoAccountsInOneCommand(t *testing.T) {
	s := newShell(t)
	s.env["XDG_CONFIG_HOME"] = t.TempDir()
	for name, key := range map[string]string{"old": "first-key-of-16c", "new": "second-key-of-16"} {
		server := s3server.ForTest(t, s3server.Config{Buckets: []string{"photos"}, Credentials: []s3server.Credential{{AccessKeyID: key, SecretKey: key + "-secret"}}})
		prefix := map[string]string{"old": "OLD", "new": "NEW"}[name]
		t.Setenv(prefix+"_AWS_ACCESS_KEY_ID", key)
		t.Setenv(prefix+"_AWS_SECRET_ACCESS_KEY", key+"-secret")
		s.ok("config", "add", name, "s3://photos?region=us-east-1&profile=minio&path_style=true&credentials="+name+"&endpoint="+server.URL)
	}
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"1.txt": "one", "a/2.txt": "two"})
	s.ok("cp", "-r", filepath.Join(dir, "a"), "old:")
	s.ok("cp", filepath.Join(dir, "1.txt"), "old:")

	s.ok("cp", "old:1.txt", "new:1.txt")
	require.Equal(t, "one", s.ok("cat", "new:1.txt"))
	s.ok("-q", "sync", "old:", "new:")
	require.Equal(t, "1.txt\na/2.txt\n", s.ok("ls", "-r", "new:"))
	s.ok("-q", "diff", "old:", "new:")
	s.ok("-q", "mv", "old:1.txt", "new:3.txt")
	require.Equal(t, "1.txt\n3.txt\na/2.txt\n", s.ok("ls", "-r", "new:"))
	require.Equal(t, "a/2.txt\n", s.ok("ls", "-r", "old:"))

	s.env["OMNIBUCKET_OTHER"] = "s3://photos?region=us-east-1&credentials=other"
	_, says := s.exits(1, "ls", "other:")
	require.Contains(t, says, "OTHER_AWS_ACCESS_KEY_ID")
}
