package sqlrecords

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// migrationLock is the key of PostgreSQL's advisory lock: "omnifile" in ASCII.
const migrationLock = 0x6F6D6E6966696C65

// migrationBusyTimeout is how long a migration waits for another process, in
// milliseconds, if the connection's own timeout is shorter.
const migrationBusyTimeout = 30_000

// rollbackTimeout limits the rollback if ctx has ended already.
const rollbackTimeout = 5 * time.Second

// exclusively runs f in a transaction that excludes other processes.
func (d Dialect) exclusively(ctx context.Context, c *sql.Conn, f func(context.Context) error) (err error) {
	begin := "BEGIN"
	if d == SQLite {
		// A plain BEGIN would take the lock at the first write, and fail at once if
		// another process got it in between.
		begin = "BEGIN IMMEDIATE"
		restore, err := raiseBusyTimeout(ctx, c)
		if err != nil {
			return err
		}
		defer restore()
	}
	if _, err := c.ExecContext(ctx, begin); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
			defer cancel()
			_, failure := c.ExecContext(last, "ROLLBACK")
			err = errors.Join(err, failure)
		}
	}()
	if d == PostgreSQL {
		if _, err := c.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
			return err
		}
	}
	if err := f(ctx); err != nil {
		return err
	}
	_, err = c.ExecContext(ctx, "COMMIT")
	return err
}

// raiseBusyTimeout makes a connection wait longer for others, until restore is
// called.
func raiseBusyTimeout(ctx context.Context, c *sql.Conn) (restore func(), err error) {
	var own int
	if err := c.QueryRowContext(ctx, "PRAGMA busy_timeout").Scan(&own); err != nil {
		return nil, err
	}
	if own >= migrationBusyTimeout {
		return func() {}, nil
	}
	set := func(ctx context.Context, milliseconds int) error {
		// The response is a row. A pragma takes no parameters.
		return c.QueryRowContext(ctx, fmt.Sprintf("PRAGMA busy_timeout = %d", milliseconds)).Scan(&milliseconds)
	}
	if err := set(ctx, migrationBusyTimeout); err != nil {
		return nil, err
	}
	return func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
		defer cancel()
		_ = set(last, own)
	}, nil
}
