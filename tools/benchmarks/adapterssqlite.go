package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // registers the driver for database/sql

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/adapters/sqlite"
)

const (
	viaSQLite        = "adapters/sqlite"
	sqliteDownloaded = "DownloadFile, then SQLite"
)

// A sqliteStore opens a database that is stored as an object of its bucket. The function end, which
// open returns, closes the database.
type sqliteStore struct {
	bucket storage.Bucket
	open   func(ctx context.Context, b storage.Bucket) (db *sql.DB, end func() error, err error)
}

func (s sqliteStore) close() error { return storage.Close(s.bucket) }

var sqliteAdapters = []adapter[sqliteStore]{
	{viaSQLite, func(_ context.Context, b storage.Bucket) (sqliteStore, error) {
		return sqliteStore{b, openInPlace}, nil
	}},
	{sqliteDownloaded, func(_ context.Context, b storage.Bucket) (sqliteStore, error) {
		return sqliteStore{b, openDownloaded}, nil
	}},
}

func openInPlace(ctx context.Context, b storage.Bucket) (*sql.DB, func() error, error) {
	db, err := sqlite.Open(ctx, b, databaseKey)
	if err != nil {
		return nil, nil, err
	}
	return db, db.Close, nil
}

// openDownloaded downloads the database to a file and opens the file. docs/migrating/sqlite.md
// recommends this method for programs that do not use the adapter.
func openDownloaded(ctx context.Context, b storage.Bucket) (db *sql.DB, end func() error, err error) {
	dir, err := os.MkdirTemp("", "omnibucket-benchmarks-")
	if err != nil {
		return nil, nil, err
	}
	path := filepath.Join(dir, "parts.db")
	if _, err := storage.DownloadFile(ctx, b, databaseKey, path); err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	db, err = sql.Open("sqlite", path)
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	return db, func() error { return errors.Join(db.Close(), os.RemoveAll(dir)) }, nil
}

// sqliteCases returns the cases that compare two ways to query a database in an object: in place,
// and after a download of the whole object with one request.
func sqliteCases() []benchCase {
	goals := []goal{notSlower(viaSQLite, sqliteDownloaded)}
	var cases []benchCase
	for _, c := range []adapterCase[sqliteStore]{
		{"open-1", "open a database of 16 MiB, and one point query", sqliteOpened(pointQueries(1)), goals},
		{"open-100", "open a database of 16 MiB, and 100 point queries all over it", sqliteOpened(pointQueries(100)), nil},
		{"open-scan", "open a database of 16 MiB, and read each row", sqliteOpened(sqliteScan), goals},
		{"query-100", "the same 100 point queries again, of an open database", sqliteAgain(pointQueries(100)), goals},
	} {
		c.name = "sqlite-" + c.name
		cases = append(cases, casesOf(c, sqliteAdapters)...)
	}
	return cases
}

// sqliteOpened returns an op in which each operation opens the database, runs the given function,
// and closes the database.
func sqliteOpened(do func(ctx context.Context, db *sql.DB) error) setupWith[sqliteStore] {
	return func(e *env, s sqliteStore) (opFunc, error) {
		if err := s.put(e); err != nil {
			return nil, err
		}
		return repeated(func() error {
			db, end, err := s.open(e.ctx, s.bucket)
			if err != nil {
				return err
			}
			return errors.Join(do(e.ctx, db), end())
		}), nil
	}
}

// sqliteAgain returns an op that opens the database once, and calls do in each operation.
func sqliteAgain(do func(ctx context.Context, db *sql.DB) error) setupWith[sqliteStore] {
	return func(e *env, s sqliteStore) (opFunc, error) {
		if err := s.put(e); err != nil {
			return nil, err
		}
		db, end, err := s.open(e.ctx, s.bucket)
		if err != nil {
			return nil, err
		}
		e.cleanup = append(e.cleanup, end)
		return repeated(func() error { return do(e.ctx, db) }), nil
	}
}

const (
	databaseKey  = "folder/parts.db"
	databaseRows = 80_000
	rowBytes     = 192
)

// pointQueries returns a function that finds count rows by their numbers. Successive numbers are
// far apart.
func pointQueries(count int) func(ctx context.Context, db *sql.DB) error {
	return func(ctx context.Context, db *sql.DB) error {
		for i := range count {
			var name []byte
			err := db.QueryRowContext(ctx, "SELECT name FROM parts WHERE number = ?", (i+1)*7919%databaseRows).Scan(&name)
			if err := errors.Join(err, checkCount(len(name), rowBytes)); err != nil {
				return err
			}
		}
		return nil
	}
}

func sqliteScan(ctx context.Context, db *sql.DB) error {
	var total int
	err := db.QueryRowContext(ctx, "SELECT sum(length(name)) FROM parts").Scan(&total)
	return errors.Join(err, checkCount(total, databaseRows*rowBytes))
}

// put uploads the database to the bucket. All rows of a case upload the same file.
func (s sqliteStore) put(e *env) error {
	const name = "adapters-database"
	path, ok := e.shared[name].(string)
	if !ok {
		dir, err := e.dir()
		if err != nil {
			return err
		}
		path = filepath.Join(dir, "parts.db")
		if err := makeDatabase(e.ctx, path); err != nil {
			return err
		}
		e.shared[name] = path
	}
	_, err := storage.UploadFile(e.ctx, s.bucket, databaseKey, path)
	return err
}

func makeDatabase(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, fmt.Sprintf(`
		CREATE TABLE parts (number INTEGER PRIMARY KEY, name BLOB);
		WITH RECURSIVE every(number) AS (SELECT 0 UNION ALL SELECT number + 1 FROM every WHERE number < %d)
		INSERT INTO parts SELECT number, randomblob(%d) FROM every`, databaseRows-1, rowBytes))
	return errors.Join(err, db.Close())
}
