//go:build unix

package diskcache

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// Open refuses a directory that another user owns.
func TestOpenRefusesDirectoryOfOtherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a directory away")
	}
	const otherUser = 12345
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o755))
	require.NoError(t, os.Chown(dir, otherUser, -1))

	_, err := Open(dir, Config{})
	require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%v", err)
}
