package sqlrecords

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/omnibucket/storage"
)

// migrations has the migrations of each dialect. The first file is version 1. A released file must
// never be changed.
//
//go:embed migrations
var migrations embed.FS

const versionTable = `CREATE TABLE IF NOT EXISTS omnibucket_files_migrations (
	version INTEGER NOT NULL PRIMARY KEY,
	applied TEXT    NOT NULL
)`

// migrate applies all missing migrations in one transaction, and needs only SELECT if none is missing. If
// several processes start at the same time, the first one migrates, and the others wait for it.
func migrate(ctx context.Context, db *sql.DB, d Dialect) error {
	all, err := readMigrations(d)
	if err != nil {
		return err
	}
	connection, err := connect(ctx, db)
	if err != nil {
		return err
	}
	defer connection.Close()

	version, err := versionOf(ctx, connection)
	if err == nil && version >= len(all) {
		return checkVersion(version, len(all))
	}
	// A migration is missing, or versionOf failed because the table does not exist yet. If
	// versionOf failed for another reason, apply fails in the same way.
	return d.exclusively(ctx, connection, func(ctx context.Context) error {
		return apply(ctx, connection, d, all)
	})
}

// versionOf returns the version of the last migration that was applied to the tables, or 0.
func versionOf(ctx context.Context, connection *sql.Conn) (int, error) {
	const latest = "SELECT COALESCE(MAX(version), 0) FROM omnibucket_files_migrations"
	var version int
	err := connection.QueryRowContext(ctx, latest).Scan(&version)
	return version, err
}

// checkVersion fails if a later version of this package has changed the tables.
func checkVersion(version, last int) error {
	if version <= last {
		return nil
	}
	return &storage.Error{
		Code: storage.Unsupported,
		Op:   "sqlrecords.New",
		Hint: fmt.Sprintf("update this program: the tables have version %d, and it knows version %d", version, last),
	}
}

// apply executes the migrations that the tables lack, and records each of them in the version table.
func apply(ctx context.Context, connection *sql.Conn, d Dialect, all [][]string) error {
	if _, err := connection.ExecContext(ctx, versionTable); err != nil {
		return err
	}

	// Find out which migrations the tables have.
	version, err := versionOf(ctx, connection)
	if err != nil {
		return err
	}
	if err := checkVersion(version, len(all)); err != nil {
		return err
	}

	const recordVersion = "INSERT INTO omnibucket_files_migrations (version, applied) VALUES (?, ?)"
	for version < len(all) {
		version++
		for _, statement := range all[version-1] {
			_, err := connection.ExecContext(ctx, statement)
			if err != nil {
				return fmt.Errorf("migration %d: %w", version, err)
			}
		}

		// Record the migration.
		applied := time.Now().UTC().Format(sqliteTime)
		_, err := connection.ExecContext(ctx, d.bind(recordVersion), version, applied)
		if err != nil {
			return err
		}
	}
	return nil
}

// readMigrations returns the migrations of a dialect by version, each as a list of statements. In the
// files, a semicolon at the end of a line ends a statement.
func readMigrations(d Dialect) ([][]string, error) {
	// Glob sorts the names, which begin with the version.
	names, err := fs.Glob(migrations, "migrations/"+d.String()+"/*")
	if err != nil {
		return nil, err
	}

	var all [][]string
	for _, name := range names {
		text, err := migrations.ReadFile(name)
		if err != nil {
			return nil, err
		}
		all = append(all, strings.SplitAfter(strings.TrimSpace(string(text)), ";\n"))
	}
	return all, nil
}

// migrationLock is the key of an advisory lock in PostgreSQL. It is "omnifile" in ASCII.
const migrationLock = 0x6F6D6E6966696C65

// rollbackTimeout limits a rollback, which does not use ctx because ctx may have ended.
const rollbackTimeout = 5 * time.Second

// exclusively runs f in a transaction, during which no other process can run its own f. If f or the commit
// fails, it rolls the transaction back.
func (d Dialect) exclusively(ctx context.Context, c *sql.Conn, f func(context.Context) error) error {
	begin := "BEGIN"
	if d == SQLite {
		// After a plain BEGIN, SQLite locks the database only at the first write. If another
		// process has written meanwhile, this first write fails immediately.
		begin = "BEGIN IMMEDIATE"
	}
	if err := executeWhileBusy(ctx, c, begin); err != nil {
		return err
	}

	err := d.runAndCommit(ctx, c, f)
	if err == nil {
		return nil
	}

	// Roll back even if ctx is canceled.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	_, rollbackErr := c.ExecContext(ctx, "ROLLBACK")
	return errors.Join(err, rollbackErr)
}

// runAndCommit runs f inside the caller's transaction, and commits it. In PostgreSQL, it takes the lock of
// migrations first, which ends with the transaction.
func (d Dialect) runAndCommit(ctx context.Context, c *sql.Conn, f func(context.Context) error) error {
	if d == PostgreSQL {
		_, err := c.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock))
		if err != nil {
			return err
		}
	}
	if err := f(ctx); err != nil {
		return err
	}
	// Readers may keep the database busy.
	return executeWhileBusy(ctx, c, "COMMIT")
}

// executeWhileBusy executes a statement, and tries again while the database is busy.
func executeWhileBusy(ctx context.Context, c *sql.Conn, statement string) error {
	_, err := whileBusy(ctx, func() (sql.Result, error) {
		return c.ExecContext(ctx, statement)
	})
	return err
}
