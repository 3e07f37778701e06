package azure_test

import (
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/storagetest/differential"
)

// Azurite takes the first character of a delimiter only. A key that has uncommitted blocks and no blob
// exists there for If-None-Match of Put Blob: docs/maintainers/questions.md.
func TestRandomCallsAsInMemory(t *testing.T) {
	s := needAzurite(t)
	differential.Run(t, differential.Config{Without: []string{`delimiter "b/"`, "a late condition"}}, func(t *testing.T, opts ...storage.OpenOption) storage.Bucket {
		return s.open(t, s.container(t), opts...)
	})
}
