package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server"
)

// A server may have two addresses.
func TestMvToAnotherAddressOfTheSameBucket(t *testing.T) {
	server, err := s3server.Start(s3server.Config{Buckets: []string{"photos"}})
	require.NoError(t, err)
	defer server.Close()
	t.Setenv("AWS_ACCESS_KEY_ID", s3server.DefaultAccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s3server.DefaultSecretKey)
	s := newShell(t)
	address := "s3://photos?path_style=true&region=" + s3server.DefaultRegion + "&endpoint=" + server.URL
	withObjects(t, s, address, "a", "tree/1", "tree/x/2")
	s.env["OMNIBUCKET_SAME"] = strings.Replace(address, "127.0.0.1", "localhost", 1)
	for _, args := range [][]string{{"box:a", "same:a"}, {"box:a", "same:"}, {"-r", "box:tree", "same:"}, {"box:tree/*", "same:tree/"}, {"-r", "box:", "same:"}} {
		_, stderr := s.exits(2, append([]string{"mv"}, args...)...)
		require.Contains(t, stderr, "seem to be one object", args)
		require.Contains(t, stderr, "hint: check that", args)
		require.Equal(t, "a\ntree/1\ntree/x/2\n", s.ok("ls", "-r", "box:"), args)
	}
	s.ok("mv", "box:a", "same:b")
	require.Equal(t, "b\ntree/1\ntree/x/2\n", s.ok("ls", "-r", "box:"))
}
