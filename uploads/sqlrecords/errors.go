package sqlrecords

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/omnibucket/storage"
)

// readError converts the error of a statement that only reads to a *storage.Error, or to
// ObjectNotFound if there is no row.
func readError(ctx context.Context, op string, err error) error {
	if storageErr, ok := errors.AsType[*storage.Error](err); ok {
		return storageErr
	}

	// No row can contain a text with such a character, so there is no row.
	const characterNotInRepertoire = "22021" // SQLSTATE
	if errors.Is(err, sql.ErrNoRows) || stateOf(err) == characterNotInRepertoire {
		return storage.ObjectNotFound
	}
	code := codeOf(ctx, err)
	return &storage.Error{Code: code, Op: op, Provider: "sql", Retryable: code == storage.Unavailable, Err: err}
}

// writeError converts the error of a statement that writes. It sets Unknown unless the statement
// certainly had no effect.
func writeError(ctx context.Context, op string, err error) error {
	result := readError(ctx, op, err)
	if storageErr, ok := result.(*storage.Error); ok {
		storageErr.Unknown = !notExecuted(err)
	}
	return result
}

// These interfaces match the error types of drivers, so that this package imports no driver.
type (
	stateError interface{ SQLState() string } // github.com/jackc/pgx, github.com/lib/pq
	codeError  interface{ Code() int }        // modernc.org/sqlite: SQLite's result code
	retryError interface{ SafeToRetry() bool }
)

// stateOf returns the SQLSTATE of an error of PostgreSQL, or "" for any other error.
func stateOf(err error) string {
	var stateErr stateError
	if errors.As(err, &stateErr) {
		return stateErr.SQLState()
	}
	return ""
}

// notExecuted reports whether the statement certainly had no effect. This is not certain after
// driver.ErrBadConn: github.com/lib/pq also returns it if the connection ends before the response.
func notExecuted(err error) bool {
	netErr, isNetErr := errors.AsType[*net.OpError](err)
	if isNetErr && netErr.Op == "dial" {
		// No connection was available.
		return true
	}
	var retryErr retryError
	if errors.As(err, &retryErr) && retryErr.SafeToRetry() {
		// The driver did not send the statement.
		return true
	}

	// PostgreSQL and SQLite number their errors in different ways.
	if state := stateOf(err); state != "" {
		return !mayHaveCommitted(state)
	}
	switch primaryCode(err) {
	case -1:
		// Nothing is known of the error.
		return false
	case sqliteInterrupt, sqliteIOError:
		// The statement may have had an effect.
		return false
	}
	return true
}

// mayHaveCommitted reports whether a commit may have succeeded although PostgreSQL has returned this state.
func mayHaveCommitted(state string) bool {
	switch state {
	case "40003": // statement_completion_unknown
		return true
	case "53100": // disk_full, perhaps only when the commit was flushed
		return true
	}
	isConnectionException := strings.HasPrefix(state, "08")
	isSystemError := strings.HasPrefix(state, "58")
	return isConnectionException || isSystemError
}

// These are primary result codes of SQLite, which are the low byte of a code:
// https://www.sqlite.org/rescode.html
const (
	sqliteBusy      = 5
	sqliteLocked    = 6
	sqliteInterrupt = 9
	sqliteReadOnly  = 8
	sqliteIOError   = 10
	sqliteFull      = 13
	sqliteCantOpen  = 14
)

// primaryCode returns the primary result code of an error of SQLite, or -1 for any other error.
func primaryCode(err error) int {
	var codeErr codeError
	if errors.As(err, &codeErr) {
		const primaryBits = 0xFF
		return codeErr.Code() & primaryBits
	}
	return -1
}

// codeOf returns the code for an error of the database or of its driver.
func codeOf(ctx context.Context, err error) storage.Code {
	// The context may have ended the call, whatever the driver returns.
	if errors.Is(ctx.Err(), context.Canceled) || errors.Is(err, context.Canceled) {
		return storage.Canceled
	}
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
		return storage.DeadlineExceeded
	}

	// The connection is broken.
	if errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, sql.ErrConnDone) ||
		errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) {
		return storage.Unavailable
	}

	// PostgreSQL and SQLite number their errors in different ways.
	if state := stateOf(err); state != "" {
		return codeOfState(state)
	}
	if code := primaryCode(err); code >= 0 {
		return codeOfResult(code)
	}

	if _, ok := errors.AsType[net.Error](err); ok {
		return storage.Unavailable
	}
	return storage.Internal
}

// codeOfState returns the code for an error state of PostgreSQL. It mainly depends on the class,
// which is the first two characters: https://www.postgresql.org/docs/current/errcodes-appendix.html
func codeOfState(state string) storage.Code {
	if state == "42501" { // insufficient_privilege
		return storage.PermissionDenied
	}
	if state == "25006" {
		// read_only_sql_transaction: a primary has become a replica.
		return storage.Unavailable
	}
	if len(state) != 5 {
		return storage.Internal
	}
	switch state[:2] {
	case "22", "54": // data_exception; program_limit_exceeded: an index allows texts of about 2,600 bytes
		return storage.InvalidArgument
	case "28": // invalid_authorization_specification
		return storage.Unauthenticated
	// connection, rollback, resources, object not in prerequisite state, operator intervention
	case "08", "40", "53", "55", "57":
		return storage.Unavailable
	}
	return storage.Internal
}

// codeOfResult converts a primary result code of SQLite.
func codeOfResult(code int) storage.Code {
	switch code {
	case sqliteBusy, sqliteLocked, sqliteInterrupt, sqliteFull, sqliteCantOpen:
		return storage.Unavailable
	case sqliteReadOnly:
		return storage.PermissionDenied
	}
	return storage.Internal
}
