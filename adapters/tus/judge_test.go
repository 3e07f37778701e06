package tus

import (
	"strings"
	"testing"

	"github.com/omnibucket/storage/adapters/internal/testing/owntests"
)

// ownTests are tests of tusd's filestore. Its other tests look for the bytes of an unfinished
// upload in the file system: TestCreateDirectories, TestCustomRelativePath and
// TestCustomAbsolutePath. In a bucket, an object appears when all of its bytes have arrived.
// TestKeys has what they ask of IDs with slashes and of other keys.
const ownTests = "^(TestFilestore|TestNotFound|TestConcatUploads|TestDeclareLength)$"

// Tusd's own tests of its filestore pass on each store, in a copy of tusd in which this adapter replaces the
// package filestore.
func TestTusdsOwnTests(t *testing.T) {
	tusd := owntests.Copy(t, "github.com/tus/tusd/v2")
	tusd.Add(t, "testdata/filestore.go.txt", "pkg/filestore/filestore.go")
	tusd.Run(t, "github.com/tus/tusd/v2/pkg/filestore", "OMNIBUCKET_TUS",
		strings.Count(ownTests, "|")+1, "-test.run", ownTests)
}
