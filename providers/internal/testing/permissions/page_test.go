package permissions_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/providers/internal/testing/permissions"
)

// The file docs/permissions.md is the page that this package makes from its tables.
func TestPageIsTable(t *testing.T) {
	page, err := os.ReadFile("../../../../docs/permissions.md")
	require.NoError(t, err)
	require.Equal(t, permissions.Page(), string(page),
		"docs/permissions.md is out of date: run make permissions")
}
