// Package pagetest tests pages in a real browser, which scripts of Node.js drive.
package pagetest

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/testserver"
)

// Run runs a script with Node.js until it ends. The script gets input as JSON. It fails the test if
// it does not end with 0, or shortly before the test's own timeout. Each step has a limit in browser.mjs.
//
// input also gets "browser": what the function start of browser.mjs needs. Screenshots are
// stored in $OMNIBUCKET_ARTIFACTS/example. By default only that of a failure is taken, in a temporary
// directory.
func Run(t *testing.T, example, script string, input map[string]any) {
	t.Helper()
	artifacts := artifactsDir(t, example)
	input["browser"] = map[string]any{
		"chromium":   testserver.Need(t, "OMNIBUCKET_TEST_CHROMIUM"),
		"playwright": testserver.Need(t, "OMNIBUCKET_TEST_CHROMIUM_PLAYWRIGHT"),
		"artifacts":  artifacts,
		// They take much of the time of these tests.
		"photographs": os.Getenv("OMNIBUCKET_ARTIFACTS") != "" || os.Getenv("OMNIBUCKET_DRAW") != "",
	}
	document, err := json.Marshal(input)
	require.NoError(t, err)
	ctx := t.Context()
	if deadline, limited := t.Deadline(); limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-30*time.Second)) // to show what it said
		defer cancel()
	}
	said, err := exec.CommandContext(ctx, "node", script, string(document)).CombinedOutput()
	t.Logf("%s", said)
	require.NoError(t, err, "the screenshots are in %s", artifacts)
}

// DrawTo returns the directory of the documentation's pictures if OMNIBUCKET_DRAW is set,
// otherwise "". The test runs in a directory of examples.
func DrawTo(t *testing.T) string {
	t.Helper()
	if os.Getenv("OMNIBUCKET_DRAW") == "" {
		return ""
	}
	dir, err := filepath.Abs(filepath.Join("..", "..", "docs", "pictures"))
	require.NoError(t, err)
	return dir
}

func artifactsDir(t *testing.T, example string) string {
	t.Helper()
	root := os.Getenv("OMNIBUCKET_ARTIFACTS")
	if root == "" {
		var err error
		root, err = os.MkdirTemp("", "omnibucket-artifacts-") // not the test's own: it is read after a test that failed
		require.NoError(t, err)
		t.Cleanup(func() {
			if !t.Failed() {
				require.NoError(t, os.RemoveAll(root))
			}
		})
	}
	dir, err := filepath.Abs(filepath.Join(root, example))
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(dir, 0o700))
	t.Logf("screenshots: %s", dir)
	return dir
}
