package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The page has a table of features, one of counts, and what was not proved, and is the same each
// time.
func TestRender(t *testing.T) {
	// Each report is the result of one run. If a provider has a run as a driver, the page shows that one. The last
	// report is about recorded exchanges.
	dir := t.TempDir()
	reports := map[string]string{
		"s3.json": `{"name":"s3","kind":"bucket","features":["StreamingPut"],"passed":5,
			"without":{"b":"x|y","d":"why","a":"why"}}`,
		"memory-driver.json": `{"name":"memory","kind":"driver","features":["Versioning","StreamingPut"],
			"passed":7,"refused":["c"]}`,
		"memory.json":         `{"name":"memory","kind":"bucket","passed":1}`,
		"memory-service.json": `{"name":"memory","kind":"service","passed":3}`,
		"recording-a.json": `{"kind":"recording","provider":"A","name":"m v1","first":"2019-05",
			"last":"2019-05","exchanges":6,"right":4,"binary":2,
			"tallies":[{"kind":"a read","exchanges":4,"right":4},
				{"kind":"a write","exchanges":2,"right":0,"unplayed":{"why":2}}]}`,
	}
	for name, text := range reports {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}

	// The page is the same each time.
	var first, second bytes.Buffer
	require.NoError(t, run(dir, &first))
	require.NoError(t, run(dir, &second))
	require.Equal(t, first.String(), second.String())

	// The tables have a column for each provider: its features and its counts. The page also has the cases that were
	// not proved, the suite of services, and the recorded exchanges.
	wantLines := []string{
		"| | memory | s3 |",
		"| streams in one request, unbuffered | yes | yes |",
		"| keeps versions | yes | – |",
		"| cases passed | 7 | 5 |",
		"| of them, proved `Unsupported` | 1 | 0 |",
		"## Not proved on s3\n\n| why | cases |\n|---|---|\n| why | a; d |\n| x\\|y | b |\n",
		"| memory | 3 |",
		"| A | m v1 | 2019-05 | 6 | 4 | 4 |",
		"| A, m v1 | why | a write (2) |",
		"| A, m v1 | gRPC, which the driver does not speak | 2 files |",
	}
	for _, line := range wantLines {
		require.Contains(t, first.String(), line)
	}
}

// A folder without results is an error, and so is a file that is not JSON.
func TestRenderNothing(t *testing.T) {
	require.Error(t, run(t.TempDir(), &bytes.Buffer{}))

	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "x.json"), []byte("{"), 0o600))
	require.ErrorContains(t, run(dir, &bytes.Buffer{}), "x.json")
}
