package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// follows is what the reason of an exception follows: a page of Amazon's documentation, or an answer of S3 that
// others have recorded or seen.
var follows = regexp.MustCompile(`\((recorded: LocalStack|seen: [\w.-]+/[\w.-]+#\d+|[\w-]+)\)`)

// If the reason of an exception names AWS or S3, it also names its source.
func TestExceptionsOfAWSHaveSources(t *testing.T) {
	for _, suite := range []string{"s3-tests", "s5cmd", "minio-go"} {
		reasons, err := readExceptions(suite)
		require.NoError(t, err)
		for test, reason := range reasons {
			if strings.Contains(reason, "AWS") || strings.Contains(reason, "S3 ") {
				require.Regexp(t, follows, reason, test)
			}
		}
	}
}

// docs/maintainers/s3api.md has a row for each list of exceptions, with the number of its tests.
func TestExceptionsAreCountedOnThePage(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "maintainers", "s3api.md"))
	require.NoError(t, err)
	for _, suite := range []string{"s3-tests", "s5cmd", "minio-go", "gateway-minio", "layers", "directory"} {
		reasons, err := readExceptions(suite)
		require.NoError(t, err)
		row := fmt.Sprintf("| `%s.tsv` | %d |", suite, len(reasons))
		require.Contains(t, string(page), row, "docs/maintainers/s3api.md needs this row")
	}
}
