package sqlrecords

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads"
)

var _ uploads.States = (*records)(nil)

// State implements [uploads.States].
func (r *records) State(ctx context.Context, key string) (state []byte, revision string, err error) {
	const statement = "SELECT state, revision FROM omnibucket_files_parts WHERE state_key = ?"
	err = r.db.QueryRowContext(ctx, r.dialect.bind(statement), key).Scan(&state, &revision)
	if err != nil {
		return nil, "", readError(ctx, "State", err)
	}
	return state, revision, nil
}

// SetState writes the row of a state if the row has this revision or, for "", if there is none. It returns
// the new revision.
func (r *records) SetState(ctx context.Context, key string, state []byte, revision string) (string, error) {
	const op = "SetState"
	now := terms[r.dialect].now
	newRevision := rand.Text()

	// Insert a row, or update the one with the given revision. Both statements begin with these values.
	values := []any{string(state), newRevision, key}
	statement := "INSERT INTO omnibucket_files_parts (state, revision, changed, state_key) VALUES (?, ?, " + now +
		", ?) ON CONFLICT (state_key) DO NOTHING"
	if revision != "" {
		statement = "UPDATE omnibucket_files_parts SET state = ?, revision = ?, changed = " + now +
			" WHERE state_key = ? AND revision = ?"
		values = append(values, revision)
	}
	rows, err := r.exec(ctx, op, statement, values...)
	if err != nil {
		return "", err
	}

	// Either another call has changed the row, or database/sql has repeated this statement.
	if rows == 0 {
		if err := r.checkWritten(ctx, op, key, newRevision); err != nil {
			return "", err
		}
	}
	return newRevision, nil
}

// checkWritten decides whether a statement that changed no row has succeeded nevertheless: the row has
// the new revision if database/sql has repeated the statement after its first response was lost.
func (r *records) checkWritten(ctx context.Context, op, key, newRevision string) error {
	const statement = "SELECT revision FROM omnibucket_files_parts WHERE state_key = ?"
	var current string
	err := r.db.QueryRowContext(ctx, r.dialect.bind(statement), key).Scan(&current)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return &storage.Error{Code: codeOf(ctx, err), Op: op, Provider: "sql", Unknown: true, Err: err}
	}

	// Without a row, current is "".
	if current != newRevision {
		return storage.PreconditionFailed
	}
	return nil
}

func (r *records) RemoveState(ctx context.Context, key, revision string) error {
	const statement = "DELETE FROM omnibucket_files_parts WHERE state_key = ? AND revision = ?"
	_, err := r.exec(ctx, "RemoveState", statement, key, revision)
	return err
}

// ListStates implements [uploads.States]. The database computes how long a state has been idle.
func (r *records) ListStates(ctx context.Context, startAfter string, limit int) ([]uploads.ListedState, string, error) {
	statement := "SELECT state_key, " + terms[r.dialect].idle +
		" FROM omnibucket_files_parts WHERE state_key > ? ORDER BY state_key LIMIT ?"
	q := pageQuery[uploads.ListedState]{
		op:        "ListStates",
		statement: statement,
		values:    []any{startAfter},
		limit:     limit,
		scan:      scanState,
		keyOf:     func(state uploads.ListedState) string { return state.Key },
	}
	return q.run(ctx, r)
}

// scanState reads a row that has the key of a state and the seconds since it was stored.
func scanState(src row) (uploads.ListedState, error) {
	var key string
	var seconds int64
	if err := src.Scan(&key, &seconds); err != nil {
		return uploads.ListedState{}, err
	}
	return uploads.ListedState{Key: key, Idle: time.Duration(seconds) * time.Second}, nil
}
