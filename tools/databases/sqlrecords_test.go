package databases_test

import (
	"context"
	"database/sql"
	"math"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/sqlrecords"
	"github.com/omnibucket/storage/uploads/uploadstest"
)

// The records of each database pass the suite of uploadstest.
func TestRecords(t *testing.T) {
	runOnEachDatabase(t, func(t *testing.T, d database) {
		uploadstest.Run(t, func(t *testing.T) uploads.Records {
			records, _ := d.newRecords(t)
			return records
		})
	})
}

// The states of unfinished uploads in each database pass the suite of uploadstest.
func TestPartStates(t *testing.T) {
	runOnEachDatabase(t, func(t *testing.T, d database) {
		uploadstest.RunStates(t, func(t *testing.T) uploads.States {
			records, _ := d.newRecords(t)
			return records.(uploads.States)
		})
	})
}

// If the default isolation of PostgreSQL is serializable, Records pass the same tests.
func TestRecordsWithMoreIsolation(t *testing.T) {
	open := func(t *testing.T) uploads.Records {
		u, err := url.Parse(createPostgreSQL(t))
		require.NoError(t, err)
		query := u.Query()
		query.Set("default_transaction_isolation", "serializable")
		u.RawQuery = query.Encode()
		records, err := sqlrecords.New(t.Context(), databases[1].open(t, u.String()), sqlrecords.PostgreSQL)
		require.NoError(t, err)
		return records
	}
	uploadstest.Run(t, open)
	uploadstest.RunStates(t, func(t *testing.T) uploads.States { return open(t).(uploads.States) })
}

// ListStates measures by the clock of the database how long a state was idle.
func TestIdlePartStates(t *testing.T) {
	const (
		idleTime  = 25 * time.Hour
		tolerance = time.Minute
	)
	runOnEachDatabase(t, func(t *testing.T, d database) {
		// The database has a state that is 25 hours old.
		records, db := d.newRecords(t)
		states := records.(uploads.States)
		const key = "files/parts/client/aaaa/upload.json"
		_, err := states.SetState(t.Context(), key, []byte("{}"), "")
		require.NoError(t, err)
		makeOlder(t, db, d, idleTime)

		list, next, err := states.ListStates(t.Context(), "", 10)
		require.NoError(t, err)
		require.Empty(t, next)
		require.Len(t, list, 1)
		require.Equal(t, key, list[0].Key)
		require.InDelta(t, idleTime.Seconds(), list[0].Idle.Seconds(), tolerance.Seconds())
	})
}

// makeOlder makes the states of all uploads older.
func makeOlder(t *testing.T, db *sql.DB, d database, delta time.Duration) {
	t.Helper()
	seconds := strconv.Itoa(int(delta.Seconds()))
	_, err := db.ExecContext(t.Context(), map[sqlrecords.Dialect]string{
		sqlrecords.SQLite:     "UPDATE omnibucket_files_parts SET changed = strftime('%Y-%m-%dT%H:%M:%fZ', changed, '-" + seconds + " seconds')",
		sqlrecords.PostgreSQL: "UPDATE omnibucket_files_parts SET changed = changed - INTERVAL '" + seconds + " seconds'",
	}[d.dialect])
	require.NoError(t, err)
}

// If New gets no database or an unknown dialect, it fails with InvalidArgument.
func TestNewRefusesInvalidInput(t *testing.T) {
	db := databases[0].open(t, databases[0].create(t))
	tests := []struct {
		name    string
		db      *sql.DB
		dialect sqlrecords.Dialect
	}{
		{name: "no database", db: nil, dialect: sqlrecords.SQLite},
		{name: "no dialect", db: db, dialect: 0},
		{name: "unknown dialect", db: db, dialect: sqlrecords.PostgreSQL + 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := sqlrecords.New(t.Context(), tt.db, tt.dialect)
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}

// An application can query the table of files with SQL.
func TestRecordsTableCanBeQueried(t *testing.T) {
	const (
		longSize   = 1 << 40        // does not fit into 32 bits
		largestSum = math.MaxUint32 // does not fit into a signed integer of 32 bits
	)
	runOnEachDatabase(t, func(t *testing.T, d database) {
		records, db := d.newRecords(t)
		require.NoError(t, records.Create(t.Context(), &uploads.File{
			ID:          uploads.NewID(time.Date(2026, 11, 20, 9, 30, 0, 5e6, time.UTC)),
			Key:         "a.pdf",
			ContentType: "application/pdf",
			Name:        "Größe ☕.pdf",
			Size:        longSize,
			User:        uploads.User{ID: "42"},
			Purpose:     "invoices",
			CRC32C:      storage.CRC32C{Sum: largestSum, Known: true},
		}))

		// The ID of the file has its time, which the column "created" has, too.
		row := db.QueryRowContext(t.Context(), `
			SELECT original_name, original_length, crc32c FROM omnibucket_files
			WHERE purpose = 'invoices' AND created < '2026-11-21T00:00:00.000Z'`)
		var name string
		var length, crc32c int64
		require.NoError(t, row.Scan(&name, &length, &crc32c))
		require.Equal(t, "Größe ☕.pdf", name)
		require.EqualValues(t, longSize, length)
		require.EqualValues(t, largestSum, crc32c)
	})
}

// If a call fails before it is sent, or if the database refuses it, its error does not say that the outcome is unknown.
func TestErrorsSayWhatHappened(t *testing.T) {
	const id = "0000000000aaaaaaaaaaaaaaaaaaaaaaaaaa"
	calls := map[string]func(ctx context.Context, r uploads.Records) error{
		"Create": func(ctx context.Context, r uploads.Records) error {
			return r.Create(ctx, &uploads.File{ID: id})
		},
		"Record": func(ctx context.Context, r uploads.Records) error {
			_, err := r.Record(ctx, id)
			return err
		},
		"SetPurpose": func(ctx context.Context, r uploads.Records) error {
			_, err := r.SetPurpose(ctx, id, "x")
			return err
		},
		"Remove": func(ctx context.Context, r uploads.Records) error { return r.Remove(ctx, &uploads.File{ID: id}) },
		"List": func(ctx context.Context, r uploads.Records) error {
			_, _, err := r.List(ctx, uploads.Filter{}, "", 1)
			return err
		},
	}
	runOnEachDatabase(t, func(t *testing.T, d database) {
		for name, call := range calls {
			t.Run(name+", canceled before it began", func(t *testing.T) {
				records, _ := d.newRecords(t)
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				err := call(ctx, records)
				require.Equal(t, storage.Canceled, storage.CodeOf(err))
				require.NotErrorIs(t, err, storage.OutcomeUnknown)
			})
			t.Run(name+", without the table", func(t *testing.T) {
				records, db := d.newRecords(t)
				_, err := db.ExecContext(t.Context(), "DROP TABLE omnibucket_files")
				require.NoError(t, err)
				err = call(t.Context(), records)
				require.Equal(t, storage.Internal, storage.CodeOf(err))
				require.NotErrorIs(t, err, storage.OutcomeUnknown)
			})
		}
	})
}

// If Create waits for a lock of the database and ctx ends, Create fails with DeadlineExceeded and stores nothing.
func TestRecordsWriteEndsWithItsContext(t *testing.T) {
	runOnEachDatabase(t, func(t *testing.T, d database) {
		file := &uploads.File{ID: "0000000000aaaaaaaaaaaaaaaaaaaaaaaaaa"}
		records, db := d.newRecords(t)

		// Another connection locks the table.
		writer, err := db.Conn(t.Context())
		require.NoError(t, err)
		lock := map[sqlrecords.Dialect][]string{
			sqlrecords.SQLite:     {"BEGIN IMMEDIATE"},
			sqlrecords.PostgreSQL: {"BEGIN", "LOCK TABLE omnibucket_files"},
		}[d.dialect]
		for _, statement := range lock {
			_, err := writer.ExecContext(t.Context(), statement)
			require.NoError(t, err)
		}

		// Create ends with its ctx, long before SQLite would stop waiting.
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		start := time.Now()
		err = records.Create(ctx, file)
		require.Equal(t, storage.DeadlineExceeded, storage.CodeOf(err), "%v", err)
		require.Less(t, time.Since(start), patience)

		// The table is free again, and does not have the file.
		_, err = writer.ExecContext(t.Context(), "ROLLBACK")
		require.NoError(t, err)
		require.NoError(t, writer.Close())
		require.NoError(t, records.Create(t.Context(), file), "it was not stored")
	})
}
