package databases_test

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/sqlrecords"
)

var errDead = errors.New("the process was killed")

// A life ends at its call to the bucket or the database with this number: before the call, or after it was
// executed, so that its response is lost. No later call is executed.
type life struct {
	end   int // 0: never
	after bool

	mu    sync.Mutex
	calls int
}

// call does a call. undo drops the response.
func call[T any](l *life, do func() (T, error), undo func(T)) (done T, err error) {
	l.mu.Lock()
	l.calls++
	last := l.calls == l.end
	dead := l.end > 0 && l.calls > l.end
	l.mu.Unlock()
	if dead || last && !l.after {
		return done, errDead
	}
	if done, err = do(); err != nil || !last {
		return done, err
	}
	undo(done)
	var none T
	return none, errDead
}

func (l *life) step(do func() error) error {
	_, err := call(l, func() (struct{}, error) { return struct{}{}, do() }, func(struct{}) {})
	return err
}

func (l *life) layer(next driver.Driver) driver.Driver {
	return driver.Intercept(next, func(ctx context.Context, _ string, next func(context.Context) error) error {
		err := l.step(func() error { return next(ctx) })
		if err == errDead {
			return &storage.Error{Code: storage.Internal, Unknown: true, Err: errDead}
		}
		return err
	})
}

// begin begins the life of a process that has started.
func (l *life) begin(end int, afterCall bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end = end
	l.after = afterCall
	l.calls = 0
}

// over reports whether the process was killed.
func (l *life) over() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end > 0 && l.calls >= l.end
}

// A killedConnector opens database connections for a process. After the kill of that process, they do nothing.
type killedConnector struct {
	inner   sqldriver.Driver
	address string
	life    *life
}

func (m *killedConnector) Driver() sqldriver.Driver { return m.inner }

func (m *killedConnector) Connect(context.Context) (sqldriver.Conn, error) {
	c, err := m.inner.Open(m.address)
	return &killedConn{c, m.life}, err
}

type killedConn struct {
	sqldriver.Conn
	life *life
}

func (c *killedConn) CheckNamedValue(v *sqldriver.NamedValue) error {
	if checker, ok := c.Conn.(sqldriver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return sqldriver.ErrSkip
}

func (c *killedConn) BeginTx(ctx context.Context, o sqldriver.TxOptions) (sqldriver.Tx, error) {
	tx, err := call(c.life, func() (sqldriver.Tx, error) {
		return c.Conn.(sqldriver.ConnBeginTx).BeginTx(ctx, o)
	}, func(tx sqldriver.Tx) {
		_ = tx.Rollback()
	})
	return &killedTx{tx, c.life}, err
}

func (c *killedConn) ExecContext(
	ctx context.Context,
	query string,
	values []sqldriver.NamedValue,
) (sqldriver.Result, error) {
	return call(c.life, func() (sqldriver.Result, error) {
		return c.Conn.(sqldriver.ExecerContext).ExecContext(ctx, query, values)
	}, func(sqldriver.Result) {})
}

func (c *killedConn) QueryContext(
	ctx context.Context,
	query string,
	values []sqldriver.NamedValue,
) (sqldriver.Rows, error) {
	return call(c.life, func() (sqldriver.Rows, error) {
		return c.Conn.(sqldriver.QueryerContext).QueryContext(ctx, query, values)
	}, func(rows sqldriver.Rows) {
		_ = rows.Close()
	})
}

type killedTx struct {
	inner sqldriver.Tx
	life  *life
}

func (t *killedTx) Commit() error { return t.life.step(t.inner.Commit) }

// Rollback of a process that was killed does nothing: the transaction ends with its connection.
func (t *killedTx) Rollback() error { return t.life.step(t.inner.Rollback) }

// A process serves an office until it is killed.
type process struct {
	office  *office
	db      *sql.DB
	service *uploads.Service
	life    *life
}

// start starts a process, which cannot be killed yet. stop ends it with its connections.
func (o *office) start(t *testing.T) (p *process, stop func()) {
	t.Helper()
	p = &process{office: o, life: &life{}}
	inner := sqldriver.Driver(&sqlite.Driver{})
	if o.kind.dialect == sqlrecords.PostgreSQL {
		inner = stdlib.GetDefaultDriver()
	}
	p.db = sql.OpenDB(&killedConnector{inner, o.address, p.life})
	p.service = o.serve(t, p.db, uploads.Config{
		// A client sends its file, and the row is made in the same request.
		Stored: func(ctx context.Context, f *uploads.File) error {
			if f.Metadata["title"] == "" {
				return nil
			}
			return o.file(ctx, p.db, f.Metadata["title"], f)
		},
	}, driver.WithLayer(p.life.layer))
	return p, func() {
		_ = p.db.Close()
	}
}

// A killedStep is what a process does until it is killed.
type killedStep struct {
	name  string
	first func(t *testing.T, o *office) *uploads.File // what was there before
	run   func(ctx context.Context, p *process, f *uploads.File, title string) error
	// rows is the number of rows that run adds if nothing kills it.
	rows int
}

func newNothing(*testing.T, *office) *uploads.File { return nil }

func document(t *testing.T, o *office) *uploads.File {
	t.Helper()
	f := o.upload(t)
	require.NoError(t, o.file(t.Context(), o.db, "old", f))
	return f
}

var killedSteps = []killedStep{
	{
		name:  "a file is stored, and its row is made",
		first: newNothing,
		run: func(ctx context.Context, p *process, _ *uploads.File, title string) error {
			f, err := upload(ctx, p.service, title)
			if err != nil {
				return err
			}
			return p.office.file(ctx, p.db, title, f)
		},
		rows: 1,
	},
	{
		name:  "a file is stored, and Stored makes its row",
		first: newNothing,
		run: func(ctx context.Context, p *process, _ *uploads.File, title string) error {
			_, err := p.service.Store(ctx, uploads.Upload{
				Body:     strings.NewReader(title),
				Name:     "a.txt",
				User:     eva,
				Metadata: map[string]string{"title": title},
			})
			return err
		},
		rows: 1,
	},
	{
		name:  "a file is stored, and the transaction is rolled back",
		first: newNothing,
		run: func(ctx context.Context, p *process, _ *uploads.File, title string) error {
			f, err := upload(ctx, p.service, title)
			if err != nil {
				return err
			}
			tx, err := p.db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			err = p.office.insert(ctx, tx, title, f.ID)
			return errors.Join(err, tx.Rollback())
		},
	},
	{
		name:  "a document is deleted",
		first: document,
		run: func(ctx context.Context, p *process, f *uploads.File, _ string) error {
			err := inTx(ctx, p.db, func(tx *sql.Tx) (err error) {
				f, err = p.office.drop(ctx, tx, f.ID)
				return err
			})
			if err != nil {
				return err
			}
			return p.service.Remove(ctx, f)
		},
		rows: -1,
	},
	{
		name:  "the file of a document is replaced",
		first: document,
		run: func(ctx context.Context, p *process, old *uploads.File, title string) error {
			f, err := upload(ctx, p.service, title)
			if err != nil {
				return err
			}
			err = inTx(ctx, p.db, func(tx *sql.Tx) (err error) {
				if old, err = p.office.drop(ctx, tx, old.ID); err != nil {
					return err
				}
				return p.office.insert(ctx, tx, title, f.ID)
			})
			if err != nil {
				return err
			}
			return p.service.Remove(ctx, old)
		},
	},
	{
		name: "a file without a row is swept",
		first: func(t *testing.T, o *office) *uploads.File {
			t.Helper()
			f := o.upload(t)
			o.wait()
			return f
		},
		run: func(ctx context.Context, p *process, _ *uploads.File, _ string) error {
			_, err := p.service.Sweep(ctx)
			return err
		},
	},
}

// If a process is killed at any call to the bucket or the database, each row has its bytes. After one sweep, all
// bytes have a row.
func TestRowsOfAKilledProcess(t *testing.T) {
	runOnEachOffice(t, func(t *testing.T, o *office) {
		for _, j := range killedSteps {
			t.Run(j.name, func(t *testing.T) {
				killed := 0
				for _, afterCall := range []bool{false, true} {
					for end := 1; ; end++ {
						f := j.first(t, o)
						count := len(o.rows(t))
						title := fmt.Sprint(j.name, afterCall, end)
						p, stop := o.start(t)
						p.life.begin(end, afterCall)
						err := j.run(t.Context(), p, f, title)
						isOver := p.life.over()

						stop()
						o.checkRows(t)
						if !isOver {
							require.NoError(t, err)
						}
						if err == nil {
							require.Len(t, o.rows(t), count+j.rows, "it was acknowledged")
						}
						o.wait()
						o.sweep(t)
						o.checkAll(t)
						require.Equal(t, &uploads.SweepReport{}, o.sweep(t), "one sweep is enough")

						if !isOver {
							break
						}
						killed++
					}
				}
				require.Greater(t, killed, 8, "calls at which it was killed")
			})
		}
	})
}
