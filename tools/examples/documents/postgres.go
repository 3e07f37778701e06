package main

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/sqlrecords"
)

// A pool can begin a transaction. *pgxpool.Pool and *pgx.Conn implement it.
type pool interface {
	Begin(ctx context.Context) (pgx.Tx, error)
}

// addPgx does the same as add, with PostgreSQL and pgx. A program with sqlc passes the transaction
// to queries.WithTx.
func addPgx(ctx context.Context, db pool, title, fileID string, user uploads.User) error {
	return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		if _, err := sqlrecords.In(sqlrecords.PostgreSQL, tx.QueryRow).Keep(ctx, fileID, user); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "INSERT INTO documents (title, file_id) VALUES ($1, $2)", title, fileID)
		return err
	})
}
