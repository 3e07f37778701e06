package files_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/files"
	"github.com/omnibucket/storage/files/sqlrecords"
)

// A backend is a place for records that the store is tried with; b is the bucket
// of the bytes.
type backend struct {
	name string
	open func(t *testing.T, b storage.Bucket) files.Records
}

func backends() []backend {
	return []backend{
		{"the bucket", func(_ *testing.T, b storage.Bucket) files.Records { return files.BucketRecords(b) }},
		{"SQLite", func(t *testing.T, _ storage.Bucket) files.Records { return inSQLite(t) }},
		{"PostgreSQL", func(t *testing.T, _ storage.Bucket) files.Records { return inPostgreSQL(t) }},
	}
}

// needServer is what the variable says of a server, or the end of the test.
func needServer(t *testing.T, variable string) string {
	t.Helper()
	value := os.Getenv(variable)
	if value == "" {
		t.Fatalf("%s is not set: this test needs a real server; \"make test\" starts it, as does: go run -C testservers . -only postgres,minio -- go test ./files/...", variable)
	}
	return value
}

func inSQLite(t *testing.T) files.Records {
	path := filepath.ToSlash(filepath.Join(t.TempDir(), "files.db"))
	return inDatabase(t, "sqlite", "file:"+path+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)", sqlrecords.SQLite)
}

// postgresVariable is the address of a PostgreSQL that "make test" has started.
const postgresVariable = "OMNIBUCKET_TEST_POSTGRES"

var databaseNumber atomic.Int64

func inPostgreSQL(t *testing.T) files.Records {
	t.Helper()
	address, err := url.Parse(needServer(t, postgresVariable))
	require.NoError(t, err)
	server, err := sql.Open("pgx", address.String())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	name := fmt.Sprintf("filestore_%d_%d", os.Getpid(), databaseNumber.Add(1))
	_, err = server.ExecContext(t.Context(), "CREATE DATABASE "+name)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := server.ExecContext(context.WithoutCancel(t.Context()), "DROP DATABASE "+name+" WITH (FORCE)")
		require.NoError(t, err)
	})
	address.Path = "/" + name
	return inDatabase(t, "pgx", address.String(), sqlrecords.PostgreSQL)
}

func inDatabase(t *testing.T, driver, address string, d sqlrecords.Dialect) files.Records {
	db, err := sql.Open(driver, address)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	records, err := sqlrecords.New(t.Context(), db, d)
	require.NoError(t, err)
	return records
}
