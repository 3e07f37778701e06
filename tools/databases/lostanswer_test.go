package databases_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
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
	uploadWhole := func(s *uploads.Service) (*uploads.File, error) {
		return s.Store(t.Context(), uploads.Upload{Body: strings.NewReader("precious"), Name: "a"})
	}
	inParts := func(s *uploads.Service) (*uploads.File, error) {
		return s.PutPiece(t.Context(), uploads.Piece{Body: strings.NewReader("precious"), Token: "token-1234", Count: 1, Number: 1, Name: "a"})
	}
	for _, row := range []struct {
		name   string
		losses int
		send   func(*uploads.Service) (*uploads.File, error)
	}{
		{"once", 1, uploadWhole},
		{"as often as database/sql tries", 3, uploadWhole},
		{"once, of a file in parts", 1, inParts},
		{"as often as database/sql tries, of a file in parts", 3, inParts},
	} {
		t.Run(row.name, func(t *testing.T) {
			lossy := &lossyDriver{address: createSQLite(t), write: "INSERT INTO omnibucket_files ", losses: row.losses}
			db := sql.OpenDB(lossy)
			t.Cleanup(func() { require.NoError(t, db.Close()) })
			records, err := sqlrecords.New(t.Context(), db, sqlrecords.SQLite)
			require.NoError(t, err)
			s, err := uploads.New(memstore.New(), uploads.Config{Rules: rules.Any(0), Records: records})
			require.NoError(t, err)

			record, err := row.send(s)
			require.NoError(t, err)
			require.Zero(t, lossy.losses)

			reader, _, err := s.Download(t.Context(), record.ID)
			require.NoError(t, err)
			text, err := io.ReadAll(reader)
			require.NoError(t, err)
			require.NoError(t, reader.Close())
			require.Equal(t, "precious", string(text))
		})
	}
}

// If the response to SetState is lost, SetState recognizes its own state and succeeds.
func TestSetStateResponseLost(t *testing.T) {
	for _, row := range []struct{ name, write string }{
		{"a new one", "INSERT INTO omnibucket_files_parts "},
		{"one that replaces another", "UPDATE omnibucket_files_parts "},
	} {
		t.Run(row.name, func(t *testing.T) {
			lossy := &lossyDriver{address: createSQLite(t), write: row.write, losses: 1}
			db := sql.OpenDB(lossy)
			t.Cleanup(func() { require.NoError(t, db.Close()) })
			records, err := sqlrecords.New(t.Context(), db, sqlrecords.SQLite)
			require.NoError(t, err)
			states := records.(uploads.States)
			revision := ""

			for _, text := range []string{"1", "2"} {
				revision, err = states.SetState(t.Context(), "key", []byte(text), revision)
				require.NoError(t, err)
				state, current, err := states.State(t.Context(), "key")
				require.NoError(t, err)
				require.Equal(t, text, string(state))
				require.Equal(t, revision, current)
			}
			require.Zero(t, lossy.losses)
		})
	}
}
