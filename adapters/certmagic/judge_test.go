package certmagic

import (
	"testing"

	"github.com/omnibucket/storage/adapters/internal/testing/owntests"
)

// skippedTests are two tests of CertMagic. One locks with a canceled ctx and expects success,
// although a storage should honor ctx. The other one looks for files.
const skippedTests = "^(TestFileStorageWriteLock|TestGetEmailFromRecent)$"

// storageTests are the tests of CertMagic that use a storage. Others ask name servers.
const storageTests = "^Test(NewAccount|SaveAccount|GetAccount.*|GetEmail.*|SaveCertResource|Renew(Lock|Cert).*|SaveAndLoad.*|Load.*|" +
	"LocalCache.*|WarmLocalCache|StapleOCSP.*|FileStorage.*|QueueRenewalTask.*)$"

// CertMagic's own tests pass with this adapter on each store. They run in a copy of its module, in which the adapter
// replaces FileStorage.
func TestCertMagicsOwnTests(t *testing.T) {
	const module = "github.com/caddyserver/certmagic"
	// wantPassed is the number of tests that storageTests selects and skippedTests does not.
	const wantPassed = 29
	copied := owntests.Copy(t, module)
	copied.Add(t, "testdata/filestorage.go.txt", "filestorage.go")
	copied.Add(t, "testdata/omnibucket_test.go.txt", "omnibucket_test.go")

	copied.Run(t, module, "OMNIBUCKET_CERTMAGIC", wantPassed,
		"-test.run", storageTests, "-test.skip", skippedTests)
}
