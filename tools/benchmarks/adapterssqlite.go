package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver of database/sql

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/adapters/sqlite"
)

const (
	viaSQLite        = "adapters/sqlite"
	sqliteDownloaded = "DownloadFile, then SQLite"
)

// A sqliteStore opens the database that is an object of its bucket. end closes it.
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

// openDownloaded is the way of docs/migrating/sqlite.md without the adapter.
func openDownloaded(ctx context.Context, b storage.Bucket) (db *sql.DB, end func() error, err error) {
	dir, err := os.MkdirTemp("", "omnibucket-benchmarks-")
	if err != nil {
		return nil, nil, err
	}
	path := filepath.Join(dir, "parts.db")
	if _, err = storage.DownloadFile(ctx, b, databaseKey, path); err == nil {
		db, err = sql.Open("sqlite", path)
	}
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	return db, func() error { return errors.Join(db.Close(), os.RemoveAll(dir)) }, nil
}

// sqliteCases compare queries of an object in place with a download of the whole database, which is one
// request.
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

// sqliteOpened opens the database for each operation.
func sqliteOpened(do func(ctx context.Context, db *sql.DB) error) func(*env, sqliteStore) (func(int) error, error) {
	return func(e *env, s sqliteStore) (func(int) error, error) {
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

// sqliteAgain opens the database once.
func sqliteAgain(do func(ctx context.Context, db *sql.DB) error) func(*env, sqliteStore) (func(int) error, error) {
	return func(e *env, s sqliteStore) (func(int) error, error) {
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

// pointQueries finds rows by their numbers. Rows that follow one another are far apart.
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

// put makes the database, once for the contenders of a case, and uploads it.
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
