// Package pagetest tests web pages in a real browser. A script for Node.js controls the browser.
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

// Run runs a script with Node.js, which receives input as JSON. The test fails if the script exits
// with a code other than 0, or not before the timeout of the test. Each step of the script has its
// own limit in browser.mjs.
//
// Run adds "browser" to input, which the function start of browser.mjs needs. Screenshots are
// stored in $OMNIBUCKET_ARTIFACTS/example. If that variable is not set, only a failure is
// photographed, and the picture is stored in a temporary directory.
func Run(t *testing.T, example, script string, input map[string]any) {
	t.Helper()
	artifacts := artifactsDir(t, example)
	input["browser"] = map[string]any{
		"chromium":   testserver.Need(t, "OMNIBUCKET_TEST_CHROMIUM"),
		"playwright": testserver.Need(t, "OMNIBUCKET_TEST_CHROMIUM_PLAYWRIGHT"),
		"artifacts":  artifacts,
		// Screenshots take a large part of the time of these tests, so they are optional.
		"photographs": os.Getenv("OMNIBUCKET_ARTIFACTS") != "" || os.Getenv("OMNIBUCKET_DRAW") != "",
	}
	document, err := json.Marshal(input)
	require.NoError(t, err)

	// The script must end before the test does, so that there is time to print its output.
	const timeToPrint = 30 * time.Second
	ctx := t.Context()
	if deadline, ok := t.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-timeToPrint))
		defer cancel()
	}

	output, err := exec.CommandContext(ctx, "node", script, string(document)).CombinedOutput()
	t.Logf("%s", output)
	require.NoError(t, err, "the screenshots are in %s", artifacts)
}

// DrawTo returns the directory for the pictures of the documentation, or "" if OMNIBUCKET_DRAW is
// not set. The test must run in a directory below examples.
func DrawTo(t *testing.T) string {
	t.Helper()
	if os.Getenv("OMNIBUCKET_DRAW") == "" {
		return ""
	}
	dir, err := filepath.Abs(filepath.Join("..", "..", "docs", "pictures"))
	require.NoError(t, err)
	return dir
}

// artifactsDir returns the directory for the screenshots of an example. A temporary one is kept
// only if the test fails.
func artifactsDir(t *testing.T, example string) string {
	t.Helper()
	root := os.Getenv("OMNIBUCKET_ARTIFACTS")
	if root == "" {
		var err error
		root, err = os.MkdirTemp("", "omnibucket-artifacts-") // kept after a failure, for people
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
