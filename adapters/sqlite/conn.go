package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
)

// A modernConn is a connection of modernc.org/sqlite, with all interfaces of database/sql/driver
// that it implements.
type modernConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.Pinger
	driver.QueryerContext
	driver.SessionResetter
	driver.Validator
}

// A conn is a connection that adds the errors of its reads to the errors of SQLite.
type conn struct {
	modernConn
	connector *connector
	session   *session
	name      string // name of the session
}

func (c *conn) Close() error {
	sessions.remove(c.name)
	return errors.Join(c.modernConn.Close(), c.connector.release())
}

func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

// PrepareContext prepares a statement. If a read of the object fails, the calls of the statement return its error.
func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	prepared, err := callSQLite(ctx, c.session, func() (driver.Stmt, error) {
		return c.modernConn.PrepareContext(ctx, query)
	})
	if err != nil {
		return nil, err
	}
	return &stmt{modernStmt: prepared.(modernStmt), session: c.session}, nil
}

func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return callSQLite(ctx, c.session, func() (driver.Result, error) { return c.modernConn.ExecContext(ctx, query, args) })
}

func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return queryRows(ctx, c.session, func() (driver.Rows, error) { return c.modernConn.QueryContext(ctx, query, args) })
}

// A modernStmt is a statement of modernc.org/sqlite, with all interfaces of database/sql/driver
// that it implements.
type modernStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// A stmt is a prepared statement of a conn.
type stmt struct {
	modernStmt
	session *session
}

func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return callSQLite(ctx, s.session, func() (driver.Result, error) { return s.modernStmt.ExecContext(ctx, args) })
}

func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return queryRows(ctx, s.session, func() (driver.Rows, error) { return s.modernStmt.QueryContext(ctx, args) })
}

// modernRows are rows of modernc.org/sqlite, with all interfaces of database/sql/driver that they
// implement.
type modernRows interface {
	driver.RowsColumnTypeDatabaseTypeName
	driver.RowsColumnTypeLength
	driver.RowsColumnTypeNullable
	driver.RowsColumnTypePrecisionScale
	driver.RowsColumnTypeScanType
}

// A rows is the result of a query. While it reads, the context of the query applies.
type rows struct {
	modernRows
	session *session
	ctx     context.Context
}

// queryRows calls query and wraps the rows that it returns, so that reads of the object which fail are
// reported.
func queryRows(ctx context.Context, s *session, query func() (driver.Rows, error)) (driver.Rows, error) {
	result, err := callSQLite(ctx, s, query)
	if err != nil {
		return nil, err
	}
	return &rows{modernRows: result.(modernRows), session: s, ctx: ctx}, nil
}

// Next reads the next row from SQLite. It fails if a read of the object fails meanwhile, even if SQLite ignores that.
func (r *rows) Next(row []driver.Value) error {
	_, err := callSQLite(r.ctx, r.session, func() (struct{}, error) {
		return struct{}{}, r.modernRows.Next(row)
	})
	return err
}
