package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// follows is what the reason of an exception follows: a page of Amazon's documentation, or an answer of S3 that
// others have recorded or seen.
var follows = regexp.MustCompile(`\((recorded: LocalStack|seen: [\w.-]+/[\w.-]+#\d+|[\w-]+)\)`)

func TestAReasonThatNamesAWSSaysWhatItFollows(t *testing.T) {
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

func TestThePageHasTheReasons(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "maintainers", "s3api.md"))
	require.NoError(t, err)
	for suite, title := range map[string]string{
		"s3-tests": "ceph/s3-tests", "s5cmd": "s5cmd", "minio-go": "minio-go", "gateway-minio": "The gateway in front of MinIO\n\nThese fail beside those above.",
	} {
		reasons, err := readExceptions(suite)
		require.NoError(t, err)
		number := map[string]int{}
		for _, reason := range reasons {
			number[reason]++
		}
		var table strings.Builder
		for _, reason := range slices.SortedFunc(maps.Keys(number), func(a, b string) int {
			return cmp.Or(number[b]-number[a], cmp.Compare(a, b))
		}) {
			fmt.Fprintf(&table, "| %s | %d |\n", reason, number[reason])
		}
		require.Contains(t, string(page), "### "+title+"\n\n| reason | tests |\n|---|---|\n"+table.String(), suite)
	}
}
