package documented

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/storagetest"
)

// Each exception has the name of a test case: one of storagetest.Cases, or one for drivers or
// services.
func TestExceptionsNameCases(t *testing.T) {
	const caseOfServices = "a bucket that locks objects keeps them"
	isCase := map[string]bool{caseOfServices: true}
	for _, c := range storagetest.Cases() {
		isCase[c.Name] = true
	}
	for name := range exceptions {
		require.True(t, isCase[name] || strings.HasPrefix(name, "a driver"), name)
	}
}
