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
	killedCall int  // number of the last call; 0 for no end
	afterCall  bool // whether the last call is executed

	mu    sync.Mutex
	calls int
}

// call executes a call, if the process still lives. If the process is killed after the call, discard gets the result in
// place of the process.
func call[T any](l *life, execute func() (T, error), discard func(T)) (result T, err error) {
	l.mu.Lock()
	l.calls++
	isLast := l.calls == l.killedCall
	isDead := l.killedCall > 0 && l.calls > l.killedCall
	l.mu.Unlock()

	if isDead || isLast && !l.afterCall {
		return result, errDead
	}
	result, err = execute()
	if err != nil || !isLast {
		return result, err
	}
	discard(result)
	var none T
	return none, errDead
}

// callWithoutResult executes a call that returns only an error, if the process still lives.
func (l *life) callWithoutResult(execute func() error) error {
	_, err := call(l, func() (struct{}, error) { return struct{}{}, execute() }, func(struct{}) {})
	return err
}

// layer returns a driver that executes the calls to the bucket while the process lives.
func (l *life) layer(next driver.Driver) driver.Driver {
	return driver.Intercept(next, func(ctx context.Context, _ string, next func(context.Context) error) error {
		err := l.callWithoutResult(func() error { return next(ctx) })
		if err == errDead {
			return &storage.Error{Code: storage.Internal, Unknown: true, Err: errDead}
		}
		return err
	})
}

// killAtCall kills the process at its call with this number, counted from 1 from now on.
func (l *life) killAtCall(number int, afterCall bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.killedCall = number
	l.afterCall = afterCall
	l.calls = 0
}

// wasKilled reports whether the process has made the call at which it is killed.
func (l *life) wasKilled() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.killedCall > 0 && l.calls >= l.killedCall
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

// A killedConn is a connection of a process. Its methods do nothing after the kill of that process.
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

// A killedTx is a transaction of a process.
type killedTx struct {
	inner sqldriver.Tx
	life  *life
}

func (t *killedTx) Commit() error { return t.life.callWithoutResult(t.inner.Commit) }

// Rollback of a process that was killed does nothing: the transaction ends with its connection.
func (t *killedTx) Rollback() error { return t.life.callWithoutResult(t.inner.Rollback) }

// A process serves an application until it is killed.
type process struct {
	app     *application
	db      *sql.DB
	service *uploads.Service
	life    *life
}

// startProcess starts a process, which cannot be killed yet. stop ends it with its connections.
func (app *application) startProcess(t *testing.T) (p *process, stop func()) {
	t.Helper()
	p = &process{app: app, life: &life{}}
	inner := sqldriver.Driver(&sqlite.Driver{})
	if app.kind.dialect == sqlrecords.PostgreSQL {
		inner = stdlib.GetDefaultDriver()
	}
	p.db = sql.OpenDB(&killedConnector{inner, app.address, p.life})
	p.service = app.newService(t, p.db, uploads.Config{
		// A client sends its file, and the row is made in the same request.
		Stored: func(ctx context.Context, f *uploads.File) error {
			if f.Metadata["title"] == "" {
				return nil
			}
			return app.addDocument(ctx, p.db, f.Metadata["title"], f)
		},
	}, driver.WithLayer(p.life.layer))
	return p, func() {
		_ = p.db.Close()
	}
}

// A killedStep is what a process does until it is killed.
type killedStep struct {
	name string
	// prepare returns a file that run gets. It may be nil.
	prepare func(app *application, t *testing.T) *uploads.File
	// run is done by the process. title is that of a document that it may add.
	run func(ctx context.Context, p *process, f *uploads.File, title string) error
	// newDocuments is the number of documents that run adds if nothing kills it.
	newDocuments int
}

var killedSteps = []killedStep{
	{
		name: "a file is stored, and its row is made",
		run: func(ctx context.Context, p *process, _ *uploads.File, title string) error {
			f, err := upload(ctx, p.service, title)
			if err != nil {
				return err
			}
			return p.app.addDocument(ctx, p.db, title, f)
		},
		newDocuments: 1,
	},
	{
		name: "a file is stored, and Stored makes its row",
		run: func(ctx context.Context, p *process, _ *uploads.File, title string) error {
			_, err := p.service.Store(ctx, uploads.Upload{
				Body:     strings.NewReader(title),
				Name:     "a.txt",
				User:     eva,
				Metadata: map[string]string{"title": title},
			})
			return err
		},
		newDocuments: 1,
	},
	{
		name: "a file is stored, and the transaction is rolled back",
		run: func(ctx context.Context, p *process, _ *uploads.File, title string) error {
			f, err := upload(ctx, p.service, title)
			if err != nil {
				return err
			}
			tx, err := p.db.BeginTx(ctx, nil)
			if err != nil {
				return err
			}
			err = p.app.addDocumentIn(ctx, tx, title, f.ID)
			return errors.Join(err, tx.Rollback())
		},
	},
	{
		name:    "a document is deleted",
		prepare: (*application).uploadDocument,
		run: func(ctx context.Context, p *process, f *uploads.File, _ string) error {
			err := inTx(ctx, p.db, func(tx *sql.Tx) (err error) {
				f, err = p.app.removeDocumentIn(ctx, tx, f.ID)
				return err
			})
			if err != nil {
				return err
			}
			return p.service.Remove(ctx, f)
		},
		newDocuments: -1,
	},
	{
		name:    "the file of a document is replaced",
		prepare: (*application).uploadDocument,
		run: func(ctx context.Context, p *process, old *uploads.File, title string) error {
			f, err := upload(ctx, p.service, title)
			if err != nil {
				return err
			}
			err = inTx(ctx, p.db, func(tx *sql.Tx) (err error) {
				if old, err = p.app.removeDocumentIn(ctx, tx, old.ID); err != nil {
					return err
				}
				return p.app.addDocumentIn(ctx, tx, title, f.ID)
			})
			if err != nil {
				return err
			}
			return p.service.Remove(ctx, old)
		},
	},
	{
		name: "a file without a row is swept",
		prepare: func(app *application, t *testing.T) *uploads.File {
			t.Helper()
			f := app.uploadFile(t)
			app.waitUntilFilesExpire()
			return f
		},
		run: func(ctx context.Context, p *process, _ *uploads.File, _ string) error {
			_, err := p.service.Sweep(ctx)
			return err
		},
	},
}

// If a process is killed at any call to the bucket or the database, each document has its file. After one sweep, each
// file has a document.
func TestRowsOfAKilledProcess(t *testing.T) {
	runOnEachApplication(t, func(t *testing.T, app *application) {
		for _, step := range killedSteps {
			t.Run(step.name+", killed before a call", func(t *testing.T) {
				const afterCall = false
				killAtEachCall(t, app, step, afterCall)
			})
			t.Run(step.name+", killed after a call", func(t *testing.T) {
				const afterCall = true
				killAtEachCall(t, app, step, afterCall)
			})
		}
	})
}

// killAtEachCall runs a step by many processes. The first one is killed at its first call to the bucket or the database,
// the second one at its second call, and so on, until one makes fewer calls.
func killAtEachCall(t *testing.T, app *application, step killedStep, afterCall bool) {
	t.Helper()
	kills := 0
	for runKilledStep(t, app, step, kills+1, afterCall) {
		kills++
	}
	require.Greater(t, kills, 4, "each step has more calls")
}

// runKilledStep runs a step by a process that is killed at its call with this number. It checks the files and the
// documents afterwards. killed is false if the step has fewer calls.
func runKilledStep(t *testing.T, app *application, step killedStep, number int, afterCall bool) (killed bool) {
	t.Helper()
	var f *uploads.File
	if step.prepare != nil {
		f = step.prepare(app, t)
	}
	oldDocuments := len(app.filesOfDocuments(t))

	// A new process runs the step.
	p, stop := app.startProcess(t)
	p.life.killAtCall(number, afterCall)
	title := fmt.Sprint(step.name, afterCall, number)
	err := step.run(t.Context(), p, f, title)
	killed = p.life.wasKilled()
	stop()

	// Without a kill, the step succeeds. If a step has succeeded, even with a kill after its last change, its documents
	// exist.
	if !killed {
		require.NoError(t, err)
	}
	if err == nil {
		require.Len(t, app.filesOfDocuments(t), oldDocuments+step.newDocuments)
	}
	app.requireFilesOfDocuments(t)

	// One sweep removes all files without a document.
	app.waitUntilFilesExpire()
	app.sweep(t)
	app.requireNoOtherFiles(t)
	require.Equal(t, &uploads.SweepReport{}, app.sweep(t), "a second sweep has nothing to do")
	return killed
}
