package transfer_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	_ "github.com/omnibucket/storage/internal/testing/memoryfiles"
)

// childVariable is the variable that makes the test binary run a job in a child process. Its value
// is the name of the job, a colon and a directory.
const childVariable = "OMNIBUCKET_TRANSFER_CHILD"

// TestMain runs the tests. In a child process that a test has started from this binary, it runs the
// job of that process instead.
func TestMain(m *testing.M) {
	// In a child process, the variable has the name of the job and its directory.
	job, dir, isChild := strings.Cut(os.Getenv(childVariable), ":")
	if !isChild {
		goleak.VerifyTestMain(m)
		return
	}

	jobs := map[string]func(dir string) error{
		"killed":                   runKilled,
		"unprivileged":             runUnprivileged,
		"unprivileged bucket":      runUnprivilegedBucket,
		"unprivileged destination": runIntoLockedTop,
		"resumed":                  runResumed,
		"counted":                  runCounted,
		"moves":                    runMoves,
	}
	if err := jobs[job](dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
