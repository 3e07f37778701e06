package databases_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
	"github.com/omnibucket/storage/uploads/sqlrecords"
)

// An uploaded file expires unless a transaction keeps it, together with the row of a document that names it. Sweep
// removes an expired file, and a later Keep fails with ObjectNotFound.
func TestKeepWaitsForTheRow(t *testing.T) {
	runOnEachApplication(t, func(t *testing.T, app *application) {
		// Only the first of two files gets a document.
		keptFile := app.uploadFile(t)
		expiringFile := app.uploadFile(t)
		require.NoError(t, app.addDocument(t.Context(), app.db, "kept", keptFile))

		// Before the files expire, Sweep removes none of them.
		require.Equal(t, &uploads.SweepReport{}, app.sweep(t))
		require.Len(t, app.storedFiles(t), 2)

		// Later, Sweep removes the file without a document.
		app.waitUntilFilesExpire()
		require.Equal(t, &uploads.SweepReport{Expired: 1}, app.sweep(t))
		app.requireNoOtherFiles(t)

		// A document for the removed file comes too late.
		err := app.addDocument(t.Context(), app.db, "late", expiringFile)
		require.ErrorIs(t, err, storage.ObjectNotFound)

		// The table of documents and that of files have the kept file only.
		require.Equal(t, []string{keptFile.ID}, app.filesOfDocuments(t))
		files, _, err := app.service.Records().List(t.Context(), uploads.Filter{User: eva.ID}, "", 10)
		require.NoError(t, err)
		require.Len(t, files, 1)
		require.Equal(t, keptFile.ID, files[0].ID)
	})
}

// After Keep, a file does not expire. After Expire, it has expired, but can be kept until the next sweep. Both may be
// called twice.
func TestKeepAndExpire(t *testing.T) {
	runOnEachApplication(t, func(t *testing.T, app *application) {
		f := app.uploadFile(t)
		tx := sqlrecords.In(app.kind.dialect, app.db.QueryRowContext) // each statement is a transaction
		want, err := app.service.Records().Record(t.Context(), f.ID)
		require.NoError(t, err)
		want.Expires = time.Time{}

		for range 2 {
			keptFile, err := tx.Keep(t.Context(), f.ID, eva)
			require.NoError(t, err)
			require.Equal(t, want, keptFile)
		}

		for range 2 {
			expired, err := tx.Expire(t.Context(), f.ID)
			require.NoError(t, err)
			require.False(t, expired.Expires.After(app.clock()))
			require.Equal(t, f.Key, expired.Key)
		}

		_, err = tx.Keep(t.Context(), f.ID, eva)
		require.NoError(t, err)
		require.Equal(t, &uploads.SweepReport{}, app.sweep(t))
	})
}

// Keep and Expire fail with ObjectNotFound for an unknown ID, and Keep also for the file of another user.
func TestKeepAndExpireRefuse(t *testing.T) {
	runOnEachApplication(t, func(t *testing.T, app *application) {
		f := app.uploadFile(t)
		tx := sqlrecords.In(app.kind.dialect, app.db.QueryRowContext)

		for _, user := range []string{"", "adam", "eva\x00"} {
			_, err := tx.Keep(t.Context(), f.ID, uploads.User{ID: user})
			require.ErrorIs(t, err, storage.ObjectNotFound, "it is not the file of %q", user)
		}
		for _, id := range []string{"", "x", "a\x00b", uploads.NewID(app.clock())} {
			_, err := tx.Keep(t.Context(), id, eva)
			require.ErrorIs(t, err, storage.ObjectNotFound)
			_, err = tx.Expire(t.Context(), id)
			require.ErrorIs(t, err, storage.ObjectNotFound)
		}

		const invalidDialect = 0
		_, err := sqlrecords.In(invalidDialect, app.db.QueryRowContext).Keep(t.Context(), f.ID, eva)
		require.ErrorIs(t, err, storage.InvalidArgument)
	})
}

// If a transaction that adds one document and removes another is rolled back, neither has an effect.
func TestRollbackChangesNothing(t *testing.T) {
	runOnEachApplication(t, func(t *testing.T, app *application) {
		documentFile := app.uploadDocument(t)
		plainFile := app.uploadFile(t)

		// Add a document for one file, remove that of the other, and roll back.
		tx, err := app.db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		require.NoError(t, app.addDocumentIn(t.Context(), tx, "new", plainFile.ID))
		_, err = app.removeDocumentIn(t.Context(), tx, documentFile.ID)
		require.NoError(t, err)
		require.NoError(t, tx.Rollback())

		// Only the file that had no document before has expired.
		app.waitUntilFilesExpire()
		require.Equal(t, &uploads.SweepReport{Expired: 1}, app.sweep(t))
		app.requireNoOtherFiles(t)
		require.Equal(t, []string{documentFile.ID}, app.filesOfDocuments(t))
	})
}

// A hooked Records lets a test act between two steps of a sweep.
type hooked struct {
	uploads.Records
	beforeRemove func()
}

func (h *hooked) Remove(ctx context.Context, f *uploads.File) error {
	h.beforeRemove()
	return h.Records.Remove(ctx, f)
}

// newServiceWithHook returns a service that calls the function before it removes a record.
func (app *application) newServiceWithHook(t *testing.T, beforeRemove func()) *uploads.Service {
	t.Helper()
	s, err := uploads.New(engine.New(app.bucket), uploads.Config{
		Rules:    rules.Any(0),
		Records:  &hooked{app.service.Records(), beforeRemove},
		Now:      app.clock,
		TTL:      lifetime / 2,
		Lifetime: lifetime,
	})
	require.NoError(t, err)
	return s
}

// If a document is added for a file just before Sweep removes the file's record, Sweep does not remove the file.
func TestSweepLeavesAFileKeptMeanwhile(t *testing.T) {
	runOnEachApplication(t, func(t *testing.T, app *application) {
		f := app.uploadFile(t)
		app.waitUntilFilesExpire()
		service := app.newServiceWithHook(t, func() {
			require.NoError(t, app.addDocument(t.Context(), app.db, "late", f))
		})

		report, err := service.Sweep(t.Context())
		require.NoError(t, err)
		require.Equal(t, &uploads.SweepReport{}, report)
		require.Contains(t, app.filesOfDocuments(t), f.ID)
		app.requireNoOtherFiles(t)
	})
}

// If a transaction that adds a document for a file commits while Sweep waits for it, Sweep does not remove the file.
func TestSweepWaitsForATransaction(t *testing.T) {
	runOnEachApplication(t, func(t *testing.T, app *application) {
		f := app.uploadFile(t)
		app.waitUntilFilesExpire()

		// A transaction adds a document, and has not committed yet.
		tx, err := app.db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		require.NoError(t, app.addDocumentIn(t.Context(), tx, "late", f.ID))

		// Sweep is about to remove the record of the file, and must wait for the transaction.
		removing := make(chan struct{})
		service := app.newServiceWithHook(t, func() { close(removing) })
		done := make(chan error, 1)
		go func() {
			_, err := service.Sweep(t.Context())
			done <- err
		}()
		<-removing

		// After the commit, Sweep leaves the file.
		require.NoError(t, tx.Commit())
		require.NoError(t, <-done)
		require.Contains(t, app.filesOfDocuments(t), f.ID)
		app.requireNoOtherFiles(t)
	})
}

// Service.Remove refuses to remove a file that was kept after the caller read its record.
func TestRemoveAfterKeep(t *testing.T) {
	runOnEachApplication(t, func(t *testing.T, app *application) {
		f := app.uploadFile(t)
		require.NoError(t, app.addDocument(t.Context(), app.db, "kept", f))
		require.ErrorIs(t, app.service.Remove(t.Context(), f), storage.PreconditionFailed)
		app.requireNoOtherFiles(t)
	})
}

// If Sweep removes a file after a serializable transaction began, Keep fails with Unavailable, so that the caller tries
// again.
func TestKeepAfterASweepIfSerializable(t *testing.T) {
	runOnEachApplication(t, func(t *testing.T, app *application) {
		level := sql.LevelSerializable
		if app.kind.dialect == sqlrecords.SQLite {
			level = sql.LevelDefault // which is serializable
		}
		requireKeepAfterASweepFails(t, app, level, storage.Unavailable)
	})
}

// If Sweep removes a file after a transaction of the level "read committed" began, Keep fails with ObjectNotFound.
func TestKeepAfterASweepIfReadCommitted(t *testing.T) {
	runOnEachApplication(t, func(t *testing.T, app *application) {
		if app.kind.dialect == sqlrecords.PostgreSQL {
			requireKeepAfterASweepFails(t, app, sql.LevelReadCommitted, storage.ObjectNotFound)
		}
	})
}

// requireKeepAfterASweepFails begins a transaction, lets Sweep remove a file, and requires that Keep in the transaction
// fails with this code.
func requireKeepAfterASweepFails(t *testing.T, app *application, level sql.IsolationLevel, want storage.Code) {
	t.Helper()
	f := app.uploadFile(t)
	app.waitUntilFilesExpire()
	tx, err := app.db.BeginTx(t.Context(), &sql.TxOptions{Isolation: level})
	require.NoError(t, err)

	// A serializable transaction sees the database as it was at its first statement.
	var count int
	require.NoError(t, tx.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM omnibucket_files").Scan(&count))
	require.Equal(t, 1, count)
	require.Equal(t, &uploads.SweepReport{Expired: 1}, app.sweep(t))

	_, err = app.recordsIn(tx).Keep(t.Context(), f.ID, eva)
	require.ErrorIs(t, err, want)
	require.NotErrorIs(t, err, storage.OutcomeUnknown)

	require.NoError(t, tx.Rollback())
	app.requireNoOtherFiles(t)
}

// If transactions keep expired files while sweeps run, each file is either kept or removed, and its transaction knows
// which.
func TestSweepsAndTransactionsAtOnce(t *testing.T) {
	runOnEachApplication(t, func(t *testing.T, app *application) {
		const fileCount = 48
		const sweeps = 3
		expired := make([]*uploads.File, fileCount)
		for i := range expired {
			expired[i] = app.uploadFile(t)
		}
		app.waitUntilFilesExpire()

		// All transactions and sweeps start at the same time.
		keepErrs := make([]error, fileCount)
		sweepErrs := make([]error, sweeps)
		var calls sync.WaitGroup
		start := make(chan struct{})
		for i, f := range expired {
			calls.Go(func() {
				<-start
				keepErrs[i] = app.addDocument(t.Context(), app.db, "late", f)
			})
		}
		for i := range sweeps {
			calls.Go(func() {
				<-start
				_, sweepErrs[i] = app.service.Sweep(t.Context())
			})
		}
		close(start)
		calls.Wait()

		for _, err := range sweepErrs {
			require.NoError(t, err)
		}

		app.requireFilesOfDocuments(t)
		app.sweep(t)
		app.requireNoOtherFiles(t)

		// The files of the transactions that succeeded are there, and the other transactions know that theirs is not.
		var keptIDs []string
		for i, err := range keepErrs {
			if err == nil {
				keptIDs = append(keptIDs, expired[i].ID)
				continue
			}
			require.ErrorIs(t, err, storage.ObjectNotFound)
		}
		require.ElementsMatch(t, keptIDs, app.filesOfDocuments(t))
	})
}

// If the function Stored keeps a file and then fails, the file stays, because the response to its commit may have
// been lost.
func TestStoredFailsAfterKeep(t *testing.T) {
	runOnEachApplication(t, func(t *testing.T, app *application) {
		failing := errors.New("the connection broke")
		s := app.newService(t, app.db, uploads.Config{Stored: func(ctx context.Context, f *uploads.File) error {
			return errors.Join(app.addDocument(ctx, app.db, "kept", f), failing)
		}})
		_, err := upload(t.Context(), s, "content")
		require.ErrorIs(t, err, failing)
		require.Len(t, app.filesOfDocuments(t), 1)
		app.requireNoOtherFiles(t)
	})
}

// If the row of a document was made without Keep, Sweep and Delete fail because of its foreign key, and the file stays.
func TestRowWithoutKeep(t *testing.T) {
	runOnEachApplication(t, func(t *testing.T, app *application) {
		f := app.uploadFile(t)
		_, err := app.db.ExecContext(t.Context(), "INSERT INTO documents (title, file_id) VALUES ('mistake', $1)", f.ID)
		require.NoError(t, err)
		app.waitUntilFilesExpire()

		_, err = app.service.Sweep(t.Context())
		require.Error(t, err)
		require.Error(t, app.service.Delete(t.Context(), f.Key, eva))
		require.Equal(t, []string{f.ID}, app.storedFiles(t))

		// Keep repairs the mistake.
		_, err = sqlrecords.In(app.kind.dialect, app.db.QueryRowContext).Keep(t.Context(), f.ID, eva)
		require.NoError(t, err)
		app.sweep(t)
		app.requireNoOtherFiles(t)
	})
}

// A query finds all files of a user, also those without a document, so that an application can remove all of them.
func TestErasureFindsAllFilesOfAUser(t *testing.T) {
	runOnEachApplication(t, func(t *testing.T, app *application) {
		withDocument := app.uploadDocument(t)
		withoutDocument := app.uploadFile(t)
		ofAdam, err := app.service.Store(t.Context(), uploads.Upload{
			Body: strings.NewReader("adam"),
			Name: "a.txt",
			User: uploads.User{ID: "adam"},
		})
		require.NoError(t, err)

		// Remove the files of eva in one transaction.
		require.NoError(t, inTx(t.Context(), app.db, func(tx *sql.Tx) error {
			ids := app.queryColumn(t, "SELECT id FROM omnibucket_files WHERE uploaded_by = $1", eva.ID)
			require.ElementsMatch(t, []string{withDocument.ID, withoutDocument.ID}, ids)
			for _, id := range ids {
				if _, err := app.removeDocumentIn(t.Context(), tx, id); err != nil {
					return err
				}
			}
			return nil
		}))

		require.Equal(t, &uploads.SweepReport{Expired: 2}, app.sweep(t))
		require.Equal(t, []string{ofAdam.ID}, app.storedFiles(t))
		require.Empty(t, app.filesOfDocuments(t))
	})
}

// If more files expire than Sweep permits as orphans, Sweep removes all of them, because they have records.
func TestSweepManyFilesWithoutARow(t *testing.T) {
	runOnEachApplication(t, func(t *testing.T, app *application) {
		const files = 150
		for range files {
			app.uploadFile(t)
		}
		app.waitUntilFilesExpire()
		require.Equal(t, &uploads.SweepReport{Expired: files}, app.sweep(t))
		app.requireNoOtherFiles(t)
	})
}

// In a transaction of pgx, Keep takes effect with the commit.
func TestPgxTransaction(t *testing.T) {
	ctx := t.Context()
	postgreSQL := databases[1]
	address := postgreSQL.create(t)
	records, service := newServiceIn(t, postgreSQL, address)
	f, err := upload(ctx, service, "content")
	require.NoError(t, err)
	connection, err := pgx.Connect(ctx, address)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, connection.Close(context.WithoutCancel(ctx)))
	})

	// requireKeep keeps the file in a transaction. A file that does not exist cannot be kept.
	requireKeep := func(tx pgx.Tx) {
		t.Helper()
		keptFile, err := sqlrecords.In(sqlrecords.PostgreSQL, tx.QueryRow).Keep(ctx, f.ID, eva)
		require.NoError(t, err)
		require.Equal(t, f.CRC32C, keptFile.CRC32C)
		_, err = sqlrecords.In(sqlrecords.PostgreSQL, tx.QueryRow).Keep(ctx, uploads.NewID(f.Modified), eva)
		require.ErrorIs(t, err, storage.ObjectNotFound)
	}

	// The first transaction is rolled back.
	tx, err := connection.Begin(ctx)
	require.NoError(t, err)
	requireKeep(tx)
	require.NoError(t, tx.Rollback(ctx))
	record, err := records.Record(ctx, f.ID)
	require.NoError(t, err)
	require.NotZero(t, record.Expires)

	// The second transaction commits, although Keep fails in it for a file that does not exist.
	tx, err = connection.Begin(ctx)
	require.NoError(t, err)
	requireKeep(tx)
	require.NoError(t, tx.Commit(ctx))
	record, err = records.Record(ctx, f.ID)
	require.NoError(t, err)
	require.Zero(t, record.Expires)
}

// newServiceIn returns a service with its files in memory, and its records in the database with this address.
func newServiceIn(t *testing.T, d database, address string) (uploads.Records, *uploads.Service) {
	t.Helper()
	records, err := sqlrecords.New(t.Context(), d.open(t, address), d.dialect)
	require.NoError(t, err)
	service, err := uploads.New(memstore.New(), uploads.Config{
		Rules:    rules.Any(0),
		Records:  records,
		Lifetime: 2 * uploads.DefaultTTL,
	})
	require.NoError(t, err)
	return records, service
}
