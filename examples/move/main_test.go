package main

import (
	"bytes"
	"net/url"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/freshbucket"
	"github.com/omnibucket/storage/internal/testing/testserver"
)

func move(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := run(t.Context(), append([]string{"-rest", "50ms", "-objects", "100"}, args...), &out)
	t.Log(out.String())
	return out.String(), err
}

func TestNothingIsLost(t *testing.T) {
	out, err := move(t)
	require.NoError(t, err)
	require.Contains(t, out, "objects are as they were written")
}

func TestNothingIsLostOnTheWayToServers(t *testing.T) {
	minio, azurite := testserver.Need(t, "OMNIBUCKET_TEST_MINIO"), testserver.Need(t, "OMNIBUCKET_TEST_AZURITE")
	t.Setenv("AWS_ACCESS_KEY_ID", os.Getenv("OMNIBUCKET_TEST_MINIO_KEY"))
	t.Setenv("AWS_SECRET_ACCESS_KEY", os.Getenv("OMNIBUCKET_TEST_MINIO_SECRET"))
	t.Setenv("AZURE_STORAGE_ACCOUNT", os.Getenv("OMNIBUCKET_TEST_AZURITE_ACCOUNT"))
	t.Setenv("AZURE_STORAGE_KEY", os.Getenv("OMNIBUCKET_TEST_AZURITE_KEY"))
	out, err := move(t, directoryAddress(t.TempDir(), "old"),
		freshbucket.Address(t, "s3", url.Values{"region": {"us-east-1"}, "path_style": {"true"}, "profile": {"minio"}, "endpoint": {minio}}),
		freshbucket.Address(t, "azblob", url.Values{"endpoint": {azurite}}))
	require.NoError(t, err)
	require.Contains(t, out, "moving to azblob://")
	require.Contains(t, out, "objects are as they were written")
}

func TestInvalidArgumentsAreRefused(t *testing.T) {
	for _, args := range [][]string{{"-nonsense"}, {"mem://one"}, {"-objects", "0"}, {"nonsense://x", "nonsense://y"}} {
		_, err := move(t, args...)
		require.Error(t, err, args)
	}
}
