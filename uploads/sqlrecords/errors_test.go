package sqlrecords

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// These are the errors of drivers that this package distinguishes.
type (
	state string
	code  int
	retry bool
)

func (s state) Error() string    { return "state " + string(s) }
func (s state) SQLState() string { return string(s) }
func (c code) Error() string     { return fmt.Sprint("code ", int(c)) }
func (c code) Code() int         { return int(c) }
func (retry) Error() string      { return "unexpected" }
func (r retry) SafeToRetry() bool {
	return bool(r)
}

// Each error of a driver of database/sql has its Code.
func TestErrorsOfDrivers(t *testing.T) {
	for _, row := range []struct {
		name    string
		err     error
		want    storage.Code
		unknown bool // of a write
	}{
		{"no rows", sql.ErrNoRows, storage.ObjectNotFound, false},
		{"a connection that was bad, before or after the statement", driver.ErrBadConn, storage.Unavailable, true},
		{"no connection", &net.OpError{Op: "dial", Err: errors.New("refused")}, storage.Unavailable, false},
		{"a connection that broke", &net.OpError{Op: "read", Err: errors.New("reset")}, storage.Unavailable, true},
		{"an end of the connection", io.ErrUnexpectedEOF, storage.Unavailable, true},
		{"what the driver did not send", retry(true), storage.Internal, false},
		{"what the driver may have sent", retry(false), storage.Internal, true},
		{"canceled", fmt.Errorf("query: %w", context.Canceled), storage.Canceled, true},
		{"too late", context.DeadlineExceeded, storage.DeadlineExceeded, true},
		{"PostgreSQL: a deadlock", state("40P01"), storage.Unavailable, false},
		{"PostgreSQL: serialization", state("40001"), storage.Unavailable, false},
		{"PostgreSQL: completion unknown", state("40003"), storage.Unavailable, true},
		{"PostgreSQL: connection failure", state("08006"), storage.Unavailable, true},
		{"PostgreSQL: too many connections", state("53300"), storage.Unavailable, false},
		{"PostgreSQL: a full disk, perhaps at the end of the commit", state("53100"), storage.Unavailable, true},
		{"PostgreSQL: an error of the disk, perhaps at the end of the commit", state("58030"), storage.Internal, true},
		{"PostgreSQL: shutting down", state("57P01"), storage.Unavailable, false},
		{"PostgreSQL: password", state("28P01"), storage.Unauthenticated, false},
		{"PostgreSQL: privilege", state("42501"), storage.PermissionDenied, false},
		{"PostgreSQL: read-only", state("25006"), storage.Unavailable, false},
		{"PostgreSQL: too long for an index", state("54000"), storage.InvalidArgument, false},
		{"PostgreSQL: a text that no row can have", state("22021"), storage.ObjectNotFound, false},
		{"PostgreSQL: a character that the encoding of the database lacks", state("22P05"), storage.InvalidArgument, false},
		{"PostgreSQL: no table", state("42P01"), storage.Internal, false},
		{"PostgreSQL: a state that is none", state("?"), storage.Internal, false},
		{"SQLite: busy", code(5), storage.Unavailable, false},
		{"SQLite: busy with a snapshot", code(517), storage.Unavailable, false},
		{"SQLite: interrupted", code(9), storage.Unavailable, true},
		{"SQLite: read-only", code(8), storage.PermissionDenied, false},
		{"SQLite: a flush that failed", code(1034), storage.Internal, true},
		{"SQLite: a full disk", code(13), storage.Unavailable, false},
		{"SQLite: an error of the statement", code(1), storage.Internal, false},
		{"anything else", errors.New("x"), storage.Internal, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := writeError(t.Context(), "Create", row.err)
			require.Equal(t, row.want, storage.CodeOf(err))
			require.Equal(t, row.unknown, errors.Is(err, storage.OutcomeUnknown))
			err = readError(t.Context(), "Record", row.err)
			require.Equal(t, row.want, storage.CodeOf(err))
			require.NotErrorIs(t, err, storage.OutcomeUnknown, "it changed nothing")
			if e, ok := errors.AsType[*storage.Error](err); ok {
				require.Equal(t, row.want == storage.Unavailable, e.Retryable)
				require.ErrorIs(t, e.Err, row.err)
			}
		})
	}
}
