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

// sqlitePatience is how long a migration waits for another process, in
// milliseconds, where the connection's own is shorter.
const migrationBusyTimeout = 30_000

// rollbackTimeout bounds what is left to do when ctx is done already.
const rollbackTimeout = 5 * time.Second

// exclusively runs f in a transaction that no other process has at the same
// time.
func (d Dialect) exclusively(ctx context.Context, c *sql.Conn, f func(context.Context) error) (err error) {
	begin := "BEGIN"
	if d == SQLite {
		// A plain BEGIN would take the lock with the first write, and fail at once
		// where another process got it in between.
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

// waitLonger makes a connection that would give up soon wait for others, until
// restore.
func raiseBusyTimeout(ctx context.Context, c *sql.Conn) (restore func(), err error) {
	var own int
	if err := c.QueryRowContext(ctx, "PRAGMA busy_timeout").Scan(&own); err != nil {
		return nil, err
	}
	if own >= migrationBusyTimeout {
		return func() {}, nil
	}
	set := func(ctx context.Context, milliseconds int) error {
		// The answer is a row. A pragma takes no parameters.
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
