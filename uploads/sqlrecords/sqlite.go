package sqlrecords

import (
	"context"
	"database/sql"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/running"
)

// migrationPatience is how long New waits while other connections lock the database. The
// connections' own timeout may be longer.
const migrationPatience = 30 * time.Second

// whileBusy calls f again as long as the database is busy, for at most migrationPatience, and returns the last
// result of f.
func whileBusy[T any](ctx context.Context, f func() (T, error)) (T, error) {
	const pause = 10 * time.Millisecond
	deadline := time.Now().Add(migrationPatience)
	for {
		result, err := f()
		isBusy := err != nil && primaryCode(err) == sqliteBusy
		if !isBusy || time.Now().After(deadline) {
			return result, err
		}
		if running.Sleep(ctx, pause) != nil {
			// The context has ended, and the error of f says more.
			return result, err
		}
	}
}

// connect opens a connection, and tries again while the database is busy. If two connections switch a
// new database to a write-ahead log at the same time, SQLite makes one of them fail instead of wait:
// https://www.sqlite.org/c3ref/busy_handler.html
func connect(ctx context.Context, db *sql.DB) (*sql.Conn, error) {
	return whileBusy(ctx, func() (*sql.Conn, error) {
		return db.Conn(ctx)
	})
}

// misconfigured returns the error for a pool whose connections fail if two of them are used at the
// same time.
func misconfigured(hint string, err error) error {
	return &storage.Error{Code: storage.InvalidArgument, Op: "sqlrecords.New", Err: err, Hint: hint}
}

// checkBusyTimeout fails if connections do not wait for a connection that is writing, but fail at once. It also
// reports whether the database is in memory. Such a database passes without a check.
func checkBusyTimeout(ctx context.Context, db *sql.DB) (inMemory bool, err error) {
	connection, err := connect(ctx, db)
	if err != nil {
		return false, err
	}
	defer connection.Close()

	// This pragma takes no lock, unlike the table-valued function pragma_database_list:
	// https://www.sqlite.org/pragma.html#pragma_database_list
	var number, name, file sql.NullString // columns of the first database, which is "main"
	err = connection.QueryRowContext(ctx, "PRAGMA database_list").Scan(&number, &name, &file)
	if err != nil {
		return false, err
	}

	// Only a database in memory has no file.
	if file.String == "" {
		return true, nil
	}

	// Ask how long a connection waits. With 0, it fails at once.
	var busyTimeout int // in milliseconds
	err = connection.QueryRowContext(ctx, "PRAGMA busy_timeout").Scan(&busyTimeout)
	if err != nil {
		return false, err
	}
	if busyTimeout == 0 {
		return false, misconfigured(
			"set busy_timeout in the address, so that connections wait for writers; for modernc.org/sqlite add _pragma=busy_timeout(10000)",
			nil,
		)
	}
	return false, nil
}

// checkShared fails if each connection has a database of its own in memory, in which case only one of
// two connections finds the tables.
func checkShared(ctx context.Context, db *sql.DB) error {
	for range 2 {
		connection, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		// Keep it open until the end, so that the pool must open a second connection.
		defer connection.Close()
		_, err = versionOf(ctx, connection)
		if err != nil {
			return misconfigured("call db.SetMaxOpenConns(1), because each connection has its own database in memory", err)
		}
	}
	return nil
}
