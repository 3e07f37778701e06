package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Servers are chosen by name.
func TestChoose(t *testing.T) {
	all, err := choose("")
	require.NoError(t, err)
	require.Len(t, all, len(servers))
	some, err := choose("versitygw,minio")
	require.NoError(t, err)
	require.Len(t, some, 2)
	require.Equal(t, "minio", some[0].name)
	_, err = choose("minio,nothing")
	require.ErrorContains(t, err, `unknown server "nothing"; the servers are minio, `)
}

// Every server is pinned.
func TestPinsOfEveryServer(t *testing.T) {
	for _, s := range servers {
		for _, name := range s.tool.pins() {
			require.FileExists(t, filepath.Join(s.tool.dir(), name), s.name)
		}
	}
}

// Variables are named by the server.
func TestVariable(t *testing.T) {
	s := server{name: "minio-tls"}
	require.Equal(t, "OMNIBUCKET_TEST_MINIO_TLS", s.variable(""))
	require.Equal(t, "OMNIBUCKET_TEST_MINIO_TLS_CA", s.variable("CA"))
}
