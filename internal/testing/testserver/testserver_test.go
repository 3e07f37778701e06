package testserver

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNeedReturnsTheVariable(t *testing.T) {
	t.Setenv("OMNIBUCKET_TEST_MINIO", "http://127.0.0.1:40123")
	require.Equal(t, "http://127.0.0.1:40123", Need(t, "OMNIBUCKET_TEST_MINIO"))
}

func TestTheCommandNamesThePackage(t *testing.T) {
	require.Equal(t, "internal/testing/testserver", packageDir())
	t.Chdir("../../../providers/s3")
	require.Equal(t, "providers/s3", packageDir())
	t.Chdir(t.TempDir())
	require.Equal(t, "…", packageDir())
}
