package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// scan is a query that reads the whole table.
const scan = "SELECT number FROM parts WHERE length(picture) > 0"

// openDB uploads parts, and opens them as a database with small blocks and few of them, whose
// first block is in memory.
func openDB(t *testing.T, b storage.Bucket, count int) *sql.DB {
	t.Helper()
	_, err := storage.UploadFile(t.Context(), b, "parts.db", build(t, count))
	require.NoError(t, err)
	db, err := Open(t.Context(), b, "parts.db", storage.WithBlockSize(8<<10), storage.WithBlockCache(64<<10))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	var number int
	require.NoError(t, db.QueryRow("SELECT number FROM parts LIMIT 1").Scan(&number))
	return db
}

// readAll returns how many rows a query has, and how it ended.
func readAll(ctx context.Context, db *sql.DB, query string) (count int, err error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		count++
	}
	return count, rows.Err()
}

// If the object is replaced or removed while the database is open, queries fail.
func TestQueryOfAReplacedObject(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, b storage.Bucket){
		"replaced": func(t *testing.T, b storage.Bucket) {
			_, err := storage.UploadFile(t.Context(), b, "parts.db", build(t, 700))
			require.NoError(t, err)
		},
		"removed": func(t *testing.T, b storage.Bucket) {
			require.NoError(t, b.Remove(t.Context(), "parts.db"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := memstore.New()
			db := openDB(t, b, 500)

			rows, err := db.Query(scan)
			require.NoError(t, err)
			require.True(t, rows.Next())

			change(t, b)
			count := 1
			for rows.Next() {
				var number int
				require.NoError(t, rows.Scan(&number))
				require.Equal(t, count, number)
				count++
			}
			require.ErrorIs(t, rows.Err(), storage.Changed)
			require.Less(t, count, 500)

			var sqliteErr *sqlite.Error
			require.ErrorAs(t, rows.Err(), &sqliteErr, "the driver's error is there, too")
			require.NoError(t, rows.Close())

			_, err = readAll(t.Context(), db, scan)
			require.ErrorIs(t, err, storage.Changed, "a new query is of the same revision")
			var e *storage.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, "parts.db", e.Key)
		})
	}
}

// Open fails with the error of storage.NewReaderAt.
func TestOpenFailsAsNewReaderAtDoes(t *testing.T) {
	_, err := Open(t.Context(), memstore.New(), "missing.db")
	require.ErrorIs(t, err, storage.ObjectNotFound)
	_, err = Open(t.Context(), memstore.New(), "a.db", storage.WithBlockSize(-1))
	require.ErrorIs(t, err, storage.InvalidArgument)
}

// If the object is not a SQLite database, the query fails with the driver's error.
func TestQueryOfNoDatabase(t *testing.T) {
	b := memstore.New()
	_, err := b.Upload(t.Context(), "text", strings.NewReader(strings.Repeat("text ", 1000)))
	require.NoError(t, err)
	db, err := Open(t.Context(), b, "text")
	require.NoError(t, err)
	defer func() {
		require.NoError(t, db.Close())
	}()

	_, err = readAll(t.Context(), db, "SELECT * FROM parts")
	require.ErrorContains(t, err, "file is not a database")
	require.Equal(t, storage.Internal, storage.CodeOf(err), "the store has not failed")
}

// If the database is damaged, the query fails with the driver's error.
func TestQueryOfADamagedDatabase(t *testing.T) {
	data, err := os.ReadFile(build(t, 500))
	require.NoError(t, err)
	for name, damage := range map[string]func(content []byte) []byte{
		"cut":               func(content []byte) []byte { return content[:len(content)/2+100] },
		"cut to its header": func(content []byte) []byte { return content[:100] },
		"overwritten": func(content []byte) []byte {
			for i := 4096; i < len(content); i++ {
				content[i] ^= 0xA5
			}
			return content
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := memstore.New()
			_, err := b.Upload(t.Context(), "a.db", bytes.NewReader(damage(bytes.Clone(data))))
			require.NoError(t, err)
			db, err := Open(t.Context(), b, "a.db")
			require.NoError(t, err)
			defer func() {
				require.NoError(t, db.Close())
			}()
			_, err = readAll(t.Context(), db, scan)

			var sqliteErr *sqlite.Error
			require.ErrorAs(t, err, &sqliteErr)
			require.Equal(t, storage.Internal, storage.CodeOf(err), "the store has not failed")
		})
	}
}

// Statements that write fail.
func TestExecIsRefused(t *testing.T) {
	db := openDB(t, memstore.New(), 10)
	for _, statement := range []string{
		"INSERT INTO parts (number) VALUES (100)",
		"UPDATE parts SET price = 0",
		"DELETE FROM parts",
		"CREATE TABLE more (a)",
		"DROP TABLE parts",
		"VACUUM",
		"PRAGMA user_version = 7",
	} {
		_, err := db.Exec(statement)
		var sqliteErr *sqlite.Error
		require.ErrorAs(t, err, &sqliteErr, statement)
		require.ErrorContains(t, err, "attempt to write a readonly database", statement)
	}

	_, err := db.Exec("CREATE TEMP TABLE chosen AS SELECT * FROM parts WHERE number < 5")
	require.NoError(t, err, "a temporary table is in memory")
	count, err := readAll(t.Context(), db, scan)
	require.NoError(t, err)
	require.Equal(t, 10, count)
}

// If the connection to the store breaks, the query fails. SQLite would take an unreadable page at the end of the
// file for zeros.
func TestQueryConnectionLost(t *testing.T) {
	for _, lost := range []error{io.EOF, io.ErrUnexpectedEOF} {
		t.Run(lost.Error(), func(t *testing.T) {
			injector := faults.New()
			b := memstore.New(driver.WithLayer(injector.Layer()), storage.WithRetry(storage.RetryPolicy{
				Attempts: 1,
			}))
			db := openDB(t, b, 500)
			injector.Set(faults.Fail(faults.Get).WithError(&storage.Error{
				Code: storage.Unavailable,
				Err:  fmt.Errorf("connection: %w", lost),
			}))
			count, err := readAll(t.Context(), db, scan)
			require.ErrorIs(t, err, storage.Unavailable)
			require.Less(t, count, 500)

			injector.Set()
			count, err = readAll(t.Context(), db, scan)
			require.NoError(t, err, "the next query reads again")
			require.Equal(t, 500, count)
		})
	}
}

// If a query waits for the store, it ends when its context ends.
func TestQueryEndsWithItsContext(t *testing.T) {
	for name, code := range map[string]storage.Code{
		"canceled":   storage.Canceled,
		"a deadline": storage.DeadlineExceeded,
	} {
		t.Run(name, func(t *testing.T) {
			injector := faults.New()
			b := memstore.New(driver.WithLayer(injector.Layer()))
			db := openDB(t, b, 500)
			ctx, cancel := context.WithCancel(t.Context())
			if code == storage.DeadlineExceeded {
				ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
			}
			defer cancel()
			injector.SetSleep(func(reading context.Context, _ time.Duration) error {
				if code == storage.Canceled {
					cancel()
				}
				<-reading.Done()
				return reading.Err()
			})
			injector.Set(faults.Delay(faults.Get, time.Hour))

			_, err := readAll(ctx, db, scan)
			require.Equal(t, code, storage.CodeOf(err), "%v", err)
			require.ErrorIs(t, err, ctx.Err())
		})
	}
	t.Run("the context of Open", func(t *testing.T) {
		b := memstore.New()
		openDB(t, b, 500)
		ctx, cancel := context.WithCancel(t.Context())
		db, err := Open(ctx, b, "parts.db")
		require.NoError(t, err)
		cancel()

		_, err = readAll(t.Context(), db, scan)
		require.ErrorIs(t, err, storage.Canceled)
		require.NoError(t, db.Close())
	})
}

// Rows that are open when the database is closed can still be read.
func TestCloseLeavesOpenRows(t *testing.T) {
	b := memstore.New()
	openDB(t, b, 500)
	others := len(sessions.byName)
	db, err := Open(t.Context(), b, "parts.db")
	require.NoError(t, err)

	rows, err := db.Query(scan)
	require.NoError(t, err)
	require.True(t, rows.Next())

	require.NoError(t, db.Close())
	require.NoError(t, db.Close())
	n := 1
	for rows.Next() {
		n++
	}

	require.NoError(t, rows.Err())
	require.Equal(t, 500, n)
	require.NoError(t, rows.Close())
	_, err = db.Query(scan)
	require.Error(t, err, "no query begins after Close")
	require.Len(t, sessions.byName, others)
}
