package sqlrecords

import (
	"cmp"
	"context"
	"database/sql"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/ctxtime"
)

// migrationPatience is how long New waits for other connections, if their own timeout is shorter.
const migrationPatience = 30 * time.Second

// whileBusy calls f, and repeats it while the database is busy.
func whileBusy(ctx context.Context, f func() error) error {
	for end := time.Now().Add(migrationPatience); ; {
		err := f()
		if err == nil || primaryCode(err) != sqliteBusy || time.Now().After(end) {
			return err
		}
		if ctxtime.Sleep(ctx, 10*time.Millisecond) != nil {
			return err
		}
	}
}

// connect waits while the database is busy. A driver opens a connection with the pragmas of the address.
// Two connections that make a new database a write-ahead log at once both read it first, and SQLite
// makes one of them fail instead of wait: https://www.sqlite.org/c3ref/busy_handler.html
func connect(ctx context.Context, db *sql.DB) (connection *sql.Conn, err error) {
	err = whileBusy(ctx, func() error {
		connection, err = db.Conn(ctx)
		return err
	})
	return connection, err
}

// misconfigured is the error for a pool whose connections fail when two are used at once.
func misconfigured(hint string, err error) error {
	return &storage.Error{Code: storage.InvalidArgument, Op: "sqlrecords.New", Err: err, Hint: hint}
}

// checkPatience refuses connections that do not wait for another that writes. A database in memory has no file.
func checkPatience(ctx context.Context, db *sql.DB) (inMemory bool, err error) {
	connection, err := connect(ctx, db)
	if err != nil {
		return false, err
	}
	defer func() { _ = connection.Close() }()
	// Unlike the table of the same name, https://www.sqlite.org/pragma.html#pragma_database_list takes no lock.
	var number, name, file sql.NullString // of the database "main", which is the first
	if err = connection.QueryRowContext(ctx, "PRAGMA database_list").Scan(&number, &name, &file); err == nil &&
		file.String == "" {
		return true, nil
	}
	var patience int // in milliseconds
	if err = cmp.Or(err, connection.QueryRowContext(ctx, "PRAGMA busy_timeout").Scan(&patience)); err == nil &&
		patience == 0 {
		err = misconfigured(
			"set busy_timeout in the address, so that connections wait for writers; for modernc.org/sqlite add _pragma=busy_timeout(10000)",
			nil,
		)
	}
	return false, err
}

// checkShared refuses connections that each have their own database in memory: two must see the tables.
func checkShared(ctx context.Context, db *sql.DB) error {
	for range 2 {
		connection, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = connection.Close() }() // not closed before the other connection is open
		if _, err := versionOf(ctx, connection); err != nil {
			return misconfigured(
				"call db.SetMaxOpenConns(1), because each connection has its own database in memory", err,
			)
		}
	}
	return nil
}
