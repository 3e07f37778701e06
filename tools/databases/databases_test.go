package databases_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/sqlrecords"
)

// A database is a kind of database that the records are tested on.
type database struct {
	name    string
	dialect sqlrecords.Dialect
	driver  string
	// create creates an empty database, which t removes, and returns its address.
	create func(t *testing.T) (address string)
}

var databases = []database{
	{name: "sqlite", dialect: sqlrecords.SQLite, driver: "sqlite", create: createSQLite},
	{name: "postgresql", dialect: sqlrecords.PostgreSQL, driver: "pgx", create: createPostgreSQL},
}

func runOnEachDatabase(t *testing.T, test func(t *testing.T, d database)) {
	t.Helper()
	for _, d := range databases {
		t.Run(d.name, func(t *testing.T) {
			test(t, d)
		})
	}
}

// open returns a pool of connections, as each process has.
func (d database) open(t *testing.T, address string) *sql.DB {
	t.Helper()
	db, err := sql.Open(d.driver, address)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	db.SetMaxOpenConns(8)
	db.SetMaxIdleConns(8) // connecting to PostgreSQL takes time
	return db
}

func (d database) newRecords(t *testing.T) (uploads.Records, *sql.DB) {
	t.Helper()
	db := d.open(t, d.create(t))
	records, err := sqlrecords.New(t.Context(), db, d.dialect)
	require.NoError(t, err)
	return records, db
}

// patience is how long a connection to SQLite waits for another.
const patience = 2 * time.Minute

func createSQLite(t *testing.T) string {
	t.Helper()
	return "file:" + filepath.ToSlash(filepath.Join(t.TempDir(), "files.db")) + fmt.Sprintf("?_pragma=busy_timeout(%d)&_pragma=journal_mode(WAL)", patience.Milliseconds())
}

var databaseNumber atomic.Int64

func createPostgreSQL(t *testing.T) string {
	t.Helper()
	address := testserver.Need(t, "OMNIBUCKET_TEST_POSTGRES")
	server, err := sql.Open("pgx", address)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	name := fmt.Sprintf("files_%d_%d", os.Getpid(), databaseNumber.Add(1))
	// The collation is not bytewise, as on most servers.
	_, err = server.ExecContext(t.Context(), "CREATE DATABASE "+name+" TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C.UTF-8'")
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := server.ExecContext(context.WithoutCancel(t.Context()), "DROP DATABASE "+name+" WITH (FORCE)")
		require.NoError(t, err)
	})
	u, err := url.Parse(address)
	require.NoError(t, err)
	u.Path = "/" + name
	return u.String()
}
