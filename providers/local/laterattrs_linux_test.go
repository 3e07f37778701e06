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

// A read fails if a later release has stored the attributes of the file. Their first byte shows this (see
// docs/maintainers/stored-forms.md).
func TestAttrsOfLaterForm(t *testing.T) {
	dir := t.TempDir()
	b, err := local.Open(dir, local.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
	_, err = b.Upload(t.Context(), "k", strings.NewReader("text"))
	require.NoError(t, err)

	// This release knows the forms 1 and 2.
	const laterForm = 3
	err = syscall.Setxattr(filepath.Join(dir, "k"), "user.omnibucket", []byte{laterForm, 0, 0}, 0)
	if errors.Is(err, syscall.ENOTSUP) {
		t.Skip("this disk has no extended attributes")
	}
	require.NoError(t, err)

	_, attrsErr := b.Attrs(t.Context(), "k")
	_, _, downloadErr := storage.ReadAll(t.Context(), b, "k")
	_, copyErr := storage.Copy(t.Context(), b, "copy", b, "k")
	tests := []struct {
		call string
		err  error
	}{
		{call: "Attrs", err: attrsErr},
		{call: "Download", err: downloadErr},
		{call: "Copy", err: copyErr},
	}
	for _, tt := range tests {
		t.Run(tt.call, func(t *testing.T) {
			require.Equal(t, storage.Unsupported, storage.CodeOf(tt.err), "%v", tt.err)
			require.ErrorContains(t, tt.err, "update this program")
		})
	}
}
