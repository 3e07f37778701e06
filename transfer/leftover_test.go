package transfer_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/transfer"
)

// A killed job may leave the small object by which it compared two ends. Later jobs do not transfer that object.
func TestJobLeavesOutQuestions(t *testing.T) {
	newEnds := map[string]func(t *testing.T, files map[string]string) (transfer.End, func() map[string]string){
		"a bucket": func(t *testing.T, files map[string]string) (transfer.End, func() map[string]string) {
			b := memstore.New()
			for key, text := range files {
				put(t, b, key, text)
			}
			return transfer.Bucket(b), func() map[string]string { return contents(t, b) }
		},
		"a directory": func(t *testing.T, files map[string]string) (transfer.End, func() map[string]string) {
			dir := t.TempDir()
			writeFiles(t, dir, files)
			return transfer.Dir(dir), func() map[string]string { return filesBelow(t, dir) }
		},
	}
	rest := evidence.NewKey("")
	below := evidence.NewKey("sub/")
	other := evidence.NewKey("")

	for dstName, makeDst := range newEnds {
		for srcName, makeSrc := range newEnds {
			for job, opts := range map[string][]transfer.Option{
				"copy":   nil,
				"delete": {transfer.WithDelete()},
				"move":   {transfer.WithMove()},
			} {
				t.Run(job+"/"+dstName+" from "+srcName, func(t *testing.T) {
					dst, inDst := makeDst(t, map[string]string{other: evidence.Text})
					src, _ := makeSrc(t, map[string]string{
						rest:                       evidence.Text,
						below:                      evidence.Text,
						"a":                        "a",
						"omnibucket-question-mine": "mine",
					})
					_, err := transfer.Sync(t.Context(), dst, src, opts...)
					require.NoError(t, err)
					require.Equal(t, map[string]string{"a": "a", "omnibucket-question-mine": "mine", other: evidence.Text}, inDst())
				})
			}
		}
	}

	t.Run("a source with nothing else has no files", func(t *testing.T) {
		dst, _ := newEnds["a bucket"](t, map[string]string{"a": "a"})
		src, _ := newEnds["a directory"](t, map[string]string{rest: evidence.Text})
		_, err := transfer.Sync(t.Context(), dst, src, transfer.WithDelete())
		require.ErrorContains(t, err, "the source has no files")
	})
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
