// Package sqlite queries a SQLite database that is an object of any [storage.Bucket], in place:
// a query reads only the pages that it needs.
//
//	db, err := sqlite.Open(ctx, bucket, "catalogs/parts.db")
//	row := db.QueryRowContext(ctx, "SELECT price FROM parts WHERE number = ?", number)
//
// It is a file system for modernc.org/sqlite, a SQLite in Go.
//
// # What it reads
//
//   - All connections read the revision that the object had at Open, and share one block cache.
//     If the object is changed or removed, a query fails with Changed, except for what is in
//     memory already. Pages of two revisions are never mixed. Open the database again to read the
//     new one.
//   - A query that finds a row by an index reads a page for each level of the index and the
//     table. A block of 64 KiB ([storage.WithBlockSize]) has 16 pages of the usual size. A query
//     that reads a whole table is read ahead.
//   - A journal or write-ahead log beside the object is not read. Upload a database that no
//     program has open: close it first, or make a copy by VACUUM INTO.
//   - The database is read-only: a statement that writes fails with SQLITE_READONLY. Temporary
//     tables and the sorting of large results are kept in memory.
//
// # Errors
//
// An error of the store is a *[storage.Error], also as the cause of an error of the driver. Other
// errors are a *sqlite.Error of modernc.org/sqlite. If a read fails, the call of the database
// fails, even if SQLite would do without it.
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

// Open returns the SQLite database in an object. Close of the result must be called. As with any
// *sql.DB, rows that are open then can still be read; the object is closed after the last of them.
//
// ctx governs all reads until Close; the context of a query governs those of the query. The
// options are those of [storage.NewReaderAt]. [storage.WithBlockCache] sets how many bytes all
// connections keep in memory, beside the 2 MB of each connection's own cache.
//
// Open makes one request, for the object's attributes. It fails with ObjectNotFound if there is
// no object. If the object is not a SQLite database, the first query fails with SQLITE_NOTADB.
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

// A connector connects to one revision of an object. The last one of its connections closes the
// object, because a connection with open rows outlives Close of the *sql.DB.
type connector struct {
	reader *storage.ReaderAt
	mu     sync.Mutex
	conns  int // that are open
	closed bool
}

func (c *connector) Driver() driver.Driver { return &sqlite.Driver{} }

// Connect opens the object as a database of its own name, so that errors of its reads are
// those of its connection.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	vfs, err := registered()
	if err != nil {
		return nil, &storage.Error{Code: storage.Internal, Op: "Connect", Err: err}
	}
	c.hold()
	s := &session{reader: c.reader}
	name := sessions.add(s)
	// Without "immutable", SQLite looks for a journal before each query.
	modern, err := sqlite.NewConnector("file:" + name + "?mode=ro&immutable=1&_pragma=temp_store(memory)&vfs=" + vfs)
	var inner driver.Conn
	if err == nil {
		inner, err = during(ctx, s, func() (driver.Conn, error) { return modern.Connect(ctx) })
	}
	if err != nil {
		sessions.remove(name)
		return nil, errors.Join(err, c.release())
	}
	return &conn{modernConn: inner.(modernConn), connector: c, session: s, name: name}, nil
}

func (c *connector) hold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns++
}

func (c *connector) release() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns--
	return c.closeUnused()
}

// Close is called by Close of the *sql.DB.
func (c *connector) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	return c.closeUnused()
}

func (c *connector) closeUnused() error {
	if !c.closed || c.conns > 0 {
		return nil
	}
	return c.reader.Close()
}
