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

func (r *records) State(ctx context.Context, key string) (state []byte, revision string, err error) {
	const statement = "SELECT state, revision FROM omnibucket_files_parts WHERE state_key = ?"
	err = r.db.QueryRowContext(ctx, r.dialect.bind(statement), key).Scan(&state, &revision)
	if err != nil {
		return nil, "", readError(ctx, "State", err)
	}
	return state, revision, nil
}

func (r *records) SetState(ctx context.Context, key string, state []byte, revision string) (string, error) {
	const op = "SetState"
	revised := rand.Text()
	statement := "UPDATE omnibucket_files_parts SET state = ?, revision = ?, changed = " + terms[r.dialect].now +
		" WHERE state_key = ? AND revision = ?"
	values := []any{string(state), revised, key, revision}
	if revision == "" {
		statement = "INSERT INTO omnibucket_files_parts (state, revision, changed, state_key) VALUES (?, ?, " +
			terms[r.dialect].now + ", ?) ON CONFLICT (state_key) DO NOTHING"
		values = values[:3]
	}
	rows, err := r.exec(ctx, op, statement, values...)
	if err != nil {
		return "", err
	}
	if rows == 0 {
		if err := r.checkWritten(ctx, op, key, revised); err != nil {
			return "", err
		}
	}
	return revised, nil
}

// checkWritten is called if a statement changed no row. The response to a first attempt may have
// been lost, and database/sql may have repeated the statement. The row then has the revision that
// this call wrote, and checkWritten returns nil. Otherwise it returns an error.
func (r *records) checkWritten(ctx context.Context, op, key, revised string) error {
	const statement = "SELECT revision FROM omnibucket_files_parts WHERE state_key = ?"
	var current string
	err := r.db.QueryRowContext(ctx, r.dialect.bind(statement), key).Scan(&current)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return &storage.Error{Code: codeOf(ctx, err), Op: op, Provider: "sql", Unknown: true, Err: err}
	}
	if current != revised {
		return storage.PreconditionFailed
	}
	return nil
}

func (r *records) RemoveState(ctx context.Context, key, revision string) error {
	_, err := r.exec(ctx, "RemoveState", "DELETE FROM omnibucket_files_parts WHERE state_key = ? AND revision = ?", key,
		revision)
	return err
}

func (r *records) ListStates(ctx context.Context, startAfter string, limit int) ([]uploads.ListedState, string, error) {
	statement := "SELECT state_key, " + terms[r.dialect].idle +
		" FROM omnibucket_files_parts WHERE state_key > ? ORDER BY state_key LIMIT ?"
	scan := func(src row) (one uploads.ListedState, err error) {
		var seconds int64
		err = src.Scan(&one.Key, &seconds)
		one.Idle = time.Duration(seconds) * time.Second
		return one, err
	}
	return query(
		ctx, r, "ListStates", statement, []any{startAfter}, limit, scan,
		func(one uploads.ListedState) string { return one.Key },
	)
}
