package certmagic

import (
	"testing"

	"github.com/omnibucket/storage/adapters/internal/testing/owntests"
)

// leftOut are the test of CertMagic that locks with a canceled ctx, which a storage should honor, and the
// one that looks for files.
const leftOut = "^(TestFileStorageWriteLock|TestGetEmailFromRecent)$"

// stored are the tests that have a storage. Others ask name servers.
const stored = "^Test(NewAccount|SaveAccount|GetAccount.*|GetEmail.*|SaveCertResource|Renew(Lock|Cert).*|SaveAndLoad.*|Load.*|" +
	"LocalCache.*|WarmLocalCache|StapleOCSP.*|FileStorage.*|QueueRenewalTask.*)$"

// CertMagic's own tests pass on each store, in a copy in which this adapter replaces FileStorage.
func TestCertMagicsOwnTests(t *testing.T) {
	judge := owntests.Copy(t, "github.com/caddyserver/certmagic")
	judge.Add(t, "testdata/filestorage.go.txt", "filestorage.go")
	judge.Add(t, "testdata/omnibucket_test.go.txt", "omnibucket_test.go")
	judge.Run(t, "github.com/caddyserver/certmagic", "OMNIBUCKET_CERTMAGIC", 29, "-test.run", stored,
		"-test.skip", leftOut)
}
