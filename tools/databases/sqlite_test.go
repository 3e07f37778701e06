package databases_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads/sqlrecords"
)

// New refuses a pool whose connections to SQLite would disturb each other. Connections to a file must wait for each
// other, and connections to memory must share it. A pool of one connection has neither problem.
func TestPoolsOfSQLite(t *testing.T) {
	fileWithoutTimeout := func(t *testing.T) string {
		return "file:" + filepath.ToSlash(filepath.Join(t.TempDir(), "files.db"))
	}
	memory := func(*testing.T) string { return ":memory:" }
	sharedMemory := func(*testing.T) string { return "file:shared?mode=memory&cache=shared" }
	tests := []struct {
		name           string
		address        func(t *testing.T) string
		maxConnections int    // 0: any number
		wantAdvice     string // in the error; "" if New succeeds
		wantTables     bool   // after an error
	}{
		{name: "a file, and connections that wait", address: createSQLite},
		{
			name:       "a file, and connections that do not wait",
			address:    fileWithoutTimeout,
			wantAdvice: "busy_timeout",
			wantTables: false,
		},
		{name: "a file, and one connection that does not wait", address: fileWithoutTimeout, maxConnections: 1},
		{
			name:       "memory, and many connections",
			address:    memory,
			wantAdvice: "SetMaxOpenConns(1)",
			wantTables: true, // memory goes away, so that New may change it before it fails
		},
		{name: "memory, and one connection", address: memory, maxConnections: 1},
		{name: "memory that connections share", address: sharedMemory},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			db, err := sql.Open("sqlite", tt.address(t))
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, db.Close()) })
			db.SetMaxOpenConns(tt.maxConnections)

			records, err := sqlrecords.New(t.Context(), db, sqlrecords.SQLite)
			if tt.wantAdvice != "" {
				require.ErrorIs(t, err, storage.InvalidArgument)
				require.ErrorContains(t, err, tt.wantAdvice)
				tables := 0
				require.NoError(t, db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM sqlite_master").Scan(&tables))
				require.Equal(t, tt.wantTables, tables > 0)
				return
			}
			require.NoError(t, err)
			_, _, err = records.IDs(t.Context(), "", 1)
			require.NoError(t, err)
		})
	}
}
