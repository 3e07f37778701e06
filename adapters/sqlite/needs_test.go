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
	const rows = 10
	content, err := os.ReadFile(build(t, rows))
	require.NoError(t, err)

	openDatabase := func(t *testing.T, b storage.Bucket) (query func() error, err error) {
		if _, err := b.Upload(t.Context(), "a.db", bytes.NewReader(content)); err != nil {
			return nil, err
		}
		db, err := Open(t.Context(), b, "a.db")
		if err != nil {
			return nil, err
		}

		query = func() error {
			var n int
			if err := db.QueryRow("select count(*) from sqlite_schema").Scan(&n); err != nil {
				return err
			}
			return db.Close()
		}
		return query, nil
	}

	// Check opens and queries the database on stores that lack one feature each. All of that must
	// succeed, because the row of sqlite.Open in needs.txt lists no feature.
	needs.Check(t, "adapters/sqlite.Open", openDatabase)
}
