package sqlrecords

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/omnibucket/storage"
)

// checkBusyTimeout refuses connections that do not wait for another that writes,
// because they fail when two are used at once.
func checkBusyTimeout(ctx context.Context, db *sql.DB) error {
	connection, err := connect(ctx, db)
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close() }()
	file, err := databaseFile(ctx, connection)
	if err != nil || file == "" {
		return err
	}
	var patience int // in milliseconds
	if err := connection.QueryRowContext(ctx, "PRAGMA busy_timeout").Scan(&patience); err != nil {
		return err
	}
	if patience == 0 {
		return &storage.Error{
			Code: storage.InvalidArgument, Op: "sqlrecords.New",
			Hint: "set busy_timeout in the address, so that connections wait for writers; for modernc.org/sqlite add _pragma=busy_timeout(10000)",
		}
	}
	return nil
}

// connect waits while the database is busy. A driver opens a connection with the pragmas of the address.
// Two connections that make a new database a write-ahead log at once both read it first, and SQLite lets
// one of them fail and not wait: https://www.sqlite.org/c3ref/busy_handler.html
func connect(ctx context.Context, db *sql.DB) (*sql.Conn, error) {
	for end := time.Now().Add(migrationBusyTimeout * time.Millisecond); ; {
		connection, err := db.Conn(ctx)
		var result codeError
		if err == nil || !errors.As(err, &result) || primaryCode(result) != sqliteBusy || time.Now().After(end) {
			return connection, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// databaseFile returns "" for a database in memory. Unlike the table of the same
// name, https://www.sqlite.org/pragma.html#pragma_database_list takes no lock.
func databaseFile(ctx context.Context, connection *sql.Conn) (string, error) {
	var number int
	var name string
	var file sql.NullString
	err := connection.QueryRowContext(ctx, "PRAGMA database_list").Scan(&number, &name, &file) // main is the first
	return file.String, err
}

// checkShared refuses a pool in which each connection has its own database in memory.
// Two connections must see the tables that one of them created.
func checkShared(ctx context.Context, db *sql.DB) error {
	first, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = first.Close() }()
	if file, err := databaseFile(ctx, first); err != nil || file != "" {
		return err
	}
	second, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = second.Close() }()
	for _, connection := range []*sql.Conn{first, second} {
		if _, err := versionOf(ctx, connection); err != nil {
			return &storage.Error{
				Code: storage.InvalidArgument, Op: "sqlrecords.New", Err: err,
				Hint: "call db.SetMaxOpenConns(1), because each connection has its own database in memory",
			}
		}
	}
	return nil
}
