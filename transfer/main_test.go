package transfer_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	_ "github.com/omnibucket/storage/internal/testing/memoryfiles"
)

// childVariable runs the program of the tests as another process. Its value is the
// name of a job, a colon and a directory.
const childVariable = "OMNIBUCKET_TRANSFER_CHILD"

func TestMain(m *testing.M) {
	if job, dir, ok := strings.Cut(os.Getenv(childVariable), ":"); ok {
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
		return
	}
	goleak.VerifyTestMain(m)
}
