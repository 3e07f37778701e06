package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// choose finds servers by their names. For an unknown name, it fails and lists the names.
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

// The files that pin the version of each server exist.
func TestPinsOfEveryServer(t *testing.T) {
	for _, s := range servers {
		for _, name := range s.tool.pins() {
			require.FileExists(t, filepath.Join(s.tool.dir(), name), s.name)
		}
	}
}

// The environment variables of a server contain its name.
func TestVariable(t *testing.T) {
	s := server{name: "minio-tls"}
	require.Equal(t, "OMNIBUCKET_TEST_MINIO_TLS", s.variable(""))
	require.Equal(t, "OMNIBUCKET_TEST_MINIO_TLS_CA", s.variable("CA"))
}
