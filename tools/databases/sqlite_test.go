package databases_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads/sqlrecords"
)

func TestPoolsOfSQLite(t *testing.T) {
	impatient := func(t *testing.T) string {
		return "file:" + filepath.ToSlash(filepath.Join(t.TempDir(), "files.db"))
	}
	for _, row := range []struct {
		name    string
		address func(t *testing.T) string
		most    int // connections; 0: any number
		refused string
	}{
		{name: "a file, and connections that wait", address: createSQLite},
		{name: "a file, and connections that do not", address: impatient, refused: "busy_timeout"},
		{name: "a file, and one connection that does not", address: impatient, most: 1},
		{name: "memory, and many connections", address: func(*testing.T) string { return ":memory:" }, refused: "SetMaxOpenConns(1)"},
		{name: "memory, and one connection", address: func(*testing.T) string { return ":memory:" }, most: 1},
		{name: "memory that connections share", address: func(*testing.T) string { return "file:shared?mode=memory&cache=shared" }},
	} {
		t.Run(row.name, func(t *testing.T) {
			db, err := sql.Open("sqlite", row.address(t))
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, db.Close()) })
			db.SetMaxOpenConns(row.most)
			records, err := sqlrecords.New(t.Context(), db, sqlrecords.SQLite)
			if row.refused != "" {
				require.ErrorIs(t, err, storage.InvalidArgument)
				require.ErrorContains(t, err, row.refused)
				tables := 0
				require.NoError(t, db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM sqlite_master").Scan(&tables))
				require.Equal(t, row.refused != "busy_timeout", tables > 0, "only memory, which goes away, is changed before")
				return
			}
			require.NoError(t, err)
			_, _, err = records.IDs(t.Context(), "", 1)
			require.NoError(t, err)
		})
	}
}
