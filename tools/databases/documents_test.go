package databases_test

import (
	"context"
	"database/sql"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
	"github.com/omnibucket/storage/uploads/sqlrecords"
)

// An office has documents: rows of its own, each of which names a file.
type office struct {
	kind    database
	address string
	bucket  driver.Driver
	db      *sql.DB // pool of a process that is never killed
	service *uploads.Service

	mu  sync.Mutex
	now time.Time // of the bucket and of the processes
}

var eva = uploads.User{ID: "eva"}

// lifetime is how long a file waits for its row.
const lifetime = 2 * time.Hour

// runOnEachOffice runs a test on each database, and with the files in memory and in a directory.
func runOnEachOffice(t *testing.T, test func(t *testing.T, o *office)) {
	t.Helper()
	runOnEach(t, func(t *testing.T, d database) {
		t.Run("memory", func(t *testing.T) {
			o := &office{kind: d}
			o.bucket = memstore.NewDriver(memstore.Config{Now: o.clock})
			o.open(t)
			test(t, o)
		})
		t.Run("directory", func(t *testing.T) {
			o := &office{kind: d}
			b, err := local.NewDriver(t.TempDir(), local.Config{NoSync: true, Now: o.clock})
			require.NoError(t, err)
			o.bucket = b
			o.open(t)
			test(t, o)
		})
	})
}

func (o *office) open(t *testing.T) {
	t.Helper()
	o.now = time.Now()
	o.address = o.kind.create(t)
	if o.kind.dialect == sqlrecords.SQLite {
		o.address += "&_pragma=foreign_keys(1)"
	}
	o.db = o.kind.open(t, o.address)
	o.service = o.serve(t, o.db, uploads.Config{})
	t.Cleanup(func() {
		require.NoError(t, storage.Close(engine.New(o.bucket)))
	})
	_, err := o.db.ExecContext(t.Context(), `CREATE TABLE documents (
		title   TEXT NOT NULL,
		file_id TEXT NOT NULL UNIQUE REFERENCES omnibucket_files (id)
	)`)
	require.NoError(t, err)
}

// serve returns the service of a process.
func (o *office) serve(t *testing.T, db *sql.DB, c uploads.Config, opts ...storage.OpenOption) *uploads.Service {
	t.Helper()
	records, err := sqlrecords.New(t.Context(), db, o.kind.dialect)
	require.NoError(t, err)
	c.Rules = rules.Any(0)
	c.Records = records
	c.Now = o.clock
	c.TTL = lifetime / 2
	c.Lifetime = lifetime
	c.Grace = time.Hour
	s, err := uploads.New(engine.New(o.bucket, opts...), c)
	require.NoError(t, err)
	return s
}

func (o *office) clock() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.now
}

// wait lets more time pass than a file waits for its row.
func (o *office) wait() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.now = o.now.Add(2 * lifetime)
}

func (o *office) in(tx *sql.Tx) *sqlrecords.Tx {
	return sqlrecords.In(o.kind.dialect, tx.QueryRowContext)
}

func upload(ctx context.Context, s *uploads.Service, text string) (*uploads.File, error) {
	return s.Store(ctx, uploads.Upload{Body: strings.NewReader(text), Name: "a.txt", User: eva})
}

func (o *office) upload(t *testing.T) *uploads.File {
	t.Helper()
	f, err := upload(t.Context(), o.service, "content")
	require.NoError(t, err)
	require.False(t, f.Expires.IsZero())
	return f
}

// file makes the row of a document in a transaction, and its file stay.
func (o *office) file(ctx context.Context, db *sql.DB, title string, f *uploads.File) error {
	return inTx(ctx, db, func(tx *sql.Tx) error { return o.insert(ctx, tx, title, f.ID) })
}

func (o *office) insert(ctx context.Context, tx *sql.Tx, title, id string) error {
	if _, err := o.in(tx).Keep(ctx, id, eva); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO documents (title, file_id) VALUES ($1, $2)", title, id)
	return err
}

// drop removes the row of a document, and makes its file expire.
func (o *office) drop(ctx context.Context, tx *sql.Tx, id string) (*uploads.File, error) {
	if _, err := tx.ExecContext(ctx, "DELETE FROM documents WHERE file_id = $1", id); err != nil {
		return nil, err
	}
	return o.in(tx).Expire(ctx, id)
}

func inTx(ctx context.Context, db *sql.DB, do func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		_ = tx.Rollback()
	}() // does nothing after a commit
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}

func (o *office) sweep(t *testing.T) *uploads.SweepReport {
	t.Helper()
	report, err := o.service.Sweep(t.Context())
	require.NoError(t, err)
	return report
}

// rows returns the IDs of files that documents name.
func (o *office) rows(t *testing.T) []string {
	t.Helper()
	return o.column(t, "SELECT file_id FROM documents ORDER BY file_id")
}

func (o *office) column(t *testing.T, query string, values ...any) (found []string) {
	t.Helper()
	rows, err := o.db.QueryContext(t.Context(), query, values...)
	require.NoError(t, err)
	defer func() {
		require.NoError(t, rows.Close())
	}()
	for rows.Next() {
		var one string
		require.NoError(t, rows.Scan(&one))
		found = append(found, one)
	}
	require.NoError(t, rows.Err())
	return found
}

// objects returns the IDs of files whose bytes are in the bucket, and the keys of all other objects.
func (o *office) objects(t *testing.T) (found []string) {
	t.Helper()
	for entry, err := range engine.New(o.bucket).List(t.Context()) {
		require.NoError(t, err)
		found = append(found, strings.TrimSuffix(strings.TrimPrefix(entry.Key, "files/content/"), ".txt"))
	}
	return found
}

// checkRows checks what holds at any time: each row has a file that stays, and its bytes.
func (o *office) checkRows(t *testing.T) {
	t.Helper()
	rows := o.rows(t)
	require.Subset(t, o.column(t, "SELECT id FROM omnibucket_files WHERE expires IS NULL"), rows)
	require.Subset(t, o.objects(t), rows)
}

// checkAll checks what holds after one sweep: rows, records and objects are those of the same files.
func (o *office) checkAll(t *testing.T) {
	t.Helper()
	rows := o.rows(t)
	require.ElementsMatch(t, rows, o.column(t, "SELECT id FROM omnibucket_files WHERE expires IS NULL"))
	require.ElementsMatch(t, rows, o.column(t, "SELECT id FROM omnibucket_files"))
	require.ElementsMatch(t, rows, o.objects(t))
}
