//go:build unix

package encrypt

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// ReadPrivate refuses an identity file of another user, because that user could replace the
// identity.
func TestReadPrivateRefusesOtherUsersFile(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	const otherUser = 12345
	file := filepath.Join(t.TempDir(), "identity.txt")
	require.NoError(t, os.WriteFile(file, []byte("text"), 0o600))

	text, err := readPrivate(file)
	require.NoError(t, err)
	require.Equal(t, "text", text)

	require.NoError(t, os.Chown(file, otherUser, -1))
	_, err = readPrivate(file)
	require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "%v", err)
}
