package permissions_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/providers/internal/testing/permissions"
)

// The tables in docs/permissions.md equal those of this package.
func TestPageIsTable(t *testing.T) {
	page, err := os.ReadFile("../../../../docs/permissions.md")
	require.NoError(t, err)
	require.Equal(t, permissions.Page(), string(page),
		"docs/permissions.md is out of date: run make permissions")
}
