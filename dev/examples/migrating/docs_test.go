package migrating

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const docs = "../../../docs/migrating"

var (
	code  = regexp.MustCompile("(?s)```go\n(.*?)```")
	patch = regexp.MustCompile("(?s)<!-- ([a-z/.]+) -> ([a-z/.]+) -->\n```diff\n(.*?)```")
	span  = regexp.MustCompile("`([^`]+)`")
	space = regexp.MustCompile(`\s+`)
)

// pages are the pages of docs/migrating with the package here that has their calls.
var pages = map[string]string{
	"minio-go": "minio", "aws-sdk": "aws", "google-cloud-storage": "gcs", "azure-sdk": "azure",
	"gocloud": "gocloud", "objstore": "objstore", "afero": "afero", "tusd": "tusd",
}

// Each call of a table and each block of Go stands in the calls.go of the page's package, and so
// compiles. Tables without calls have another heading.
func TestCallsOfThePagesCompile(t *testing.T) {
	for page, dir := range pages {
		t.Run(page, func(t *testing.T) {
			text := read(t, filepath.Join(docs, page+".md"))
			calls := flat(read(t, filepath.Join(dir, "calls.go")))
			for _, block := range code.FindAllStringSubmatch(text, -1) {
				require.Contains(t, calls, flat(block[1]))
			}
			_, table, found := strings.Cut(text, "## Call by call\n")
			if !found {
				return
			}
			table, _, _ = strings.Cut(table, "\n## ")
			rows := strings.Split(table, "\n")
			for _, row := range rows[3:] { // after an empty line and the heading of the table
				for _, call := range span.FindAllStringSubmatch(row, -1) {
					require.Contains(t, calls, flat(strings.ReplaceAll(call[1], `\|`, "|")), "%s is not in %s/calls.go", call[1], dir)
				}
			}
		})
	}
}

// What a diff removes stands in the program before, and what it leaves in the one after.
func TestDiffsOfThePagesAreTheProgramsHere(t *testing.T) {
	for page := range pages {
		for _, found := range patch.FindAllStringSubmatch(read(t, filepath.Join(docs, page+".md")), -1) {
			var before, after strings.Builder
			for line := range strings.Lines(found[3]) {
				if !strings.HasPrefix(line, "+") {
					before.WriteString(strings.TrimPrefix(strings.TrimPrefix(line, "-"), " "))
				}
				if !strings.HasPrefix(line, "-") {
					after.WriteString(strings.TrimPrefix(strings.TrimPrefix(line, "+"), " "))
				}
			}
			require.Contains(t, read(t, found[1]), before.String(), page)
			require.Contains(t, read(t, found[2]), after.String(), page)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

func flat(text string) string { return strings.TrimSpace(space.ReplaceAllString(text, " ")) }
