package databases_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
	"github.com/omnibucket/storage/uploads/sqlrecords"
)

// If no transaction keeps an uploaded file in time, Sweep removes the file. A later Keep fails with
// ObjectNotFound.
func TestKeepWaitsForTheRow(t *testing.T) {
	runOnEachOffice(t, func(t *testing.T, o *office) {
		keptFile := o.upload(t)
		expiring := o.upload(t)
		require.NoError(t, o.file(t.Context(), o.db, "kept", keptFile))

		require.Equal(t, &uploads.SweepReport{}, o.sweep(t), "the file that nobody has kept has time")
		require.Len(t, o.objects(t), 2)
		o.wait()
		require.Equal(t, &uploads.SweepReport{Expired: 1}, o.sweep(t))
		o.checkAll(t)
		require.ErrorIs(t, o.file(t.Context(), o.db, "late", expiring), storage.ObjectNotFound)
		require.Equal(t, []string{keptFile.ID}, o.rows(t))

		files, _, err := o.service.Records().List(t.Context(), uploads.Filter{User: eva.ID}, "", 10)
		require.NoError(t, err)
		require.Len(t, files, 1)
		require.Equal(t, keptFile.ID, files[0].ID)
	})
}

func TestKeepAndExpire(t *testing.T) {
	runOnEachOffice(t, func(t *testing.T, o *office) {
		f := o.upload(t)
		other := o.upload(t)
		tx := sqlrecords.In(o.kind.dialect, o.db.QueryRowContext) // each statement is a transaction
		want, err := o.service.Records().Record(t.Context(), f.ID)
		require.NoError(t, err)

		for range 2 { // also a file that does not expire
			file, err := tx.Keep(t.Context(), f.ID, eva)
			require.NoError(t, err)
			want.Expires = file.Expires
			require.Zero(t, file.Expires)
			require.Equal(t, want, file)
		}

		for range 2 {
			expired, err := tx.Expire(t.Context(), f.ID)
			require.NoError(t, err)
			require.False(t, expired.Expires.After(o.clock()))
			require.Equal(t, f.Key, expired.Key)
		}

		_, err = tx.Keep(t.Context(), f.ID, eva)
		require.NoError(t, err, "before the sweep, it can be kept again")
		require.Equal(t, &uploads.SweepReport{}, o.sweep(t))

		for _, user := range []string{"", "adam", "eva\x00"} {
			_, err = tx.Keep(t.Context(), other.ID, uploads.User{ID: user})
			require.ErrorIs(t, err, storage.ObjectNotFound, "it is not the file of %q", user)
		}
		for _, id := range []string{"", "x", "a\x00b", uploads.NewID(o.clock())} {
			_, err = tx.Keep(t.Context(), id, eva)
			require.ErrorIs(t, err, storage.ObjectNotFound)
			_, err = tx.Expire(t.Context(), id)
			require.ErrorIs(t, err, storage.ObjectNotFound)
		}
		_, err = sqlrecords.In(0, o.db.QueryRowContext).Keep(t.Context(), f.ID, eva)
		require.ErrorIs(t, err, storage.InvalidArgument)
	})
}

// If a transaction that keeps one file and drops another is rolled back, neither has an effect.
func TestRollbackChangesNothing(t *testing.T) {
	runOnEachOffice(t, func(t *testing.T, o *office) {
		no := errors.New("no")
		keptFile := document(t, o)

		expiring := o.upload(t)
		require.ErrorIs(t, inTx(t.Context(), o.db, func(tx *sql.Tx) error {
			require.NoError(t, o.insert(t.Context(), tx, "new", expiring.ID))
			_, err := o.drop(t.Context(), tx, keptFile.ID)
			require.NoError(t, err)
			return no
		}), no)

		o.wait()
		require.Equal(t, &uploads.SweepReport{Expired: 1}, o.sweep(t))
		o.checkAll(t)
		require.Equal(t, []string{keptFile.ID}, o.rows(t))
	})
}

// A hooked Records lets a test act between two steps of a sweep.
type hooked struct {
	uploads.Records
	remove func() // called before Remove
}

func (h *hooked) Remove(ctx context.Context, f *uploads.File) error {
	h.remove()
	return h.Records.Remove(ctx, f)
}

func (o *office) hook(t *testing.T, remove func()) *uploads.Service {
	t.Helper()
	s, err := uploads.New(engine.New(o.bucket), uploads.Config{
		Rules:    rules.Any(0),
		Records:  &hooked{o.service.Records(), remove},
		Now:      o.clock,
		TTL:      lifetime / 2,
		Lifetime: lifetime,
	})
	require.NoError(t, err)
	return s
}

// If a file is kept while Sweep runs, Sweep does not remove it.
func TestSweepLeavesAFileKeptMeanwhile(t *testing.T) {
	runOnEachOffice(t, func(t *testing.T, o *office) {
		t.Run("before its record is removed", func(t *testing.T) {
			f := o.upload(t)
			o.wait()
			s := o.hook(t, func() {
				require.NoError(t, o.file(t.Context(), o.db, "late", f))
			})

			report, err := s.Sweep(t.Context())
			require.NoError(t, err)
			require.Equal(t, &uploads.SweepReport{}, report)
			require.Contains(t, o.rows(t), f.ID)
			o.checkAll(t)
		})
		t.Run("in a transaction that commits while the sweep waits", func(t *testing.T) {
			f := o.upload(t)
			o.wait()
			tx, err := o.db.BeginTx(t.Context(), nil)
			require.NoError(t, err)
			require.NoError(t, o.insert(t.Context(), tx, "late", f.ID))
			removing := make(chan struct{})
			s := o.hook(t, func() {
				close(removing)
			})
			done := make(chan error, 1)
			go func() {
				_, err := s.Sweep(t.Context())
				done <- err
			}()
			<-removing
			require.NoError(t, tx.Commit())
			require.NoError(t, <-done)

			require.Contains(t, o.rows(t), f.ID)
			o.checkAll(t)
		})
		t.Run("by Service.Remove, with a file that was read before", func(t *testing.T) {
			f := o.upload(t)
			require.NoError(t, o.file(t.Context(), o.db, "kept", f))
			require.ErrorIs(t, o.service.Remove(t.Context(), f), storage.PreconditionFailed)
			o.checkAll(t)
		})
	})
}

// If Sweep removes a file after a transaction began, Keep fails with ObjectNotFound, or with Unavailable if the
// transaction is serializable.
func TestKeepAfterASweep(t *testing.T) {
	runOnEachOffice(t, func(t *testing.T, o *office) {
		rows := []struct {
			name  string
			level sql.IsolationLevel
			want  storage.Code
		}{{"serializable", sql.LevelDefault, storage.Unavailable}}
		if o.kind.dialect == sqlrecords.PostgreSQL {
			rows[0].level = sql.LevelSerializable
			rows = append(rows, struct {
				name  string
				level sql.IsolationLevel
				want  storage.Code
			}{"read committed", sql.LevelReadCommitted, storage.ObjectNotFound})
		}
		for _, row := range rows {
			t.Run(row.name, func(t *testing.T) {
				f := o.upload(t)
				o.wait()
				tx, err := o.db.BeginTx(t.Context(), &sql.TxOptions{Isolation: row.level})
				require.NoError(t, err)

				var count int
				require.NoError(t, tx.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM omnibucket_files").Scan(&count))
				require.Equal(t, 1, count)
				require.Equal(t, &uploads.SweepReport{Expired: 1}, o.sweep(t))

				_, err = o.in(tx).Keep(t.Context(), f.ID, eva)
				require.ErrorIs(t, err, row.want)
				require.NotErrorIs(t, err, storage.OutcomeUnknown)

				require.NoError(t, tx.Rollback())
				o.checkAll(t)
			})
		}
	})
}

func TestSweepsAndTransactionsAtOnce(t *testing.T) {
	runOnEachOffice(t, func(t *testing.T, o *office) {
		const files = 48
		waiting := make([]*uploads.File, files)
		for i := range waiting {
			waiting[i] = o.upload(t)
		}

		o.wait()
		errs := make([]error, files)
		var all sync.WaitGroup
		start := make(chan struct{})
		for i, f := range waiting {
			all.Go(func() {
				<-start
				errs[i] = o.file(t.Context(), o.db, "late", f)
			})
		}
		for range 3 {
			all.Go(func() {
				<-start
				_, err := o.service.Sweep(t.Context())
				require.NoError(t, err)
			})
		}
		close(start)

		all.Wait()
		o.checkRows(t)
		o.sweep(t)
		o.checkAll(t)

		var result []string
		for i, err := range errs {
			if err == nil {
				result = append(result, waiting[i].ID)
				continue
			}
			require.ErrorIs(t, err, storage.ObjectNotFound)
		}
		require.ElementsMatch(t, result, o.rows(t))
	})
}

// If the function Stored keeps a file and then fails, the file stays, because the response to its commit may have
// been lost.
func TestStoredFailsAfterKeep(t *testing.T) {
	runOnEachOffice(t, func(t *testing.T, o *office) {
		failing := errors.New("the connection broke")
		s := o.serve(t, o.db, uploads.Config{Stored: func(ctx context.Context, f *uploads.File) error {
			return errors.Join(o.file(ctx, o.db, "kept", f), failing)
		}})
		_, err := upload(t.Context(), s, "content")
		require.ErrorIs(t, err, failing)
		require.Len(t, o.rows(t), 1)
		o.checkAll(t)
	})
}

// If a row names a file that was not kept, Sweep and Delete fail because of the foreign key, and the bytes stay.
func TestRowWithoutKeep(t *testing.T) {
	runOnEachOffice(t, func(t *testing.T, o *office) {
		f := o.upload(t)
		_, err := o.db.ExecContext(t.Context(), "INSERT INTO documents (title, file_id) VALUES ('mistake', $1)", f.ID)
		require.NoError(t, err)
		o.wait()

		_, err = o.service.Sweep(t.Context())
		require.Error(t, err)
		require.Error(t, o.service.Delete(t.Context(), f.Key, eva))
		require.Equal(t, []string{f.ID}, o.objects(t), "the bytes stay")

		_, err = sqlrecords.In(o.kind.dialect, o.db.QueryRowContext).Keep(t.Context(), f.ID, eva)
		require.NoError(t, err)
		o.sweep(t)
		o.checkAll(t)
	})
}

// A query finds all files of a user, also those that no row names yet, so that all of them can be dropped.
func TestErasureFindsAllFilesOfAUser(t *testing.T) {
	runOnEachOffice(t, func(t *testing.T, o *office) {
		keptFile := document(t, o)
		waiting := o.upload(t)
		adams, err := o.service.Store(
			t.Context(),
			uploads.Upload{Body: strings.NewReader("adam"), Name: "a.txt", User: uploads.User{ID: "adam"}},
		)
		require.NoError(t, err)
		require.NoError(t, inTx(t.Context(), o.db, func(tx *sql.Tx) error {
			ids := o.column(t, "SELECT id FROM omnibucket_files WHERE uploaded_by = $1", eva.ID)
			require.ElementsMatch(t, []string{keptFile.ID, waiting.ID}, ids)
			for _, id := range ids {
				if _, err := o.drop(t.Context(), tx, id); err != nil {
					return err
				}
			}
			return nil
		}))

		require.Equal(t, &uploads.SweepReport{Expired: 2}, o.sweep(t))
		require.Equal(t, []string{adams.ID}, o.objects(t))
		require.Empty(t, o.rows(t))
	})
}

// If more files expire than Sweep permits as orphans, Sweep removes all of them, because they have records.
func TestSweepManyFilesWithoutARow(t *testing.T) {
	runOnEachOffice(t, func(t *testing.T, o *office) {
		for range 150 {
			o.upload(t)
		}
		o.wait()
		require.Equal(t, &uploads.SweepReport{Expired: 150}, o.sweep(t))
		o.checkAll(t)
	})
}

func TestPgxTransaction(t *testing.T) {
	ctx := t.Context()
	d := databases[1]
	address := d.create(t)
	records, err := sqlrecords.New(ctx, d.open(t, address), d.dialect)
	require.NoError(t, err)
	s, err := uploads.New(
		memstore.New(),
		uploads.Config{Rules: rules.Any(0), Records: records, Lifetime: 2 * uploads.DefaultTTL},
	)
	require.NoError(t, err)
	connection, err := pgx.Connect(ctx, address)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, connection.Close(context.WithoutCancel(ctx)))
	})
	f, err := upload(ctx, s, "content")
	require.NoError(t, err)

	for _, commit := range []bool{false, true} {
		tx, err := connection.Begin(ctx)
		require.NoError(t, err)

		file, err := sqlrecords.In(d.dialect, tx.QueryRow).Keep(ctx, f.ID, eva)
		require.NoError(t, err)
		require.Equal(t, f.CRC32C, file.CRC32C)

		_, err = sqlrecords.In(d.dialect, tx.QueryRow).Keep(ctx, uploads.NewID(f.Modified), eva)
		require.ErrorIs(t, err, storage.ObjectNotFound)
		if commit {
			require.NoError(t, tx.Commit(ctx))
		} else {
			require.NoError(t, tx.Rollback(ctx))
		}
		current, err := records.Record(ctx, f.ID)
		require.NoError(t, err)
		require.Equal(t, commit, current.Expires.IsZero())
	}
}
