package transfer_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/transfer"
)

// To find out whether two buckets are the same, a job stores a small object for a moment. A killed
// job may leave this object in its bucket. Other jobs do not transfer it.
func TestJobLeavesOutQuestions(t *testing.T) {
	srcFiles := map[string]string{
		evidence.NewKey(""):        evidence.Text,
		evidence.NewKey("sub/"):    evidence.Text,
		"a":                        "a",
		"omnibucket-question-mine": "mine",
	}
	dstQuestion := evidence.NewKey("")
	dstFiles := map[string]string{dstQuestion: evidence.Text}

	// The small object that the destination already has stays, even with WithDelete.
	want := map[string]string{
		"a":                        "a",
		"omnibucket-question-mine": "mine",
		dstQuestion:                evidence.Text,
	}

	jobs := map[string][]transfer.Option{
		"copy":   nil,
		"delete": {transfer.WithDelete()},
		"move":   {transfer.WithMove()},
	}
	kinds := []string{"bucket", "directory"}
	for job, opts := range jobs {
		for _, dstKind := range kinds {
			for _, srcKind := range kinds {
				t.Run(fmt.Sprintf("%s/%s from %s", job, dstKind, srcKind), func(t *testing.T) {
					src, _ := newEndWith(t, srcKind, srcFiles)
					dst, readDst := newEndWith(t, dstKind, dstFiles)

					_, err := transfer.Sync(t.Context(), dst, src, opts...)
					require.NoError(t, err)
					require.Equal(t, want, readDst())
				})
			}
		}
	}
}

// If a source contains only the small object that a killed job has left, it counts as empty.
func TestJobCountsNoQuestionAsAFile(t *testing.T) {
	src, _ := newEndWith(t, "directory", map[string]string{evidence.NewKey(""): evidence.Text})
	dst, _ := newEndWith(t, "bucket", map[string]string{"a": "a"})

	_, err := transfer.Sync(t.Context(), dst, src, transfer.WithDelete())
	require.ErrorContains(t, err, "the source has no files")
}

// newEndWith returns a bucket or directory with these files, and a function that reads all files in it.
func newEndWith(
	t *testing.T, kind string, files map[string]string,
) (end transfer.End, readAll func() map[string]string) {
	t.Helper()
	if kind == "directory" {
		dir := newTree(t, files)
		return transfer.Dir(dir), func() map[string]string { return filesBelow(t, dir) }
	}
	b := memstore.New()
	for key, text := range files {
		put(t, b, key, text)
	}
	return transfer.Bucket(b), func() map[string]string { return contents(t, b) }
}

// filesBelow returns the texts of the files in a directory by their paths.
func filesBelow(t *testing.T, dir string) map[string]string {
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		files[filepath.ToSlash(rel)] = string(text)
		return err
	})
	require.NoError(t, err)
	return files
}
