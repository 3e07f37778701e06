package azure_test

import (
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/storagetest/differential"
)

// Random calls give the same results on Azurite as in memory, except for delimiters of several
// characters and keys with uncommitted blocks (docs/maintainers/questions.md).
func TestRandomCallsAsInMemory(t *testing.T) {
	server := needAzurite(t)
	config := differential.Config{Without: []string{`delimiter "b/"`, "a late condition"}}
	differential.Run(t, config, func(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
		return server.open(t, server.container(t), opts...)
	})
}
