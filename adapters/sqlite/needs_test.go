package sqlite

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/adapters/internal/testing/needs"
)

// A bucket without optional features is enough to query a database.
func TestOpenAsksForItsFeatures(t *testing.T) {
	content, err := os.ReadFile(build(t, 10))
	require.NoError(t, err)
	needs.Check(t, "adapters/sqlite.Open", func(t *testing.T, b storage.Bucket) (func() error, error) {
		if _, err := b.Upload(t.Context(), "a.db", bytes.NewReader(content)); err != nil {
			return nil, err
		}
		db, err := Open(t.Context(), b, "a.db")
		if err != nil {
			return nil, err
		}
		return func() error {
			var n int
			if err := db.QueryRow("select count(*) from sqlite_schema").Scan(&n); err != nil {
				return err
			}
			return db.Close()
		}, nil
	})
}
