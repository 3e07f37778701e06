package iceberg_test

import (
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/adapters/iceberg"
	"github.com/omnibucket/storage/adapters/internal/testing/needs"
)

const (
	source      = "s3://lake/a.json"
	destination = "s3://lake/b.json"
)

// writeAndRename writes, renames, reads and removes a file.
func writeAndRename(t *testing.T, b storage.Bucket) (finish func() error, err error) {
	files := iceberg.New(t.Context(), b, "s3://lake")
	finish = func() error {
		if err := files.WriteFile(source, []byte("{}")); err != nil {
			return err
		}
		if err := files.Rename(source, destination); err != nil {
			return err
		}
		if _, err := files.ReadFile(destination); err != nil {
			return err
		}
		return files.RemoveAll(destination)
	}
	return finish, nil
}

// renameNoReplace writes a file and renames it with RenameNoReplace. The function finish reads it.
func renameNoReplace(t *testing.T, b storage.Bucket) (finish func() error, err error) {
	files := iceberg.New(t.Context(), b, "s3://lake")
	if err := files.WriteFile(source, []byte("{}")); err != nil {
		return nil, err
	}
	if err := files.RenameNoReplace(source, destination); err != nil {
		return nil, err
	}

	finish = func() error {
		_, err := files.ReadFile(destination)
		return err
	}
	return finish, nil
}

// The adapter needs only the features that New asks for.
func TestNewAsksForItsFeatures(t *testing.T) {
	// Check calls each function on stores that lack one feature each. The function must fail for
	// exactly those features that its row of needs.txt lists.
	needs.Check(t, "adapters/iceberg.New", writeAndRename)
	needs.Check(t, "adapters/iceberg.IO.RenameNoReplace", renameNoReplace)
}
