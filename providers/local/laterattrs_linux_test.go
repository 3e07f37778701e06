package local_test

import (
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/local"
)

// If the first byte of an object's attributes is of a later release, reads fail instead of ignoring the
// attributes: docs/maintainers/stored-forms.md.
func TestAttrsOfLaterForm(t *testing.T) {
	dir := t.TempDir()
	b, err := local.Open(dir, local.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
	_, err = b.Upload(t.Context(), "k", strings.NewReader("text"))
	require.NoError(t, err)
	err = syscall.Setxattr(filepath.Join(dir, "k"), "user.omnibucket", []byte{3, 0, 0}, 0)
	if errors.Is(err, syscall.ENOTSUP) {
		t.Skip("this disk has no extended attributes")
	}
	require.NoError(t, err)
	calls := map[string]func() error{
		"Attrs": func() error {
			_, err := b.Attrs(t.Context(), "k")
			return err
		},
		"Download": func() error {
			_, _, err := storage.ReadAll(t.Context(), b, "k")
			return err
		},
		"Copy": func() error {
			_, err := storage.Copy(t.Context(), b, "copy", b, "k")
			return err
		},
	}

	for name, call := range calls {
		err := call()
		require.Equal(t, storage.Unsupported, storage.CodeOf(err), "%s: %v", name, err)
		require.ErrorContains(t, err, "update this program", name)
	}
}
