package databases_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/sqlrecords"
)

var storedAt = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// If OMNIBUCKET_STORED_FORMS is set, the tables of this version are written into that file.
// docs/maintainers/stored-forms.md says how to get those of another version.
func TestTablesAreWritten(t *testing.T) {
	path := os.Getenv("OMNIBUCKET_STORED_FORMS")
	if path == "" {
		t.Skip("OMNIBUCKET_STORED_FORMS is not set")
	}
	require.NoError(t, os.WriteFile(path, []byte(tablesWritten(t)), 0o600))
}

func storedFile(id string) *uploads.File {
	return &uploads.File{
		ID:          id,
		Key:         "files/k",
		Name:        "report.pdf",
		Size:        7,
		ContentType: "application/pdf",
		User:        uploads.User{ID: "user"},
		Purpose:     "reports",
		Expires:     storedAt.Add(time.Hour),
		CRC32C:      storage.CRC32C{Sum: 9, Known: true},
	}
}

func openStored(t *testing.T) *sql.DB {
	path := filepath.ToSlash(filepath.Join(t.TempDir(), "files.db"))
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// tablesWritten returns the statements that make the tables, with a record and a state.
func tablesWritten(t *testing.T) string {
	db := openStored(t)
	records, err := sqlrecords.New(t.Context(), db, sqlrecords.SQLite)
	require.NoError(t, err)
	require.NoError(t, records.Create(t.Context(), storedFile(uploads.NewID(storedAt))))
	_, err = records.(uploads.States).SetState(t.Context(), "uploads/1/state.json", []byte(`{"kind":"tus"}`), "")
	require.NoError(t, err)

	var dump strings.Builder
	var tables []string
	for _, row := range query(t, db, "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid") {
		fmt.Fprintf(&dump, "%s;\n", row[2])
		if fmt.Sprint(row[0]) == "table" {
			tables = append(tables, fmt.Sprint(row[1]))
		}
	}
	for _, table := range tables {
		for _, row := range query(t, db, "SELECT * FROM "+table) {
			values := make([]string, len(row))
			for i, value := range row {
				values[i] = literal(value)
			}
			fmt.Fprintf(&dump, "INSERT INTO %s VALUES (%s);\n", table, strings.Join(values, ", "))
		}
	}
	return dump.String()
}

func literal(value any) string {
	switch value := value.(type) {
	case nil:
		return "NULL"
	case string:
		return "'" + strings.ReplaceAll(value, "'", "''") + "'"
	case []byte:
		return fmt.Sprintf("X'%X'", value)
	}
	return fmt.Sprint(value)
}

func query(t *testing.T, db *sql.DB, statement string) (all [][]any) {
	rows, err := db.QueryContext(t.Context(), statement)
	require.NoError(t, err)
	defer func() {
		require.NoError(t, rows.Close())
	}()
	columns, err := rows.Columns()
	require.NoError(t, err)
	for rows.Next() {
		row := make([]any, len(columns))
		targets := make([]any, len(columns))
		for i := range row {
			targets[i] = &row[i]
		}
		require.NoError(t, rows.Scan(targets...))
		all = append(all, row)
	}
	require.NoError(t, rows.Err())
	return all
}
