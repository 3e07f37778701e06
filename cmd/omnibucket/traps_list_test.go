package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A trap is a defect that the library, the program or a document once had.
type trap struct {
	what string
	// test is the function that shows that the defect is gone. It is in this package, or in the
	// directory that the field in names. A name with spaces is that of a case of the conformance
	// suite.
	test string
	in   string // a directory of the repository
	why  string // why no command can show it, if in is set
}

// traps has the 86 defects of November 2026, in the order of their numbers.
var traps = []trap{
	{what: "a listing leaves keys out, and sync deletes the good copies", test: "TestSyncDeletesNothingThatAServerListsLate"},
	{what: "sync --delete removes its own source", test: "TestSyncNeverRemovesItsOwnSource"},
	{what: "an empty or mistyped source empties the destination", test: "TestSyncEmptySourceRemovesNothing"},
	{what: "--exclude '*.jpg' protects the top level only", test: "TestSyncPatternsWithoutASlash"},
	{what: "an unset name becomes a local directory", test: "TestInvalidAddressIsNoPath"},
	{what: "rm with a wildcard or a folder's name removes nothing and says nothing", test: "TestRmReportsMissingObjects"},
	{what: "a throttled store is given up in half a second", test: "TestSyncThrottled"},
	{what: "downloaded files are empty after a power failure", test: "TestDurabilityOrder"},
	{what: "a private bucket is public again after a power failure", test: "TestDurabilityOrder"}, // internal/testing/powercut cuts a real disk off
	{what: "a failed removal of a bucket takes its settings", test: "TestRbFailureKeepsSettings"},
	{what: "a canceled read runs to its end", test: "TestInterruptEndsCat"},
	{what: "a short body of a Bucket of another package truncates a file", test: "TestReaderCountsBytesOfOtherBuckets", in: ".", why: "commands open only our own buckets"},
	{what: "an upload whose source failed stores half an object", test: "TestCpInputFails"},
	{what: "Close without Commit loses an object", test: "a Writer stores only at Commit", in: "storagetest", why: "no command writes through a Writer"},
	{what: "a panic in a source's ReadAt kills the process", test: "TestPanicReachesCaller", in: "engine", why: "the sources of commands are files, which do not panic"},
	{what: "a copy into a Bucket that changes bodies fails", test: "TestFunctionsRefuseOtherBucketTypes", in: ".", why: "commands open only our own buckets"},
	{what: "Finish keeps smuggled headers", test: "TestFinishKeepsNoAttributeOfSender", in: "uploads", why: "no command receives uploads of browsers"},
	{what: "one SVG costs seconds of CPU", test: "TestInspectTakesTimeInProportion", in: "uploads/rules", why: "no command inspects content"},
	{what: "a wrong clock stops a leased job for years", test: "TestEveryIgnoresClocksOfHosts", in: "transfer", why: "no command takes a lease"},
	{what: "a console's folder marker stops every transfer", test: "TestFolderMarkersStopNoCommand"},
	{what: "metadata has - for _, and shows the library's own id", test: "TestMetadataRenamedByTheServer"},
	{what: "probe declares a conditional delete that loses writes", test: "TestProbeKnowsTheRacesOfTheProfileInTheAddress"},
	{what: "a signed URL claims to outlive its session", test: "TestSignTellsWhenTheSessionEnds"},
	{what: "a change that was made is reported as denied", test: "TestBucketSettingsForbidden"},
	{what: "access points of FSx are taken for buckets of Amazon", test: "TestSignOtherKindsOfBuckets"},
	{what: "profile=spaces without an endpoint goes to Amazon", test: "TestProfileNamesItsServer"},
	{what: "a signed upload binds a type that nobody asked for", test: "TestSignBindsNoUnaskedType"},
	{what: "calls on a silent server wait for ever", test: "TestSilentServerIsGivenUp"},
	{what: "the metric of durations has one useful bucket", test: "TestMetricDurationBuckets", in: "engine", why: "the program has no metrics"},
	{what: "a missing directory is an internal error", test: "TestCpCreatesTheDirectoryOfADestination"},
	{what: "an error of a copy's source is taken for a failed condition", test: "TestCpSourceChangeIsNoFailedCondition"},
	{what: "errors do not name provider and bucket", test: "TestErrorNamesBucket", in: ".", why: "messages of commands have neither field"},
	{what: "a metadata key that is not ASCII is accepted", test: "TestMetadataKeysAreASCII"},
	{what: "an error's text holds a key of 1 MiB", test: "TestErrorsShortenLongKeys"},
	{what: "a far range is an internal error", test: "TestCatRangeAfterTheEnd"},
	{what: "a canceled listing runs to the end of its page", test: "a canceled listing makes no further request", in: "storagetest", why: "the rest of a page takes less time than a signal"},
	{what: "Overlap is true although neither argument is a bucket", test: "TestOverlap", in: ".", why: "commands compare only buckets"},
	{what: "a prefix is dropped beside an object of its name", test: "TestLsFolderBesideAnObject"},
	{what: "operations after Close are internal errors", test: "Close is final and idempotent", in: "storagetest", why: "a command closes its buckets at its end"},
	{what: "a driver may keep the pointer of a checksum", test: "a driver does not keep requests", in: "storagetest", why: "it is a trap for authors of drivers"},
	{what: "an unsupported condition has no hint", test: "TestUnsupportedConditionNamesTheProfile"},
	{what: "expected results are errors of spans", test: "TestSpanOfExistsIsNoFailure", in: "engine", why: "the program has no spans"},
	{what: "refusals do not say what to check", test: "TestMissingBucketHasAHint"},
	{what: "hosts of Amazon's other partitions are not known", test: "TestSignForHostsOfAmazon"},
	{what: "signed links of a bucket whose requester pays are refused", test: "TestSignOtherKindsOfBuckets"},
	{what: "a momentary failure of STS is final", test: "TestCredentialsServiceFails"},
	{what: "the SDK's own logging is silent", test: "TestClientLogModeLogsRequests", in: "providers/s3", why: "only Go code configures the SDK"},
	{what: "a start before the prefix is sent, and some servers list nothing", test: "TestLsStartBeforeTheFolder"},
	{what: "MinIO's pages of other delimiters, and its token on a last page", test: "a delimiter that the store does not support", in: "storagetest", why: "commands list by \"/\", and to the end"},
	{what: "a rule that only ends uploads is the caller's mistake on MinIO", test: "TestRealServerRuleThatOnlyAbortsUploads"},
	{what: "an impossible part size is accepted", test: "part sizes outside the provider's are refused", in: "storagetest", why: "no command has a part size"},
	{what: "a missing object is taken for a missing bucket", test: "TestMissingObjectIsNoMissingBucket"},
	{what: "a token of another universe goes to Google's cloud", test: "TestCredentialsGoToTheirOwnUniverse", in: "providers/gcs", why: "it needs an account in such a cloud"},
	{what: "a source that is removed during a copy is a missing bucket", test: "TestCopyErrors", in: "providers/azure", why: "a command cannot be stopped between its requests"},
	{what: "another tool's blocks lock a key for a week", test: "TestCopyBesideBlocksOfAnotherTool", in: "providers/azure", why: "no command of ours leaves such blocks behind"},
	{what: "signed URLs have a fixed version of the service", test: "TestConfigAPIVersion", in: "providers/azure", why: "only Go code configures the version"},
	{what: "a bucket needs 256 open files", test: "TestOpenFilesOfManyBuckets"},
	{what: "overwriting widens the mode of a file", test: "TestCpKeepsTheModeOfAFile"},
	{what: "a clock that is ahead hides later edits", test: "TestSyncObjectOfTheFuture"},
	{what: "a large age overflows and removes too much", test: "TestExpireAgeOfManyYears"},
	{what: "an early refusal of a form is lost", test: "TestFormRefusedIsReadToEnd", in: "uploads", why: "no command serves package uploads"},
	{what: "one malformed id refuses a whole deletion", test: "TestDeleteManyMalformedID", in: "uploads/filesapi", why: "no command serves package filesapi"},
	{what: "the client of package files has no codes", test: "TestErrorHasResponseOfServer", in: "uploads/client", why: "no command is its client"},
	{what: "the exit code of a missing source, and units", test: "TestMissingSourceIsNotFound"},
	{what: "documents are wrong", test: "TestManualHasEveryCommand"},
	{what: "no inline signed download, and no signed HEAD", test: "TestSignInline"},
	{what: "hooks count calls of drivers in place of requests", test: "CountedRequests", in: "internal/testing/wiretest", why: "the program has no hooks"},
	{
		what: "the module requires drivers of databases",
		test: "TestGoModRequiresNoDatabaseDriver",
		in:   "tools/checks/importrules",
		why:  "it is a file of the module",
	},
	{what: "a bucket of a service does not know that it keeps versions", test: "TestUndeleteOnS3"},
	{what: "package files needs conditions of its bucket", test: "TestRecordsInDatabaseNeedNoConditions", in: "uploads/filesapi", why: "no command serves package filesapi"},
	{what: "package uploads cannot make an object public", test: "TestPublicReadOfStoredFiles", in: "uploads", why: "no command receives uploads of browsers"},
	{what: "a miss costs two requests", test: "TestHeadMissingChecksBucketOnce", in: "providers/s3", why: "the first miss of a process may"},
	{what: "a bundle of certificates is parsed at each Open", test: "TestCABundleParsedOnce", in: "providers/s3/internal/httpclient", why: "a command opens a bucket once"},
	{what: "zip and tar lose attributes of local objects", test: "TestAttributesInACopyOfTheFiles"},
	{what: "attributes are no fs.FileInfo", test: "TestAttrsFileInfo", in: ".", why: "it is a type of Go"},
	{what: "listings have no metadata", test: "entries have their attributes", in: "storagetest", why: "no command prints the metadata of a listing"},
	{what: "values of metadata are refused, and nothing says how to encode them", test: "TestMetadataEncoded"},
	{what: "adjacent reads are a request each", test: "adjacent ReadAts are one request for each block", in: "storagetest", why: "commands read whole ranges"},
	{what: "a bucket in memory has no CORS", test: "TestBucketSettingsInMemory"},
	{what: "an error of Update's function is a failed read of the body", test: "TestUpdateChangeFails", in: ".", why: "no command calls Update"},
	{what: "the types of As are not documented", why: "it is a document of Go's packages"},
	{what: "a listing that fails looks like an empty bucket", test: "TestListingFailsIsNoEmptyBucket"},
	{what: "go.mod needs a release of Go without a policy", why: "it is a line of a file"},
	{what: "a program for Azure links Apache Arrow", why: "Azure's SDK imports it"},
	{what: "an upload whose temporary file is gone never ends", test: "TestCpTemporaryFileVanishes"},
	{what: "Windows: a key below another key hangs", why: "it needs Windows code: make wine runs the suite there"},
}

// testSource returns the directory with the test of a defect, and the text by which a file there
// declares the test.
func (d trap) testSource() (dir, declaration string) {
	dir = "."
	if d.in != "" {
		dir = filepath.Join("../..", d.in)
	}

	isConformanceCase := strings.Contains(d.test, " ")
	if isConformanceCase {
		return dir, `"` + d.test + `"`
	}
	return dir, "func " + d.test + "("
}

// Each defect in the list traps has a test in this package. The test runs a command to show that
// the defect is gone. Otherwise, the list says why no command can show it, and may name a test in
// another package.
func TestTrapsHaveTests(t *testing.T) {
	const defects = 86
	require.Len(t, traps, defects)
	for i, defect := range traps {
		number := i + 1
		name := fmt.Sprintf("D%d: %s", number, defect.what)
		require.NotEmpty(t, defect.what)

		hasTest := defect.test != ""
		isShownByCommand := hasTest && defect.in == ""
		if isShownByCommand {
			require.Empty(t, defect.why, name)
		} else {
			require.NotEmpty(t, defect.why, name)
		}

		// The test that the list names exists.
		if hasTest {
			dir, declaration := defect.testSource()
			require.True(t, sourceContains(t, dir, declaration), "%s: %s has no test %q", name, dir, defect.test)
		}
	}
}

// sourceContains reports whether a Go file in a directory contains text. It ignores this file.
func sourceContains(t *testing.T, dir, text string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	for _, file := range files {
		if filepath.Base(file) == "traps_list_test.go" {
			continue
		}
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		if strings.Contains(string(content), text) {
			return true
		}
	}
	return false
}
