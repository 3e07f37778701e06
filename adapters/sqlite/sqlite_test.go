package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/adapters/internal/testing/minioserver"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/providers/s3"
)

// TestMain fails if goroutines leak. It ignores idle connections, because the account with which
// the tests make their bucket on MinIO leaves some.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

// build creates a database of parts on this machine, and returns its path. 1,000 parts take 4 MB.
// The numbers of the parts count from 0. A part's price is its number modulo 1,000, its name does
// not sort like its number, and its picture has only zeros.
func build(t *testing.T, count int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "parts.db")
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	insert := fmt.Sprintf(`
		INSERT INTO parts
		WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n WHERE i < %d)
		SELECT i, 'part-' || (i * 7919 %% %d), i %% 1000, zeroblob(3900) FROM n`, count-1, count)
	for _, statement := range []string{
		"CREATE TABLE parts (number INTEGER PRIMARY KEY, name TEXT, price INTEGER, picture BLOB)",
		insert,
		"CREATE INDEX names ON parts (name)",
	} {
		_, err := db.Exec(statement)
		require.NoError(t, err)
	}
	require.NoError(t, db.Close())
	return path
}

// partName returns the name of a part in the database that build has created.
func partName(number, count int) string { return fmt.Sprint("part-", number*7919%count) }

// traffic counts the requests of a bucket and the bytes that they deliver.
type traffic struct{ requests, bytes atomic.Int64 }

// hook counts the traffic of each call of a bucket when the call ends.
func (t *traffic) hook(context.Context, storage.Operation) (context.Context, func(storage.Outcome), error) {
	return nil, func(outcome storage.Outcome) {
		t.requests.Add(int64(outcome.Requests))
		t.bytes.Add(outcome.Bytes)
	}, nil
}

func (t *traffic) take() (requests, bytes int64) { return t.requests.Swap(0), t.bytes.Swap(0) }

// A query by a key or an index reads only a small part of a large database. A query of the whole table reads the
// object about once.
func TestQueryReadsLittle(t *testing.T) {
	const count = 13_000 // 53 MB
	path := build(t, count)
	var counts traffic
	hook := storage.WithHook(counts.hook)

	for name, open := range map[string]func(t *testing.T) storage.Bucket{
		"memory": func(*testing.T) storage.Bucket { return memstore.New(hook) },
		"local": func(t *testing.T) storage.Bucket {
			b, err := local.Open(filepath.Join(t.TempDir(), "bucket"), local.Config{
				Create: true,
				NoSync: true,
			}, hook)
			require.NoError(t, err)
			return b
		},
		"minio": func(t *testing.T) storage.Bucket {
			b, err := s3.Open(t.Context(), minioserver.NewBucket(t), hook)
			require.NoError(t, err)
			return b
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := open(t)
			defer func() {
				require.NoError(t, storage.Close(b))
			}()
			attrs, err := storage.UploadFile(t.Context(), b, "catalogs/parts.db", path)
			require.NoError(t, err)
			counts.take()
			db, err := Open(t.Context(), b, "catalogs/parts.db")
			require.NoError(t, err)
			defer func() {
				require.NoError(t, db.Close())
			}()

			// A part's price is the last three digits of its number. A query by an index may read
			// eight blocks of 64 KiB, because some of them were read ahead. A query of the whole
			// table may read the size of the object and a tenth more.
			fewBlocks := int64(8 * 64 << 10)
			wholeObject := attrs.Size * 11 / 10
			tests := []struct {
				name        string
				query       string
				argument    any
				want        int
				maxRequests int64
				maxBytes    int64
			}{
				{
					name:        "a part by the primary key",
					query:       "SELECT price FROM parts WHERE number = ?",
					argument:    11_415,
					want:        415,
					maxRequests: 5,
					maxBytes:    fewBlocks,
				},
				{
					name:        "the same part again",
					query:       "SELECT price FROM parts WHERE number = ?",
					argument:    11_415,
					want:        415,
					maxRequests: 2,
					maxBytes:    fewBlocks,
				},
				{
					name:        "the next part",
					query:       "SELECT price FROM parts WHERE number = ?",
					argument:    11_416,
					want:        416,
					maxRequests: 2,
					maxBytes:    fewBlocks,
				},
				{
					name:        "a part by an index",
					query:       "SELECT number FROM parts WHERE name = ?",
					argument:    "part-7919",
					want:        1,
					maxRequests: 4,
					maxBytes:    fewBlocks,
				},
				{
					name:        "the whole table",
					query:       "SELECT sum(price) FROM parts WHERE number >= ?",
					argument:    0,
					want:        count / 1000 * 999 * 500, // for each thousand parts, 0 + 1 + … + 999
					maxRequests: 80,
					maxBytes:    wholeObject,
				},
				{
					name:        "the whole table, sorted without an index",
					query:       "SELECT number FROM parts WHERE number > ? ORDER BY price DESC, number DESC LIMIT 1",
					argument:    0,
					want:        12_999,
					maxRequests: 80,
					maxBytes:    wholeObject,
				},
			}
			for _, tt := range tests {
				var got int
				require.NoError(t, db.QueryRowContext(t.Context(), tt.query, tt.argument).Scan(&got), tt.name)
				require.Equal(t, tt.want, got, tt.name)

				requests, bytes := counts.take()
				t.Logf("%s: %d requests, %d of %d bytes", tt.name, requests, bytes, attrs.Size)
				require.LessOrEqual(t, requests, tt.maxRequests, tt.name)
				require.LessOrEqual(t, bytes, tt.maxBytes, tt.name)
			}
		})
	}
}

// If several connections need the same block, they read it from the store once.
func TestConnectionsReadABlockOnce(t *testing.T) {
	const parts = 500
	const connections = 4
	// With this step, each connection reads some parts in most blocks.
	const step = 41
	var counts traffic
	b := memstore.New(storage.WithHook(counts.hook))
	attrs, err := storage.UploadFile(t.Context(), b, "parts.db", build(t, parts))
	require.NoError(t, err)
	counts.take() // forgets the upload
	db, err := Open(t.Context(), b, "parts.db")
	require.NoError(t, err)

	var group sync.WaitGroup
	for i := range connections {
		group.Go(func() {
			for number := i; number < parts; number += step {
				var name string
				err := db.QueryRow("SELECT name FROM parts WHERE number = ?", number).Scan(&name)
				if err != nil || name != partName(number, parts) {
					t.Errorf("%d: %q, %v", number, name, err)
				}
			}
		})
	}
	group.Wait()
	require.NoError(t, db.Close())

	// Without shared blocks, the connections would receive several times the size of the object.
	_, received := counts.take()
	require.LessOrEqual(t, received, attrs.Size)
}

// A query that sorts many rows needs no temporary file.
func TestQuerySortNeedsNoTemporaryFile(t *testing.T) {
	const parts = 2500
	b := memstore.New()
	_, err := storage.UploadFile(t.Context(), b, "parts.db", build(t, parts))
	require.NoError(t, err)
	db, err := Open(t.Context(), b, "parts.db")
	require.NoError(t, err)
	defer func() {
		require.NoError(t, db.Close())
	}()

	rows, err := db.QueryContext(t.Context(), "SELECT number FROM parts ORDER BY picture, price DESC, number DESC")
	require.NoError(t, err)
	var sorted []int
	for rows.Next() {
		var number int
		require.NoError(t, rows.Scan(&number))
		sorted = append(sorted, number)
	}

	require.NoError(t, rows.Err())
	require.Len(t, sorted, parts)
	// All pictures are equal, so the price decides. The highest price is 999, which the parts 1999 and 999 have.
	require.Equal(t, []int{1999, 999, 1998}, sorted[:3])
}

// A database in the journal mode WAL can be read if its log was written back.
func TestQueryOfAWriteAheadLog(t *testing.T) {
	// Change a row by the log.
	path := build(t, 10)
	writer, err := sql.Open("sqlite", path+"?_pragma=journal_mode(WAL)")
	require.NoError(t, err)
	_, err = writer.Exec("UPDATE parts SET price = 77 WHERE number = 7")
	require.NoError(t, err)

	// Close writes the log back, so that the object of the database is complete.
	require.NoError(t, writer.Close())
	b := memstore.New()
	_, err = storage.UploadFile(t.Context(), b, "parts.db", path)
	require.NoError(t, err)

	// A query finds the change.
	db, err := Open(t.Context(), b, "parts.db")
	require.NoError(t, err)
	defer func() {
		require.NoError(t, db.Close())
	}()
	var price int
	require.NoError(t, db.QueryRow("SELECT price FROM parts WHERE number = 7").Scan(&price))
	require.Equal(t, 77, price)
}

// Transactions, prepared statements with named arguments, and column types work as with the driver of SQLite.
func TestStatementsAndColumns(t *testing.T) {
	b := memstore.New()
	_, err := storage.UploadFile(t.Context(), b, "parts.db", build(t, 10))
	require.NoError(t, err)
	db, err := Open(t.Context(), b, "parts.db")
	require.NoError(t, err)
	defer func() {
		require.NoError(t, db.Close())
	}()
	require.NoError(t, db.PingContext(t.Context()))

	tx, err := db.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
	require.NoError(t, err)
	statement, err := tx.PrepareContext(t.Context(), "SELECT number, name FROM parts WHERE number < :below")
	require.NoError(t, err)
	rows, err := statement.QueryContext(t.Context(), sql.Named("below", 2))
	require.NoError(t, err)

	types, err := rows.ColumnTypes()
	require.NoError(t, err)
	require.Equal(t, "INTEGER", types[0].DatabaseTypeName()) // number
	require.Equal(t, "TEXT", types[1].DatabaseTypeName())    // name
	require.True(t, rows.Next())

	require.NoError(t, rows.Close())
	require.NoError(t, statement.Close())
	require.NoError(t, tx.Commit())
}
