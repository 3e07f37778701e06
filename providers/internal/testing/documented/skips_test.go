package documented

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/storagetest"
)

func TestExceptionsNameCases(t *testing.T) {
	known := map[string]bool{"a bucket that locks objects keeps them": true} // of an account
	for _, c := range storagetest.Cases() {
		known[c.Name] = true
	}
	for name := range exceptions {
		require.True(t, known[name] || strings.HasPrefix(name, "a driver"), name)
	}
}
