package documented

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/storagetest"
)

// Each exception names a case of storagetest.
func TestExceptionsNameCases(t *testing.T) {
	cases := map[string]bool{"a bucket that locks objects keeps them": true} // of an account
	for _, c := range storagetest.Cases() {
		cases[c.Name] = true
	}
	for name := range exceptions {
		require.True(t, cases[name] || strings.HasPrefix(name, "a driver"), name)
	}
}
