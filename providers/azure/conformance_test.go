package azure_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/azure"
	"github.com/omnibucket/storage/storagetest"
)

// unjudged has the cases that are left out because the emulator differs from
// Azure.
var unjudged = map[string]string{
	"pages add up to the listing":                     "if the last page is full, the emulator returns a token for an empty page after it",
	"every write is kept as a version":                noVersions,
	"tags of versions":                                "the emulator keeps no versions; tags_test.go tests the requests to Azure",
	"a noncurrent version says since when":            noVersions,
	"removing without a version keeps older versions": noVersions,
	"removing a version is permanent":                 noVersions,
	"a malformed version is refused":                  noVersions,
	"a version is restored by a copy onto its key":    noVersions,
	"versions under a prefix":                         noVersions,
	"RemoveVersions removes versions in batches":      noVersions,
	"a move in a bucket that keeps versions":          noVersions,
	"a removed key stays removed":                     noVersions,
	"a delete marker is removed by its version":       noVersions,

	"what is removed for good is kept for a time":           noSoftDelete,
	"Restore brings back what was removed for good":         noSoftDelete,
	"Restore of what was removed replaces nothing":          noSoftDelete,
	"a removed object is selected by its version":           noSoftDelete,
	"what was never removed cannot be restored":             noSoftDelete,
	"concurrent calls restore one object":                   noSoftDelete,
	"a version that is removed for good is kept for a time": noSoftDelete,
	"what was removed under a prefix":                       noSoftDelete,
	"a fault at every call of Restore of what was removed":  noSoftDelete,

	"what is under retention stays":                           noLocks,
	"a legal hold keeps an object":                            noLocks,
	"a retention in the mode Governance can be bypassed":      noLocks,
	"a retention can be ended":                                noLocks,
	"a retention in the mode Compliance can only be extended": noLocks,
	"a copy does not take the locks of its source":            noLocks,
}

const noLocks = "the emulator keeps neither versions nor locks; lock_test.go tests the requests to Azure and its responses"

const noSoftDelete = "the emulator has no soft delete; softdelete_test.go tests the requests to Azure and its responses"

const noVersions = "the emulator keeps no versions; versions_test.go tests the requests to Azure and its responses"

func TestConformance(t *testing.T) {
	s := needAzurite(t)
	opts := []storagetest.Option{storagetest.WithName("azure (Azurite)")}
	for name, reason := range unjudged {
		opts = append(opts, storagetest.Skip(name, reason))
	}
	storagetest.RunDriver(t, func(t *testing.T) driver.Driver {
		d, err := azure.NewDriver(t.Context(), azure.Config{Bucket: s.container(t), Endpoint: s.endpoint})
		require.NoError(t, err)
		return d
	}, opts...)
}
