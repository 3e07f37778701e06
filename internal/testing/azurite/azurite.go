// Package azurite says which cases of the conformance suite cannot run on Azurite, the emulator of
// Azure.
package azurite

// Skipped has the reason for each case of the conformance suite that does not run on the emulator.
// In these cases the emulator differs from Azure. If a reason names a test, the test is in package
// azure.
var Skipped = map[string]string{
	"pages add up to the listing":                     "if the last page is full, the emulator returns a token for an empty page after it",
	"every write is kept as a version":                NoVersions,
	"tags of versions":                                "the emulator keeps no versions; tags_test.go tests the requests to Azure",
	"a noncurrent version says since when":            NoVersions,
	"removing without a version keeps older versions": NoVersions,
	"removing a version is permanent":                 NoVersions,
	"a malformed version is refused":                  NoVersions,
	"a version is restored by a copy onto its key":    NoVersions,
	"versions under a prefix":                         NoVersions,
	"RemoveVersions removes versions in batches":      NoVersions,
	"a signed removal binds its version":              NoVersions,
	"a signed removal removes one version":            NoVersions,
	"a move in a bucket that keeps versions":          NoVersions,
	"an append makes a version":                       NoVersions,
	"an append makes a version, streamed":             NoVersions,
	"a removed key stays removed":                     NoVersions,
	"a delete marker is removed by its version":       NoVersions,

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

// NoVersions is the reason to skip a case that needs a bucket with versions.
const NoVersions = "the emulator keeps no versions; versions_test.go tests the requests to Azure and its responses"
