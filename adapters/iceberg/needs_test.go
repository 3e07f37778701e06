package iceberg_test

import (
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/adapters/iceberg"
	"github.com/omnibucket/storage/adapters/internal/testing/needs"
)

// The adapter needs only the features that New asks for.
func TestNewAsksForItsFeatures(t *testing.T) {
	needs.Check(t, "adapters/iceberg.New", func(t *testing.T, b storage.Bucket) (func() error, error) {
		files := iceberg.New(t.Context(), b, "s3://lake")
		return func() error {
			if err := files.WriteFile("s3://lake/a.json", []byte("{}")); err != nil {
				return err
			}
			if err := files.Rename("s3://lake/a.json", "s3://lake/b.json"); err != nil {
				return err
			}
			if _, err := files.ReadFile("s3://lake/b.json"); err != nil {
				return err
			}
			return files.RemoveAll("s3://lake/b.json")
		}, nil
	})

	needs.Check(t, "adapters/iceberg.IO.RenameNoReplace",
		func(t *testing.T, b storage.Bucket) (func() error, error) {
			files := iceberg.New(t.Context(), b, "s3://lake")
			if err := files.WriteFile("s3://lake/a.json", []byte("{}")); err != nil {
				return nil, err
			}
			err := files.RenameNoReplace("s3://lake/a.json", "s3://lake/b.json")
			return func() error {
				_, err := files.ReadFile("s3://lake/b.json")
				return err
			}, err
		})
}
