// Package sqlrecords stores the records of files in SQLite or PostgreSQL, with database/sql. Use it
// if you query records by SQL, or if you often list files by purpose or user.
//
//	db, err := sql.Open("pgx", address) // github.com/jackc/pgx/v5/stdlib
//	records, err := sqlrecords.New(ctx, db, sqlrecords.PostgreSQL)
//	service, err := uploads.New(bucket, uploads.Config{Records: records})
//
// The program chooses the driver. The package recognizes the errors of github.com/jackc/pgx,
// github.com/lib/pq and modernc.org/sqlite. With another driver, the code of each error is
// Internal. A failed write then always counts as one that may have taken effect
// ([storage.OutcomeUnknown]), so that a file's bytes are left for Sweep.
//
// With SQLite, every connection must wait while another one writes. A write-ahead log is
// recommended. With modernc.org/sqlite, the address sets the wait (busy_timeout) and the log
// (journal_mode):
//
//	sql.Open("sqlite", "file:files.db?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)")
//
// A pool of one connection, db.SetMaxOpenConns(1), does not need the timeout if no other process
// writes to the file.
//
// If the database is in memory, as with ":memory:", each connection has its own database. Such a
// database needs db.SetMaxOpenConns(1).
//
// All connections must lead to the primary, because a replica may return outdated rows. If pgx
// connects through PgBouncer with transaction pooling, add default_query_exec_mode=exec to its
// address, because statements may then use different connections to the server.
//
// With PostgreSQL, the first call of New needs the right to create tables in the schema. So does
// the first call after an update of this package that changes the tables. Any other call of New
// needs SELECT on omnibucket_files_migrations. All other functions need SELECT, INSERT, UPDATE and
// DELETE on omnibucket_files and omnibucket_files_parts.
//
// [In] changes records in a transaction of the program, so that either both a file and a row of the
// program exist, or neither.
//
// The table of the records is omnibucket_files. Any program may read it and refer to its column id
// by a foreign key, but only this package may write it. If the bucket lacks conditional writes, the
// table omnibucket_files_parts has the states of unfinished uploads ([uploads.States]).
package sqlrecords

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/internal/filename"
	"github.com/omnibucket/storage/uploads/internal/timeid"
)

// A Dialect says which database is used, because the SQL differs.
type Dialect int

// The dialects.
const (
	SQLite     Dialect = iota + 1 // 3.35 or later
	PostgreSQL                    // 12 or later
)

// terms has three texts for each dialect: its name, an SQL expression for the present time, and an
// SQL expression for an age. The age is the number of whole seconds since the time in the column
// "changed".
var terms = map[Dialect]struct{ name, now, idle string }{
	SQLite: {
		"sqlite", "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
		"CAST((julianday('now') - julianday(changed)) * 86400 AS INTEGER)",
	},
	PostgreSQL: {
		"postgresql", "clock_timestamp()", "CAST(FLOOR(EXTRACT(EPOCH FROM clock_timestamp() - changed)) AS BIGINT)",
	},
}

// String returns the dialect's name.
func (d Dialect) String() string { return cmp.Or(terms[d].name, "unknown") }

// records is the Records of one database.
type records struct {
	db      *sql.DB
	dialect Dialect
}

var _ uploads.Records = (*records)(nil)

// New returns Records in the database db, which the caller must close. The result also implements
// [uploads.States]. New first creates or updates the tables. Several processes may call New at the
// same time.
//
// If d is not a [Dialect] of this package, New fails with InvalidArgument. It fails in the same way
// if connections to SQLite do not wait for each other, or have separate databases. If a later
// version of this package has changed the tables, it fails with Unsupported. It returns any other
// error of the database.
func New(ctx context.Context, db *sql.DB, d Dialect) (uploads.Records, error) {
	const op = "sqlrecords.New"
	if db == nil {
		return nil, &storage.Error{Code: storage.InvalidArgument, Op: op, Err: errors.New("db must not be nil")}
	}
	if d != SQLite && d != PostgreSQL {
		return nil, &storage.Error{
			Code: storage.InvalidArgument,
			Op:   op,
			Err:  errors.New("the dialect must be SQLite or PostgreSQL"),
		}
	}
	if err := d.prepare(ctx, db); err != nil {
		return nil, readError(ctx, op, err)
	}
	return &records{db, d}, nil
}

// prepare creates or updates the tables, after it has checked that connections to SQLite can be used
// together.
func (d Dialect) prepare(ctx context.Context, db *sql.DB) error {
	// The only connection of a pool never meets another one.
	if d != SQLite || db.Stats().MaxOpenConnections == 1 {
		return migrate(ctx, db, d)
	}

	// Connections must wait for each other.
	inMemory, err := checkBusyTimeout(ctx, db)
	if err != nil {
		return err
	}
	if err := migrate(ctx, db, d); err != nil {
		return err
	}
	if inMemory {
		// Each connection could have a database of its own.
		return checkShared(ctx, db)
	}
	return nil
}

// columns are the columns of a record, in the order of Dialect.values and scan.
const columns = "id, object_key, file_ext, mime_type, original_name, original_length, uploaded_by, purpose, created, crc32c, expires"

// Create fails with PreconditionFailed if there is a record with this ID.
func (r *records) Create(ctx context.Context, f *uploads.File) error {
	const statement = "INSERT INTO omnibucket_files (" + columns +
		") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"
	// Refuse times that are not in a year of four digits. PostgreSQL would accept them, but SQLite
	// stores times as texts.
	if err := filename.Storable(f.Expires); err != nil {
		return err
	}
	created, err := r.exec(ctx, "Create", statement, r.dialect.values(f)...)
	if err != nil {
		return err
	}
	if created == 0 {
		return storage.PreconditionFailed
	}
	return nil
}

// Record implements [uploads.Records].
func (r *records) Record(ctx context.Context, id string) (*uploads.File, error) {
	const statement = "SELECT " + columns + " FROM omnibucket_files WHERE id = ?"
	record, err := scan(r.db.QueryRowContext(ctx, r.dialect.bind(statement), id))
	if err != nil {
		return nil, readError(ctx, "Record", err)
	}
	return record, nil
}

// SetPurpose changes the purpose of a record that does not expire, and returns the record.
func (r *records) SetPurpose(ctx context.Context, id, purpose string) (*uploads.File, error) {
	const statement = "UPDATE omnibucket_files SET purpose = ? WHERE id = ? AND expires IS NULL RETURNING " + columns
	return write(ctx, "SetPurpose", []any{purpose, id}, func() (*uploads.File, error) {
		return scan(r.db.QueryRowContext(ctx, r.dialect.bind(statement), purpose, id))
	})
}

// Remove removes the record of f, if there is one. If f expires, but a transaction has made the record
// permanent, Remove fails with PreconditionFailed.
func (r *records) Remove(ctx context.Context, f *uploads.File) error {
	statement := "DELETE FROM omnibucket_files WHERE id = ?"
	if !f.Expires.IsZero() {
		// Do not remove a file that a transaction has kept.
		statement += " AND expires IS NOT NULL"
	}
	removed, err := r.exec(ctx, "Remove", statement, f.ID)
	if err != nil {
		return err
	}
	if removed > 0 || f.Expires.IsZero() {
		return nil
	}

	// Either there is no such record, or a transaction has kept the file.
	_, err = r.Record(ctx, f.ID)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	return storage.PreconditionFailed
}

// exec executes a statement that writes, and returns how many rows it changed. op is the name of the method,
// for errors.
func (r *records) exec(ctx context.Context, op, statement string, values ...any) (int64, error) {
	return write(ctx, op, values, func() (int64, error) {
		result, err := r.db.ExecContext(ctx, r.dialect.bind(statement), values...)
		if err != nil {
			return 0, err
		}
		return result.RowsAffected()
	})
}

// write calls f, which executes a statement with these values, and calls it again if the database
// could not serialize it with a concurrent write. It returns the result of f.
func write[T any](ctx context.Context, op string, values []any, f func() (T, error)) (T, error) {
	var none T
	if err := ctx.Err(); err != nil {
		return none, readError(ctx, op, err)
	}
	if err := filename.Storable(values...); err != nil {
		return none, readError(ctx, op, err)
	}

	const serializationFailure = "40001"
	// This is more than the number of calls that change one row at the same time.
	const maxAttempts = 1000
	for attempt := 1; ; attempt++ {
		result, err := f()
		if err == nil {
			return result, nil
		}
		if stateOf(err) != serializationFailure || attempt == maxAttempts {
			return none, writeError(ctx, op, err)
		}
	}
}

// List returns a page of the records that match f, sorted by ID.
func (r *records) List(
	ctx context.Context, f uploads.Filter, startAfter string, limit int,
) ([]*uploads.File, string, error) {
	where, values := matching(f)
	values = append([]any{max(startAfter, timeid.Floor(f.From))}, values...)
	q := pageQuery[*uploads.File]{
		op:        "List",
		statement: selectAfter(columns, where),
		values:    values,
		limit:     limit,
		scan:      scan,
		keyOf:     func(f *uploads.File) string { return f.ID },
	}
	return q.run(ctx, r)
}

func (r *records) IDs(ctx context.Context, startAfter string, limit int) ([]string, string, error) {
	q := pageQuery[string]{
		op:        "IDs",
		statement: selectAfter("id", ""),
		values:    []any{startAfter},
		limit:     limit,
		scan:      scanID,
		keyOf:     func(id string) string { return id },
	}
	return q.run(ctx, r)
}

// scanID reads a row that has only an ID.
func scanID(src row) (string, error) {
	var id string
	err := src.Scan(&id)
	return id, err
}

// Expired returns at most limit records that have expired, the earliest first.
func (r *records) Expired(ctx context.Context, now time.Time, limit int) ([]*uploads.File, error) {
	const statement = "SELECT " + columns + " FROM omnibucket_files WHERE expires <= ? ORDER BY expires LIMIT ?"
	q := pageQuery[*uploads.File]{
		op:        "Expired",
		statement: statement,
		values:    []any{r.dialect.time(now)},
		limit:     limit,
		scan:      scan,
		keyOf:     func(*uploads.File) string { return "" }, // the result has only one page
	}
	page, _, err := q.run(ctx, r)
	return page, err
}

// selectAfter returns a statement that selects records in the order of IDs. Its first value is the
// ID after which the result starts, and its last value is the number of rows.
func selectAfter(columns, where string) string {
	return "SELECT " + columns + " FROM omnibucket_files WHERE id > ?" + where + " ORDER BY id LIMIT ?"
}

// A pageQuery selects a page of rows, each of which is a T.
type pageQuery[T any] struct {
	op        string
	statement string // ends with a LIMIT
	values    []any  // values of the statement, except that of the LIMIT
	limit     int    // largest number of rows of the page
	scan      func(row) (T, error)
	keyOf     func(T) string // returns the key of a row, after which the next page may start
}

// run returns the page, and the key after which the next page starts, or "" for the last page.
func (q *pageQuery[T]) run(ctx context.Context, r *records) (page []T, next string, err error) {
	if err := filename.Storable(q.values...); err != nil {
		return nil, "", err
	}

	// One more row shows whether there is another page.
	values := append(q.values, q.limit+1)
	rows, err := r.db.QueryContext(ctx, r.dialect.bind(q.statement), values...)
	if err != nil {
		return nil, "", readError(ctx, q.op, err)
	}
	defer rows.Close()

	// Read the rows.
	for rows.Next() {
		item, err := q.scan(rows)
		if err != nil {
			return nil, "", readError(ctx, q.op, err)
		}
		page = append(page, item)
	}
	if err := rows.Err(); err != nil {
		return nil, "", readError(ctx, q.op, err)
	}

	isLastPage := len(page) <= q.limit
	if isLastPage {
		return page, "", nil
	}
	return page[:q.limit], q.keyOf(page[q.limit-1]), nil
}

// matching returns an SQL condition for the records that match f, with its values. It leaves out the
// field From, because List starts its pages at this time.
func matching(f uploads.Filter) (where string, values []any) {
	if !f.Expiring {
		where += " AND expires IS NULL"
	}
	if f.Purpose != "" {
		where += " AND purpose = ?"
		values = append(values, f.Purpose)
	}
	if f.User != "" {
		where += " AND uploaded_by = ?"
		values = append(values, f.User)
	}
	if !f.To.IsZero() {
		// Compare the ID, which begins with the time. In SQLite, times are texts, and the texts of
		// some years do not sort by time.
		where += " AND id < ?"
		values = append(values, timeid.Floor(f.To))
	}
	return where, values
}
