package tus

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/adapters/internal/testing/owntests"
)

// endToEndTests are tusd's end-to-end tests that judge package uploads. Two are left out:
//
//   - TestNetworkReadTimeout wants tusd's flag -network-timeout, and 500 after it. Resumable waits
//     for a client for a minute, and acknowledges what has arrived after two seconds: the tests
//     TestTusMemoryOfStalledClient and TestTusEndsSilentClient of that package.
//   - TestStopUpload wants the hooks of tusd's command.
const endToEndTests = "^(TestSuccessfulUpload|TestUnexpectedNetworkClose|TestUnexpectedNetworkReset|TestLockRelease|TestUploadLengthExceeded|TestShutdown)$"

// endToEndDifferences are what tusd's tests expect and tus does not say.
var endToEndDifferences = []struct{ file, tusd, ours string }{
	// Clients repeat a request after 423, and do not after 400.
	{
		file: "e2e_test.go",
		tusd: "patchRes.StatusCode != http.StatusBadRequest",
		ours: "patchRes.StatusCode != http.StatusLocked",
	},
	// The codes of errors.
	{file: "e2e_test.go", tusd: `"ERR_UPLOAD_INTERRUPTED"`, ours: `"locked"`},
	{file: "e2e_test.go", tusd: `"ERR_UPLOAD_SIZE_EXCEEDED"`, ours: `"too_large"`},
	{file: "e2e_unix_test.go", tusd: `"ERR_SERVER_SHUTDOWN"`, ours: `"interrupted"`},
	// Tusd completes a file with the first bytes of a client that sends more than it announced.
	// Resumable makes no file of them.
	{file: "e2e_test.go", tusd: "if offset != uploadLength {", ours: "if offset >= uploadLength {"},
}

// Tusd's end-to-end tests, with a client whose network fails, pass on package uploads over each store. They
// measure times, so they run only with OMNIBUCKET_TUSD_E2E ("make tusd").
func TestTusdsEndToEndTestsOfResumable(t *testing.T) {
	if os.Getenv("OMNIBUCKET_TUSD_E2E") == "" {
		t.Skip("OMNIBUCKET_TUSD_E2E is not set: the test measures times")
	}

	// Change what tusd's tests expect and the protocol does not demand.
	tusd := owntests.Copy(t, "github.com/tus/tusd/v2")
	for _, d := range endToEndDifferences {
		tusd.Replace(t, filepath.Join("internal", "e2e", d.file), d.tusd, d.ours)
	}

	// Build tusd's tests.
	testProgram := filepath.Join(t.TempDir(), "e2e.test")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-o", testProgram, "./internal/e2e")
	build.Dir = tusd.Dir
	built, err := build.CombinedOutput()
	require.NoError(t, err, "%s", built)
	thisProgram, err := os.Executable()
	require.NoError(t, err)

	for _, store := range resumableStores {
		t.Run(store.name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), testProgram, "-test.v", "-test.run", endToEndTests)
			cmd.Dir = tusd.Dir
			// Tusd's tests start this test program in place of tusd. Its TestMain then serves the bucket.
			cmd.Env = append(os.Environ(), "TUSD_BINARY="+thisProgram, serveVariable+"="+store.address(t))
			output, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", output)

			// All tests in the list have passed.
			wantPassed := strings.Count(endToEndTests, "|") + 1
			require.Equal(t, wantPassed, strings.Count(string(output), "\n--- PASS"), "%s", output)
		})
	}
}
