package azure_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/azure"
	"github.com/omnibucket/storage/storagetest"
)

// unjudged are the cases left out, because of what the emulator does not do as
// Azure does it.
var unjudged = map[string]string{
	"pages add up to the listing":                     "of a last page that is full the emulator says that it is not the last, and answers an empty one behind it",
	"every write is kept as a version":                noVersions,
	"a noncurrent version says since when":            noVersions,
	"removing without a version keeps older versions": noVersions,
	"removing a version is permanent":                 noVersions,
	"a malformed version is refused":                  noVersions,
	"a version is restored by a copy onto its key":    noVersions,
	"versions under a prefix":                         noVersions,
}

const noVersions = "the emulator keeps no versions: what is asked of Azure, and what of its answers, is pinned in versions_test.go"

func TestConformance(t *testing.T) {
	s := needAzurite(t)
	opts := []storagetest.Option{storagetest.WithName("azure (Azurite)")}
	for name, reason := range unjudged {
		opts = append(opts, storagetest.Skip(name, reason))
	}
	storagetest.RunDriver(t, func(t *testing.T) storage.Driver {
		d, err := azure.NewDriver(t.Context(), azure.Config{Bucket: s.container(t), Endpoint: s.endpoint})
		require.NoError(t, err)
		return d
	}, opts...)
}
