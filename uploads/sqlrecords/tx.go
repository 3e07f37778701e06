package sqlrecords

import (
	"context"
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/internal/filename"
)

// A Tx changes records in a transaction of the program, together with the program's own rows. If
// the transaction is rolled back, the records do not change.
//
// Begin the transaction after the file was stored. Do not call a method of the [uploads.Service]
// before the transaction has ended. The method could wait for the transaction, because SQLite
// allows only one writer, and a pool may have only one connection.
//
// Use a Tx for a file that expires (Config.Lifetime or Target.Lifetime of package uploads).
// [Tx.Keep] makes the file permanent. Without Keep, [uploads.Service.Sweep] removes the expired
// file: first the record, and then the bytes.
//
// Keep locks the row in PostgreSQL, and the database in SQLite. A Sweep waits for the end of the
// transaction. If Sweep removes the record before Keep is called, Keep fails with
// [storage.ObjectNotFound]. The transaction must then be rolled back.
//
// If the transaction sees an old state of the database, Keep fails with [storage.Unavailable].
// Begin the transaction again. There are two cases:
//
//   - In PostgreSQL, the isolation level is REPEATABLE READ or SERIALIZABLE, and Sweep has changed
//     the record since the transaction began.
//   - In SQLite, the transaction has read before it calls Keep, and another transaction has changed
//     the database since that read.
type Tx struct {
	dialect Dialect
	query   func(ctx context.Context, statement string, values ...any) row
}

// In returns a Tx for a transaction in the database of the records. query is the method of the
// transaction that returns one row:
//
//	sqlrecords.In(sqlrecords.PostgreSQL, tx.QueryRowContext) // *sql.Tx of database/sql
//	sqlrecords.In(sqlrecords.PostgreSQL, tx.QueryRow)        // pgx.Tx of github.com/jackc/pgx/v5
func In[R interface{ Scan(to ...any) error }](
	d Dialect, query func(ctx context.Context, statement string, values ...any) R,
) *Tx {
	return &Tx{
		dialect: d,
		query: func(ctx context.Context, statement string, values ...any) row {
			return query(ctx, statement, values...)
		},
	}
}

// Keep makes a file of a user permanent, and returns it. The file then does not expire. If it did
// not expire before, nothing changes. If the file does not exist, belongs to another user, or was
// removed by Sweep, Keep fails with [storage.ObjectNotFound]. Because Keep checks the user, the ID
// may come from a client.
func (t *Tx) Keep(ctx context.Context, id string, user uploads.User) (*uploads.File, error) {
	return t.change(ctx, "Keep", "UPDATE omnibucket_files SET expires = NULL WHERE id = ? AND uploaded_by = ?", id, user.ID)
}

// Expire makes a file expire immediately, and returns it. After the commit, remove the file with
// [uploads.Service.Remove]. If the process ends before that, Sweep removes it. Until it is removed,
// Keep can make it permanent again. If the file does not exist, Expire fails with
// [storage.ObjectNotFound]. Expire does not check which user owns the file.
func (t *Tx) Expire(ctx context.Context, id string) (*uploads.File, error) {
	return t.change(ctx, "Expire", "UPDATE omnibucket_files SET expires = created WHERE id = ?", id)
}

// change executes a statement, and returns the record that it has changed. It does not repeat a
// statement that fails, because the error may have ended the transaction.
func (t *Tx) change(ctx context.Context, op, statement string, values ...any) (*uploads.File, error) {
	isKnownDialect := terms[t.dialect].name != ""
	if !isKnownDialect {
		return nil, &storage.Error{
			Code: storage.InvalidArgument,
			Op:   op,
			Err:  errors.New("the dialect must be SQLite or PostgreSQL"),
		}
	}
	if filename.Storable(values...) != nil {
		// No row can contain such a text.
		return nil, storage.ObjectNotFound
	}
	f, err := scan(t.query(ctx, t.dialect.bind(statement+" RETURNING "+columns), values...))
	if err != nil {
		return nil, readError(ctx, op, err)
	}
	return f, nil
}
