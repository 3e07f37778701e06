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

// openDB uploads a database with count parts, and opens it. The block cache is much smaller than the database, so that
// most queries need requests. The first block is in the cache.
func openDB(t *testing.T, b storage.Bucket, count int) *sql.DB {
	t.Helper()
	_, err := storage.UploadFile(t.Context(), b, "parts.db", build(t, count))
	require.NoError(t, err)
	db, err := Open(t.Context(), b, "parts.db", storage.WithBlockSize(8<<10), storage.WithBlockCache(64<<10))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })

	var number int // its value does not matter: the query loads the first block
	require.NoError(t, db.QueryRow("SELECT number FROM parts LIMIT 1").Scan(&number))
	return db
}

// readAll runs a query to its end. It returns the number of rows, and the error that ended the query.
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
	const parts = 500
	tests := []struct {
		name   string
		change func(t *testing.T, b storage.Bucket)
	}{
		{
			name: "replaced",
			change: func(t *testing.T, b storage.Bucket) {
				_, err := storage.UploadFile(t.Context(), b, "parts.db", build(t, 700))
				require.NoError(t, err)
			},
		},
		{
			name: "removed",
			change: func(t *testing.T, b storage.Bucket) {
				require.NoError(t, b.Remove(t.Context(), "parts.db"))
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The query scan, which reads the whole table, has read its first row.
			b := memstore.New()
			db := openDB(t, b, parts)
			rows, err := db.Query(scan)
			require.NoError(t, err)
			require.True(t, rows.Next())

			tt.change(t, b)

			// The open query reads what is in memory, and then fails. Its first row, with the
			// number 0, was read above.
			wantNumber := 1
			for rows.Next() {
				var number int
				require.NoError(t, rows.Scan(&number))
				require.Equal(t, wantNumber, number)
				wantNumber++
			}
			require.ErrorIs(t, rows.Err(), storage.Changed)
			require.Less(t, wantNumber, parts)
			var sqliteErr *sqlite.Error
			require.ErrorAs(t, rows.Err(), &sqliteErr)
			require.NoError(t, rows.Close())

			// A new query fails, too, because it needs the revision that Open has seen.
			_, err = readAll(t.Context(), db, scan)
			require.ErrorIs(t, err, storage.Changed)
			var storageErr *storage.Error
			require.ErrorAs(t, err, &storageErr)
			require.Equal(t, "parts.db", storageErr.Key)
		})
	}
}

// Open fails as storage.NewReaderAt does.
func TestOpenFailsAsNewReaderAtDoes(t *testing.T) {
	_, err := Open(t.Context(), memstore.New(), "missing.db")
	require.ErrorIs(t, err, storage.ObjectNotFound)
	_, err = Open(t.Context(), memstore.New(), "a.db", storage.WithBlockSize(-1))
	require.ErrorIs(t, err, storage.InvalidArgument)
}

// If the object is not a SQLite database, a query fails with the driver's error.
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
	require.Equal(t, storage.Internal, storage.CodeOf(err))
}

// If the database is damaged, a query fails with the driver's error.
func TestQueryOfADamagedDatabase(t *testing.T) {
	const headerSize = 100
	const pageSize = 4096
	database, err := os.ReadFile(build(t, 500))
	require.NoError(t, err)
	tests := []struct {
		name   string
		damage func(content []byte) []byte
	}{
		{
			name: "cut in the middle of a page",
			damage: func(content []byte) []byte {
				return content[:len(content)/2+100]
			},
		},
		{
			name: "cut to its header",
			damage: func(content []byte) []byte {
				return content[:headerSize]
			},
		},
		{
			name: "overwritten after the first page",
			damage: func(content []byte) []byte {
				for i := pageSize; i < len(content); i++ {
					content[i] ^= 0xA5
				}
				return content
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := memstore.New()
			damaged := tt.damage(bytes.Clone(database))
			_, err := b.Upload(t.Context(), "a.db", bytes.NewReader(damaged))
			require.NoError(t, err)
			db, err := Open(t.Context(), b, "a.db")
			require.NoError(t, err)
			defer func() {
				require.NoError(t, db.Close())
			}()

			// The query scan reads the whole table.
			_, err = readAll(t.Context(), db, scan)
			var sqliteErr *sqlite.Error
			require.ErrorAs(t, err, &sqliteErr)
			require.Equal(t, storage.Internal, storage.CodeOf(err))
		})
	}
}

// Statements that write to the database fail.
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
}

// A temporary table, which is in memory, can be created.
func TestExecTemporaryTable(t *testing.T) {
	const parts = 10
	db := openDB(t, memstore.New(), parts)
	_, err := db.Exec("CREATE TEMP TABLE chosen AS SELECT * FROM parts WHERE number < 5")
	require.NoError(t, err)
	count, err := readAll(t.Context(), db, scan)
	require.NoError(t, err)
	require.Equal(t, parts, count)
}

// If the connection to the store breaks, a query fails, although SQLite takes an unreadable page at the end of a file
// for zeros.
func TestQueryConnectionLost(t *testing.T) {
	const parts = 500
	for _, cause := range []error{io.EOF, io.ErrUnexpectedEOF} {
		t.Run(cause.Error(), func(t *testing.T) {
			injector := faults.New()
			noRetry := storage.WithRetry(storage.RetryPolicy{Attempts: 1})
			b := memstore.New(driver.WithLayer(injector.Layer()), noRetry)
			db := openDB(t, b, parts)

			// Every read of the store fails, while the query scan reads the whole table.
			injector.Set(faults.Fail(faults.Get).WithError(&storage.Error{
				Code: storage.Unavailable,
				Err:  fmt.Errorf("connection: %w", cause),
			}))
			count, err := readAll(t.Context(), db, scan)
			require.ErrorIs(t, err, storage.Unavailable)
			require.Less(t, count, parts)

			// Without the fault, the next query succeeds.
			injector.Set()
			count, err = readAll(t.Context(), db, scan)
			require.NoError(t, err)
			require.Equal(t, parts, count)
		})
	}
}

// A query that waits for the store ends when its context, or that of Open, is done.
func TestQueryEndsWithItsContext(t *testing.T) {
	// The query scan reads the whole table, which has these rows.
	const parts = 500
	t.Run("canceled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		injector := faults.New()
		db := openDB(t, memstore.New(driver.WithLayer(injector.Layer())), parts)
		// The first read cancels the context.
		delayReads(injector, cancel)

		_, err := readAll(ctx, db, scan)
		require.Equal(t, storage.Canceled, storage.CodeOf(err), "%v", err)
		require.ErrorIs(t, err, context.Canceled)
	})
	t.Run("a deadline", func(t *testing.T) {
		injector := faults.New()
		db := openDB(t, memstore.New(driver.WithLayer(injector.Layer())), parts)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		// Each read waits until the deadline.
		delayReads(injector, func() {})

		_, err := readAll(ctx, db, scan)
		require.Equal(t, storage.DeadlineExceeded, storage.CodeOf(err), "%v", err)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
	t.Run("the context of Open", func(t *testing.T) {
		b := memstore.New()
		openDB(t, b, parts) // uploads the database
		ctx, cancel := context.WithCancel(t.Context())
		db, err := Open(ctx, b, "parts.db")
		require.NoError(t, err)
		cancel()

		_, err = readAll(t.Context(), db, scan)
		require.ErrorIs(t, err, storage.Canceled)
		require.NoError(t, db.Close())
	})
}

// delayReads makes each read of the store wait until its context ends. When a read begins, it calls onRead.
func delayReads(injector *faults.Injector, onRead func()) {
	injector.SetSleep(func(ctx context.Context, _ time.Duration) error {
		onRead()
		<-ctx.Done()
		return ctx.Err()
	})
	injector.Set(faults.Delay(faults.Get, time.Hour)) // calls the function of SetSleep
}

// Rows that are open when the database is closed can still be read. Their session, through which SQLite reads the
// object, is removed when they are closed.
func TestCloseLeavesOpenRows(t *testing.T) {
	const parts = 500
	b := memstore.New()
	openDB(t, b, parts) // uploads the database
	sessionsBefore := len(sessions.byName)
	db, err := Open(t.Context(), b, "parts.db")
	require.NoError(t, err)
	rows, err := db.Query(scan)
	require.NoError(t, err)
	require.True(t, rows.Next())

	require.NoError(t, db.Close())
	require.NoError(t, db.Close(), "must permit a second Close")

	// The first row was read above.
	count := 1
	for rows.Next() {
		count++
	}
	require.NoError(t, rows.Err())
	require.Equal(t, parts, count)
	require.NoError(t, rows.Close())

	_, err = db.Query(scan)
	require.Error(t, err, "must refuse a query after Close")
	require.Len(t, sessions.byName, sessionsBefore)
}
