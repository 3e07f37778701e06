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

// These are errors of database drivers. This package distinguishes them.
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

// Each error of a database/sql driver becomes an error with a Code. For some errors, the outcome of
// a write is unknown.
func TestErrorsOfDrivers(t *testing.T) {
	tests := []struct {
		name        string
		err         error
		want        storage.Code
		wantUnknown bool // whether a write may have taken effect
	}{
		{name: "no rows", err: sql.ErrNoRows, want: storage.ObjectNotFound},
		{
			name:        "a bad connection",
			err:         driver.ErrBadConn,
			want:        storage.Unavailable,
			wantUnknown: true,
		},
		{name: "no connection", err: &net.OpError{Op: "dial", Err: errors.New("refused")}, want: storage.Unavailable},
		{
			name:        "a connection that broke",
			err:         &net.OpError{Op: "read", Err: errors.New("reset")},
			want:        storage.Unavailable,
			wantUnknown: true,
		},
		{name: "an end of the connection", err: io.ErrUnexpectedEOF, want: storage.Unavailable, wantUnknown: true},
		{name: "a statement that is safe to repeat", err: retry(true), want: storage.Internal},
		{name: "a statement that may have been sent", err: retry(false), want: storage.Internal, wantUnknown: true},
		{name: "canceled", err: fmt.Errorf("query: %w", context.Canceled), want: storage.Canceled, wantUnknown: true},
		{name: "deadline exceeded", err: context.DeadlineExceeded, want: storage.DeadlineExceeded, wantUnknown: true},
		{name: "PostgreSQL: a deadlock", err: state("40P01"), want: storage.Unavailable},
		{name: "PostgreSQL: serialization", err: state("40001"), want: storage.Unavailable},
		{name: "PostgreSQL: completion unknown", err: state("40003"), want: storage.Unavailable, wantUnknown: true},
		{name: "PostgreSQL: connection failure", err: state("08006"), want: storage.Unavailable, wantUnknown: true},
		{name: "PostgreSQL: too many connections", err: state("53300"), want: storage.Unavailable},
		{
			name:        "PostgreSQL: a full disk, perhaps at the end of the commit",
			err:         state("53100"),
			want:        storage.Unavailable,
			wantUnknown: true,
		},
		{
			name:        "PostgreSQL: an error of the disk, perhaps at the end of the commit",
			err:         state("58030"),
			want:        storage.Internal,
			wantUnknown: true,
		},
		{name: "PostgreSQL: shutting down", err: state("57P01"), want: storage.Unavailable},
		{name: "PostgreSQL: password", err: state("28P01"), want: storage.Unauthenticated},
		{name: "PostgreSQL: privilege", err: state("42501"), want: storage.PermissionDenied},
		{name: "PostgreSQL: read-only", err: state("25006"), want: storage.Unavailable},
		{name: "PostgreSQL: too long for an index", err: state("54000"), want: storage.InvalidArgument},
		{name: "PostgreSQL: a text that no row can have", err: state("22021"), want: storage.ObjectNotFound},
		{
			name: "PostgreSQL: a character that the encoding of the database lacks",
			err:  state("22P05"),
			want: storage.InvalidArgument,
		},
		{name: "PostgreSQL: no table", err: state("42P01"), want: storage.Internal},
		{name: "PostgreSQL: a malformed state", err: state("?"), want: storage.Internal},
		{name: "SQLite: busy", err: code(5), want: storage.Unavailable},
		{name: "SQLite: busy with a snapshot", err: code(517), want: storage.Unavailable},
		{name: "SQLite: interrupted", err: code(9), want: storage.Unavailable, wantUnknown: true},
		{name: "SQLite: read-only", err: code(8), want: storage.PermissionDenied},
		{name: "SQLite: a flush that failed", err: code(1034), want: storage.Internal, wantUnknown: true},
		{name: "SQLite: a full disk", err: code(13), want: storage.Unavailable},
		{name: "SQLite: an error of the statement", err: code(1), want: storage.Internal},
		{name: "anything else", err: errors.New("x"), want: storage.Internal, wantUnknown: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := writeError(t.Context(), "Create", tt.err)
			require.Equal(t, tt.want, storage.CodeOf(err))
			require.Equal(t, tt.wantUnknown, errors.Is(err, storage.OutcomeUnknown))

			// A read changes nothing, so its outcome is always known.
			err = readError(t.Context(), "Record", tt.err)
			require.Equal(t, tt.want, storage.CodeOf(err))
			require.NotErrorIs(t, err, storage.OutcomeUnknown)
			if storageErr, ok := errors.AsType[*storage.Error](err); ok {
				require.Equal(t, tt.want == storage.Unavailable, storageErr.Retryable)
				require.ErrorIs(t, storageErr.Err, tt.err)
			}
		})
	}
}
