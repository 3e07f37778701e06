package databases_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/uploads/sqlrecords"
)

// If several pools of connections to one database are given to New at the same time, all calls succeed. Each migration
// is applied once.
func TestMigrateInConcurrentStarts(t *testing.T) {
	runOnEachDatabase(t, func(t *testing.T, d database) {
		t.Run("an empty database", func(t *testing.T) {
			requireConcurrentStarts(t, d, d.create(t))
		})
		t.Run("a database of an earlier version", func(t *testing.T) {
			// The table says that no migration was applied.
			address := d.create(t)
			_, err := d.open(t, address).ExecContext(t.Context(), `CREATE TABLE omnibucket_files_migrations
				(version INTEGER NOT NULL PRIMARY KEY, applied TEXT NOT NULL)`)
			require.NoError(t, err)
			requireConcurrentStarts(t, d, address)
		})
		t.Run("connections of little patience", func(t *testing.T) {
			// A connection to SQLite waits only a millisecond for another one.
			address, _, _ := strings.Cut(d.create(t), "?_pragma")
			if d.dialect == sqlrecords.SQLite {
				address += "?_pragma=busy_timeout(1)"
			}
			requireConcurrentStarts(t, d, address)
		})
	})
}

// If another connection writes to a new SQLite database, New waits for it until its ctx ends. SQLite itself fails
// at once with SQLITE_BUSY.
func TestMigrateWaitsForAWriter(t *testing.T) {
	d := databases[0] // SQLite
	address := d.create(t)

	// A writer locks the database. It has none of the settings of the address.
	path, _, _ := strings.Cut(address, "?")
	writer, err := d.open(t, path).Conn(t.Context())
	require.NoError(t, err)
	_, err = writer.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	require.NoError(t, err)

	// Without New, another connection fails at once.
	require.ErrorContains(t, d.open(t, address).PingContext(t.Context()), "SQLITE_BUSY")

	// New ends with its ctx.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = sqlrecords.New(ctx, d.open(t, address), d.dialect)
	require.ErrorIs(t, err, storage.Canceled)

	// New succeeds when the writer ends its transaction.
	released := make(chan error)
	time.AfterFunc(50*time.Millisecond, func() {
		_, err := writer.ExecContext(t.Context(), "ROLLBACK")
		released <- err
	})
	_, err = sqlrecords.New(t.Context(), d.open(t, address), d.dialect)
	require.NoError(t, err)
	require.NoError(t, <-released)
	require.NoError(t, writer.Close())
}

// If another connection reads a SQLite database without a write-ahead log, New waits for it.
func TestMigrateWaitsForAReader(t *testing.T) {
	d := databases[0] // SQLite
	const shortTimeout = "?_pragma=busy_timeout(1)"
	address, _, _ := strings.Cut(d.create(t), "?")

	// A reader begins a transaction, in which it reads a table.
	reader, err := d.open(t, address).Conn(t.Context())
	require.NoError(t, err)
	_, err = reader.ExecContext(t.Context(), "CREATE TABLE other (id INTEGER); BEGIN")
	require.NoError(t, err)
	var rows int
	require.NoError(t, reader.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM other").Scan(&rows))

	// New succeeds when the reader ends its transaction.
	released := make(chan error)
	time.AfterFunc(50*time.Millisecond, func() {
		_, err := reader.ExecContext(t.Context(), "ROLLBACK")
		released <- err
	})
	_, err = sqlrecords.New(t.Context(), d.open(t, address+shortTimeout), d.dialect)
	require.NoError(t, err)
	require.NoError(t, <-released)
	require.NoError(t, reader.Close())
}

// requireConcurrentStarts calls New with eight pools of connections at once, and requires that each migration is
// applied once.
func requireConcurrentStarts(t *testing.T, d database, address string) {
	t.Helper()
	errs := make([]error, 8)
	var group sync.WaitGroup
	for i := range errs {
		db := d.open(t, address)
		group.Go(func() {
			_, errs[i] = sqlrecords.New(t.Context(), db, d.dialect)
		})
	}
	group.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}

	var versions int
	require.NoError(t, d.open(t, address).QueryRowContext(t.Context(), "SELECT COUNT(*) FROM omnibucket_files_migrations").Scan(&versions))
	require.Equal(t, 3, versions)
}

// These variables are for the processes of TestMigrateInConcurrentProcesses.
const (
	childAddress = "OMNIBUCKET_SQLRECORDS_ADDRESS"
	childDialect = "OMNIBUCKET_SQLRECORDS_DIALECT"
)

// If several processes call New on one database at the same time, all of them succeed.
func TestMigrateInConcurrentProcesses(t *testing.T) {
	const processes = 4
	runOnEachDatabase(t, func(t *testing.T, d database) {
		address := d.create(t)
		errs := make([]error, processes)
		var group sync.WaitGroup
		for i := range errs {
			// The test program runs TestAsAChild, which calls New on the database of these variables.
			child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAsAChild$", "-test.count=1")
			child.Env = append(os.Environ(), childAddress+"="+address, childDialect+"="+strconv.Itoa(int(d.dialect)))
			group.Go(func() {
				if output, err := child.CombinedOutput(); err != nil {
					errs[i] = fmt.Errorf("%w: %s", err, output)
				}
			})
		}
		group.Wait()
		for _, err := range errs {
			require.NoError(t, err)
		}
	})
}

func TestAsAChild(t *testing.T) {
	address := os.Getenv(childAddress)
	if address == "" {
		return // not a child process: the test above starts those
	}
	number, err := strconv.Atoi(os.Getenv(childDialect))
	require.NoError(t, err)
	for _, d := range databases {
		if int(d.dialect) == number {
			_, err := sqlrecords.New(t.Context(), d.open(t, address), d.dialect)
			require.NoError(t, err)
		}
	}
}

// If the tables have a later version, New fails with Unsupported.
func TestMigrateLeavesLaterVersions(t *testing.T) {
	runOnEachDatabase(t, func(t *testing.T, d database) {
		_, db := d.newRecords(t)
		_, err := db.ExecContext(t.Context(), "INSERT INTO omnibucket_files_migrations (version, applied) VALUES (1000, '')")
		require.NoError(t, err)
		_, err = sqlrecords.New(t.Context(), db, d.dialect)
		require.ErrorIs(t, err, storage.Unsupported)
		require.ErrorContains(t, err, "version 1000")
	})
}

// If a migration fails, its transaction leaves no table, and a later New succeeds.
func TestMigrateFailsLeavesNothing(t *testing.T) {
	runOnEachDatabase(t, func(t *testing.T, d database) {
		// The migration fails, because another program has made a table of the same name.
		db := d.open(t, d.create(t))
		_, err := db.ExecContext(t.Context(), "CREATE TABLE omnibucket_files (mine INTEGER)")
		require.NoError(t, err)
		_, err = sqlrecords.New(t.Context(), db, d.dialect)
		require.Error(t, err)

		// There is no table of migrations, which New makes in the same transaction.
		_, err = db.ExecContext(t.Context(), "SELECT * FROM omnibucket_files_migrations")
		require.Error(t, err)

		// After the other table is gone, New succeeds, so the connection and the lock are free again.
		_, err = db.ExecContext(t.Context(), "DROP TABLE omnibucket_files")
		require.NoError(t, err)
		_, err = sqlrecords.New(t.Context(), db, d.dialect)
		require.NoError(t, err)
	})
}

// If the tables are current, New works for a user who may not change the schema.
func TestMigrateOnlyReadsCurrentTables(t *testing.T) {
	runOnEachDatabase(t, func(t *testing.T, d database) {
		// Another user has created the tables.
		address := d.create(t)
		_, err := sqlrecords.New(t.Context(), d.open(t, address), d.dialect)
		require.NoError(t, err)

		// This user may not create a table.
		restrictedAddress := address + "&mode=ro"
		if d.dialect == sqlrecords.PostgreSQL {
			restrictedAddress = roleWithoutCreate(t, d, address)
		}
		db := d.open(t, restrictedAddress)
		_, err = db.ExecContext(t.Context(), "CREATE TABLE x (y INTEGER)")
		require.Error(t, err)

		// New succeeds, and its records can be read.
		records, err := sqlrecords.New(t.Context(), db, d.dialect)
		require.NoError(t, err)
		_, _, err = records.IDs(t.Context(), "", 1)
		require.NoError(t, err)
	})
}

// roleWithoutCreate returns the address for a role that may only use the tables.
func roleWithoutCreate(t *testing.T, d database, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	role := "only_" + strings.TrimPrefix(u.Path, "/")
	do := func(db *sql.DB, statement string) {
		_, err := db.ExecContext(context.WithoutCancel(t.Context()), statement)
		require.NoError(t, err, statement)
	}
	server, err := sql.Open(d.driver, testserver.Need(t, "OMNIBUCKET_TEST_POSTGRES"))
	require.NoError(t, err)
	do(server, "CREATE ROLE "+role+" LOGIN PASSWORD 'p'")
	owner := d.open(t, address)
	t.Cleanup(func() { // before the database is dropped
		do(owner, "DROP OWNED BY "+role)
		do(server, "DROP ROLE "+role)
		require.NoError(t, server.Close())
	})
	for _, statement := range []string{
		"REVOKE CREATE ON SCHEMA public FROM PUBLIC",
		"GRANT SELECT, INSERT, UPDATE, DELETE ON omnibucket_files TO " + role,
		"GRANT SELECT, INSERT, UPDATE, DELETE ON omnibucket_files_parts TO " + role,
		"GRANT SELECT ON omnibucket_files_migrations TO " + role,
	} {
		do(owner, statement)
	}
	u.User = url.UserPassword(role, "p")
	return u.String()
}
