package afero_test

import (
	"os"
	"testing"

	spf13 "github.com/spf13/afero"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/adapters/afero"
	"github.com/omnibucket/storage/adapters/internal/testing/needs"
)

// A bucket without optional features is enough to write, append, read, rename and remove files.
func TestNewAsksForItsFeatures(t *testing.T) {
	// Check calls this function on stores that lack one feature each. Then it calls the function
	// that this one returns.
	needs.Check(t, "adapters/afero.New", func(t *testing.T, b storage.Bucket) (func() error, error) {
		files := afero.New(t.Context(), b)
		return func() error {
			if err := spf13.WriteFile(files, "dir/a.txt", []byte("abc"), 0o644); err != nil {
				return err
			}
			f, err := files.OpenFile("dir/a.txt", os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			if _, err := f.WriteString("def"); err != nil {
				return err
			}
			if err := f.Close(); err != nil {
				return err
			}
			if _, err := spf13.ReadFile(files, "dir/a.txt"); err != nil {
				return err
			}
			if err := files.Rename("dir/a.txt", "dir/b.txt"); err != nil {
				return err
			}
			return files.RemoveAll("dir")
		}, nil
	})
}
