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

// An application has a table of documents, each of which names a file. A file without a document expires.
type application struct {
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

// runOnEachApplication runs a test on each database, and with the files in memory and in a directory.
func runOnEachApplication(t *testing.T, test func(t *testing.T, app *application)) {
	t.Helper()
	runOnEachDatabase(t, func(t *testing.T, d database) {
		t.Run("memory", func(t *testing.T) {
			app := &application{kind: d}
			app.bucket = memstore.NewDriver(memstore.Config{Now: app.clock})
			app.create(t)
			test(t, app)
		})
		t.Run("directory", func(t *testing.T) {
			app := &application{kind: d}
			b, err := local.NewDriver(t.TempDir(), local.Config{NoSync: true, Now: app.clock})
			require.NoError(t, err)
			app.bucket = b
			app.create(t)
			test(t, app)
		})
	})
}

func (app *application) create(t *testing.T) {
	t.Helper()
	app.now = time.Now()
	app.address = app.kind.create(t)
	if app.kind.dialect == sqlrecords.SQLite {
		app.address += "&_pragma=foreign_keys(1)"
	}
	app.db = app.kind.open(t, app.address)
	app.service = app.newService(t, app.db, uploads.Config{})
	t.Cleanup(func() {
		require.NoError(t, storage.Close(engine.New(app.bucket)))
	})
	_, err := app.db.ExecContext(t.Context(), `CREATE TABLE documents (
		title   TEXT NOT NULL,
		file_id TEXT NOT NULL UNIQUE REFERENCES omnibucket_files (id)
	)`)
	require.NoError(t, err)
}

// newService returns the service of a process.
func (app *application) newService(t *testing.T, db *sql.DB, c uploads.Config, opts ...storage.OpenOption) *uploads.Service {
	t.Helper()
	records, err := sqlrecords.New(t.Context(), db, app.kind.dialect)
	require.NoError(t, err)
	c.Rules = rules.Any(0)
	c.Records = records
	c.Now = app.clock
	c.TTL = lifetime / 2
	c.Lifetime = lifetime
	c.Grace = time.Hour
	s, err := uploads.New(engine.New(app.bucket, opts...), c)
	require.NoError(t, err)
	return s
}

func (app *application) clock() time.Time {
	app.mu.Lock()
	defer app.mu.Unlock()
	return app.now
}

// waitUntilFilesExpire lets more time pass than a file waits for its row.
func (app *application) waitUntilFilesExpire() {
	app.mu.Lock()
	defer app.mu.Unlock()
	app.now = app.now.Add(2 * lifetime)
}

func (app *application) recordsIn(tx *sql.Tx) *sqlrecords.Tx {
	return sqlrecords.In(app.kind.dialect, tx.QueryRowContext)
}

func upload(ctx context.Context, s *uploads.Service, text string) (*uploads.File, error) {
	return s.Store(ctx, uploads.Upload{Body: strings.NewReader(text), Name: "a.txt", User: eva})
}

func (app *application) uploadFile(t *testing.T) *uploads.File {
	t.Helper()
	f, err := upload(t.Context(), app.service, "content")
	require.NoError(t, err)
	require.False(t, f.Expires.IsZero())
	return f
}

// addDocument makes the row of a document in a transaction of its own, and keeps its file.
func (app *application) addDocument(ctx context.Context, db *sql.DB, title string, f *uploads.File) error {
	return inTx(ctx, db, func(tx *sql.Tx) error { return app.addDocumentIn(ctx, tx, title, f.ID) })
}

// uploadDocument uploads a file, and adds a document that names it.
func (app *application) uploadDocument(t *testing.T) *uploads.File {
	t.Helper()
	f := app.uploadFile(t)
	require.NoError(t, app.addDocument(t.Context(), app.db, "old", f))
	return f
}

// addDocumentIn makes the row of a document, and keeps its file.
func (app *application) addDocumentIn(ctx context.Context, tx *sql.Tx, title, id string) error {
	if _, err := app.recordsIn(tx).Keep(ctx, id, eva); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO documents (title, file_id) VALUES ($1, $2)", title, id)
	return err
}

// removeDocumentIn removes the row of a document, and makes its file expire.
func (app *application) removeDocumentIn(ctx context.Context, tx *sql.Tx, id string) (*uploads.File, error) {
	if _, err := tx.ExecContext(ctx, "DELETE FROM documents WHERE file_id = $1", id); err != nil {
		return nil, err
	}
	return app.recordsIn(tx).Expire(ctx, id)
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

func (app *application) sweep(t *testing.T) *uploads.SweepReport {
	t.Helper()
	report, err := app.service.Sweep(t.Context())
	require.NoError(t, err)
	return report
}

// filesOfDocuments returns the IDs of files that documents name.
func (app *application) filesOfDocuments(t *testing.T) []string {
	t.Helper()
	return app.queryColumn(t, "SELECT file_id FROM documents ORDER BY file_id")
}

func (app *application) queryColumn(t *testing.T, query string, values ...any) (found []string) {
	t.Helper()
	rows, err := app.db.QueryContext(t.Context(), query, values...)
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

// storedFiles returns the IDs of files whose bytes are in the bucket, and the keys of all other objects.
func (app *application) storedFiles(t *testing.T) (found []string) {
	t.Helper()
	for entry, err := range engine.New(app.bucket).List(t.Context()) {
		require.NoError(t, err)
		found = append(found, strings.TrimSuffix(strings.TrimPrefix(entry.Key, "files/content/"), ".txt"))
	}
	return found
}

// requireFilesOfDocuments checks what holds at any time: each row has a file that stays, and its bytes.
func (app *application) requireFilesOfDocuments(t *testing.T) {
	t.Helper()
	rows := app.filesOfDocuments(t)
	require.Subset(t, app.queryColumn(t, "SELECT id FROM omnibucket_files WHERE expires IS NULL"), rows)
	require.Subset(t, app.storedFiles(t), rows)
}

// requireNoOtherFiles checks what holds after one sweep: rows, records and objects are those of the same files.
func (app *application) requireNoOtherFiles(t *testing.T) {
	t.Helper()
	rows := app.filesOfDocuments(t)
	require.ElementsMatch(t, rows, app.queryColumn(t, "SELECT id FROM omnibucket_files WHERE expires IS NULL"))
	require.ElementsMatch(t, rows, app.queryColumn(t, "SELECT id FROM omnibucket_files"))
	require.ElementsMatch(t, rows, app.storedFiles(t))
}
