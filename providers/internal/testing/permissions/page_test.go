package permissions_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/providers/internal/testing/permissions"
)

// The page is what the table says.
func TestPageIsTable(t *testing.T) {
	page, err := os.ReadFile("../../../../docs/permissions.md")
	require.NoError(t, err)
	require.Equal(t, permissions.Page(), string(page), "docs/permissions.md is out of date: run make permissions")
}
