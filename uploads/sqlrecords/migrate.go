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

// Migrations of each dialect: its first file is version 1. A released file is never changed.
//
//go:embed migrations
var migrations embed.FS

const versionTable = `CREATE TABLE IF NOT EXISTS omnibucket_files_migrations (
	version INTEGER NOT NULL PRIMARY KEY,
	applied TEXT    NOT NULL
)`

// migrate applies all missing migrations, or none. Processes that start at once
// migrate in turn, and only the first has work to do. If none is missing, it needs
// only the right to read.
func migrate(ctx context.Context, db *sql.DB, d Dialect) error {
	all, err := readMigrations(d)
	if err != nil {
		return err
	}
	connection, err := connect(ctx, db)
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close() }()
	version, err := versionOf(ctx, connection)
	if err == nil && version >= len(all) {
		return checkVersion(version, len(all))
	}
	// Otherwise a migration or the table is missing. Any other error will occur
	// again.
	return d.exclusively(ctx, connection, func(ctx context.Context) error {
		return apply(ctx, connection, d, all)
	})
}

func versionOf(ctx context.Context, connection *sql.Conn) (version int, err error) {
	const latest = "SELECT COALESCE(MAX(version), 0) FROM omnibucket_files_migrations"
	err = connection.QueryRowContext(ctx, latest).Scan(&version)
	return version, err
}

// checkVersion refuses tables that a later program has changed.
func checkVersion(version, last int) error {
	if version <= last {
		return nil
	}
	return &storage.Error{
		Code: storage.Unsupported, Op: "sqlrecords.New",
		Hint: fmt.Sprintf("update this program: the tables have version %d, and it knows version %d", version, last),
	}
}

func apply(ctx context.Context, connection *sql.Conn, d Dialect, all [][]string) error {
	if _, err := connection.ExecContext(ctx, versionTable); err != nil {
		return err
	}
	version, err := versionOf(ctx, connection)
	if err != nil {
		return err
	}
	if err := checkVersion(version, len(all)); err != nil {
		return err
	}
	for version < len(all) {
		version++
		for _, statement := range all[version-1] {
			if _, err := connection.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("migration %d: %w", version, err)
			}
		}
		const note = "INSERT INTO omnibucket_files_migrations (version, applied) VALUES (?, ?)"
		if _, err := connection.ExecContext(ctx, d.bind(note), version, time.Now().UTC().Format(sqliteTime)); err != nil {
			return err
		}
	}
	return nil
}

// readMigrations returns the statements of a dialect's migrations, in the order of versions. A semicolon
// at the end of a line separates statements.
func readMigrations(d Dialect) (all [][]string, err error) {
	names, err := fs.Glob(migrations, "migrations/"+d.String()+"/*") // sorted by name
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		text, err := migrations.ReadFile(name)
		if err != nil {
			return nil, err
		}
		all = append(all, strings.SplitAfter(strings.TrimSpace(string(text)), ";\n"))
	}
	return all, nil
}

// migrationLock is the key of PostgreSQL's advisory lock: "omnifile" in ASCII.
const migrationLock = 0x6F6D6E6966696C65

// rollbackTimeout limits the rollback if ctx has ended already.
const rollbackTimeout = 5 * time.Second

// exclusively runs f in a transaction that excludes other processes.
func (d Dialect) exclusively(ctx context.Context, c *sql.Conn, f func(context.Context) error) (err error) {
	begin := "BEGIN"
	if d == SQLite {
		// A plain BEGIN would take the lock at the first write, and fail at once if another
		// process had taken it in between.
		begin = "BEGIN IMMEDIATE"
	}
	execute := func(statement string) error {
		return whileBusy(ctx, func() error {
			_, err := c.ExecContext(ctx, statement)
			return err
		})
	}
	if err := execute(begin); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
			defer cancel()
			_, failure := c.ExecContext(last, "ROLLBACK")
			err = errors.Join(err, failure)
		}
	}()
	if d == PostgreSQL {
		if _, err := c.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
			return err
		}
	}
	if err := f(ctx); err != nil {
		return err
	}
	return execute("COMMIT") // readers may keep the database busy
}
