// Package sqlite queries a SQLite database that is an object in any [storage.Bucket], without
// downloading it. A query reads only the pages that it needs.
//
//	db, err := sqlite.Open(ctx, bucket, "catalogs/parts.db")
//	row := db.QueryRowContext(ctx, "SELECT price FROM parts WHERE number = ?", number)
//
// The package is a file system for modernc.org/sqlite, which is SQLite in Go.
//
// # What it reads
//
//   - All connections read the revision that the object had at Open, and share one block cache. If
//     the object is replaced or removed, a query fails with Changed, unless all its pages are in
//     memory. Pages of two revisions are never mixed. To read the new revision, open the database
//     again.
//   - A query that finds a row by an index reads one page for each level of the index and of the
//     table. Pages are read in blocks of 64 KiB ([storage.WithBlockSize]), which have 16 pages of
//     the usual size. If a query reads a whole table, the next blocks are read ahead.
//   - A journal or write-ahead log next to the object is ignored. Only upload a database that no
//     program has open: close it first, or make a copy with VACUUM INTO.
//   - The database is read-only: a statement that writes fails with SQLITE_READONLY. Temporary
//     tables are kept in memory, and large results are sorted in memory.
//
// # Errors
//
// If the store fails, errors.As finds a *[storage.Error], even if an error of the driver wraps it.
// Any other error is a *sqlite.Error of modernc.org/sqlite. If a read fails, the call of the
// database fails, even if SQLite would ignore the failure.
package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync"

	"modernc.org/sqlite"

	"github.com/omnibucket/storage"
)

// Open opens the SQLite database in an object. The caller must close the result. As with any *sql.DB,
// open rows can still be read after Close, and the object is closed with the last of them.
//
// All reads use ctx until Close, and those of a query also use its context. The options are those of
// [storage.NewReaderAt]: [storage.WithBlockCache] sets how many bytes all connections together keep in
// memory, in addition to a cache of 2 MB for each connection.
//
// Open makes one request, for the object's attributes, and fails with ObjectNotFound if the object does
// not exist. If it is not a SQLite database, the first query fails with SQLITE_NOTADB.
func Open(ctx context.Context, b interface {
	storage.Downloader
	storage.AttrsReader
}, key string, opts ...storage.ReaderAtOption) (*sql.DB, error) {
	reader, err := storage.NewReaderAt(ctx, b, key, opts...)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(&connector{reader: reader}), nil
}

// A connector makes connections to one revision of an object. The object stays open until the last
// connection is closed, because a connection with open rows may still be used after Close of the
// *sql.DB.
type connector struct {
	reader *storage.ReaderAt
	mu     sync.Mutex
	conns  int // number of open connections
	closed bool
}

func (c *connector) Driver() driver.Driver { return &sqlite.Driver{} }

// Connect opens a new connection to the object. Each connection has a session of its own, under whose
// file name SQLite reads the object, so that a failed read is reported by the right connection.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	vfs, err := registered()
	if err != nil {
		return nil, &storage.Error{Code: storage.Internal, Op: "Connect", Err: err}
	}

	c.hold()
	s := &session{reader: c.reader}
	name := sessions.add(s)
	inner, err := connect(ctx, s, name, vfs)
	if err != nil {
		sessions.remove(name)
		return nil, errors.Join(err, c.release())
	}
	return &conn{modernConn: inner.(modernConn), connector: c, session: s, name: name}, nil
}

// connect opens a connection of modernc.org/sqlite to the file of a session.
func connect(ctx context.Context, s *session, name, vfs string) (driver.Conn, error) {
	// With "immutable", SQLite does not look for a journal before each query.
	dataSource := "file:" + name + "?mode=ro&immutable=1&_pragma=temp_store(memory)&vfs=" + vfs
	modern, err := sqlite.NewConnector(dataSource)
	if err != nil {
		return nil, err
	}
	return callSQLite(ctx, s, func() (driver.Conn, error) { return modern.Connect(ctx) })
}

// hold counts a new connection.
func (c *connector) hold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns++
}

// release counts a connection that was closed. After the last one, it closes the object if Close was called.
func (c *connector) release() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns--
	return c.closeUnused()
}

// Close closes the object as soon as no connection is open. Close of the *sql.DB calls it.
func (c *connector) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	return c.closeUnused()
}

// closeUnused closes the object, but only after Close and if no connection is open. The caller must
// hold c.mu.
func (c *connector) closeUnused() error {
	if !c.closed || c.conns > 0 {
		return nil
	}
	return c.reader.Close()
}
