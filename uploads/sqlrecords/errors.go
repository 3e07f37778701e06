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

// readError converts the error of a statement that changed nothing.
func readError(ctx context.Context, op string, err error) error {
	if own, ok := errors.AsType[*storage.Error](err); ok {
		return own
	}
	if errors.Is(err, sql.ErrNoRows) || stateOf(err) == "22021" { // character_not_in_repertoire: no row has such a text
		return storage.ObjectNotFound
	}
	code := codeOf(ctx, err)
	return &storage.Error{Code: code, Op: op, Provider: "sql", Retryable: code == storage.Unavailable, Err: err}
}

// writeError converts the error of a statement that may have changed something. It
// sets Unknown unless the database or the driver says that the statement was not
// executed.
func writeError(ctx context.Context, op string, err error) error {
	told := readError(ctx, op, err)
	if e, ok := told.(*storage.Error); ok {
		e.Unknown = !notExecuted(err)
	}
	return told
}

// These interfaces describe errors of drivers, so that no driver is imported.
type (
	stateError interface{ SQLState() string } // github.com/jackc/pgx, github.com/lib/pq
	codeError  interface{ Code() int }        // modernc.org/sqlite: SQLite's result code
	retryError interface{ SafeToRetry() bool }
)

func stateOf(err error) string {
	var e stateError
	if errors.As(err, &e) {
		return e.SQLState()
	}
	return ""
}

// notExecuted reports whether the statement was certainly not executed. That is not
// certain for driver.ErrBadConn: a driver must not return it if the database may have
// received the statement, but github.com/lib/pq does if the connection ends before
// the response.
func notExecuted(err error) bool {
	var retry retryError
	if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" ||
		errors.As(err, &retry) && retry.SafeToRetry() {
		return true // there was no connection to send the statement on, or the driver did not send it
	}
	if state := stateOf(err); state != "" {
		// connection_exception, system_error, statement_completion_unknown, disk_full: the flush that failed may be
		// that of a commit
		return !strings.HasPrefix(state, "08") && !strings.HasPrefix(state, "58") && state != "40003" &&
			state != "53100"
	}
	code := primaryCode(err)
	return code >= 0 && code != sqliteInterrupt && code != sqliteIOError
}

// These are primary result codes, the low byte: https://www.sqlite.org/rescode.html
const (
	sqliteBusy      = 5
	sqliteLocked    = 6
	sqliteInterrupt = 9
	sqliteReadOnly  = 8
	sqliteIOError   = 10
	sqliteFull      = 13
	sqliteCantOpen  = 14
)

// primaryCode returns SQLite's code of an error, or -1 if it has none.
func primaryCode(err error) int {
	var e codeError
	if errors.As(err, &e) {
		return e.Code() & 0xFF
	}
	return -1
}

func codeOf(ctx context.Context, err error) storage.Code {
	switch {
	case errors.Is(ctx.Err(), context.Canceled), errors.Is(err, context.Canceled):
		return storage.Canceled
	case ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded):
		return storage.DeadlineExceeded
	case errors.Is(err, driver.ErrBadConn),
		errors.Is(err, sql.ErrConnDone),
		errors.Is(err, io.EOF),
		errors.Is(err, io.ErrUnexpectedEOF):
		return storage.Unavailable
	}
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

// codeOfState returns the code for a state by its class:
// https://www.postgresql.org/docs/current/errcodes-appendix.html
func codeOfState(state string) storage.Code {
	switch {
	case state == "42501": // insufficient_privilege
		return storage.PermissionDenied
	case state == "25006": // read_only_sql_transaction, of a primary that has become a replica
		return storage.Unavailable
	case len(state) != 5:
		return storage.Internal
	}
	switch state[:2] {
	case "22", "54": // data_exception; program_limit_exceeded: an index takes some 2,600 bytes of a text
		return storage.InvalidArgument
	case "28": // invalid_authorization_specification
		return storage.Unauthenticated
	case "08", "40", "53", "55", "57": // connection, rollback, resources, not in state, intervention
		return storage.Unavailable
	}
	return storage.Internal
}

func codeOfResult(code int) storage.Code {
	switch code {
	case sqliteBusy, sqliteLocked, sqliteInterrupt, sqliteFull, sqliteCantOpen:
		return storage.Unavailable
	case sqliteReadOnly:
		return storage.PermissionDenied
	}
	return storage.Internal
}
