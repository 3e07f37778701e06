package databases_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"

	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
	"github.com/omnibucket/storage/uploads/sqlrecords"
)

// A lossyDriver loses the response to a write of one table, and reports it as lib/pq
// does when a connection ends. database/sql then assumes that nothing was
// executed, and repeats the statement.
type lossyDriver struct {
	inner   sqlite.Driver
	address string
	write   string // how the statements begin
	losses  int
}

var _ driver.Connector = (*lossyDriver)(nil)

func (d *lossyDriver) Driver() driver.Driver { return &d.inner }

func (d *lossyDriver) Connect(context.Context) (driver.Conn, error) {
	c, err := d.inner.Open(d.address)
	return &lossyConn{c, d}, err
}

type lossyConn struct {
	driver.Conn
	of *lossyDriver
}

func (c *lossyConn) ExecContext(ctx context.Context, query string, values []driver.NamedValue) (driver.Result, error) {
	result, err := c.Conn.(driver.ExecerContext).ExecContext(ctx, query, values)
	if err == nil && strings.HasPrefix(query, c.of.write) && c.of.losses > 0 {
		c.of.losses--
		return nil, driver.ErrBadConn
	}
	return result, err
}

func (c *lossyConn) QueryContext(ctx context.Context, query string, values []driver.NamedValue) (driver.Rows, error) {
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, values)
}

// If the response to the INSERT of a file is lost, the upload still returns the record, and its bytes are stored.
func TestCreateResponseLost(t *testing.T) {
	const attempts = 3 // of database/sql for one statement
	for _, losses := range []int{1, attempts} {
		t.Run(fmt.Sprint(losses, " losses, whole file"), func(t *testing.T) {
			service, lossy := newLossyService(t, losses)
			f, err := service.Store(t.Context(), uploads.Upload{Body: strings.NewReader("precious"), Name: "a"})
			require.NoError(t, err)
			require.Zero(t, lossy.losses, "losses that did not happen")
			requireStored(t, service, f.ID, "precious")
		})
		t.Run(fmt.Sprint(losses, " losses, file in pieces"), func(t *testing.T) {
			service, lossy := newLossyService(t, losses)
			f, err := service.PutPiece(t.Context(), uploads.Piece{
				Token:  "token-1234",
				Count:  1,
				Number: 1,
				Name:   "a",
				Body:   strings.NewReader("precious"),
			})
			require.NoError(t, err)
			require.Zero(t, lossy.losses, "losses that did not happen")
			requireStored(t, service, f.ID, "precious")
		})
	}
}

// newLossyService returns a service whose database loses the response to as many inserts of files.
func newLossyService(t *testing.T, losses int) (*uploads.Service, *lossyDriver) {
	t.Helper()
	lossy := &lossyDriver{address: createSQLite(t), write: "INSERT INTO omnibucket_files ", losses: losses}
	db := sql.OpenDB(lossy)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	records, err := sqlrecords.New(t.Context(), db, sqlrecords.SQLite)
	require.NoError(t, err)
	service, err := uploads.New(memstore.New(), uploads.Config{Rules: rules.Any(0), Records: records})
	require.NoError(t, err)
	return service, lossy
}

func requireStored(t *testing.T, service *uploads.Service, id, content string) {
	t.Helper()
	reader, _, err := service.Download(t.Context(), id)
	require.NoError(t, err)
	text, err := io.ReadAll(reader)
	require.NoError(t, err)
	require.NoError(t, reader.Close())
	require.Equal(t, content, string(text))
}

// If the database's response to SetState is lost, SetState recognizes its own state and succeeds.
func TestSetStateResponseLost(t *testing.T) {
	tests := []struct {
		name  string
		write string // the statement whose response is lost
	}{
		{name: "first state", write: "INSERT INTO omnibucket_files_parts "},
		{name: "state that replaces another", write: "UPDATE omnibucket_files_parts "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			lossy := &lossyDriver{address: createSQLite(t), write: tt.write, losses: 1}
			db := sql.OpenDB(lossy)
			t.Cleanup(func() { require.NoError(t, db.Close()) })
			records, err := sqlrecords.New(t.Context(), db, sqlrecords.SQLite)
			require.NoError(t, err)
			states := records.(uploads.States)

			revision := "" // of a state that does not exist
			for _, text := range []string{"1", "2"} {
				revision, err = states.SetState(t.Context(), "key", []byte(text), revision)
				require.NoError(t, err)
				state, current, err := states.State(t.Context(), "key")
				require.NoError(t, err)
				require.Equal(t, text, string(state))
				require.Equal(t, revision, current)
			}
			require.Zero(t, lossy.losses, "losses that did not happen")
		})
	}
}
