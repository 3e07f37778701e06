package sqlite

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"modernc.org/sqlite/vfs"

	"github.com/omnibucket/storage"
)

// A session reads the object for one connection.
type session struct {
	reader  *storage.ReaderAt
	ctx     context.Context // context of the call in progress; otherwise context.Background
	readErr error           // error of a read during the last call
}

// callSQLite calls SQLite's driver, for example to run a query. All reads of the object during the call have the context
// ctx.
//
// SQLite does not report why a read failed, and may ignore the failure. So callSQLite adds the error of the read to that
// of the call. If the call has no error, callSQLite fails with that of the read.
func callSQLite[T any](ctx context.Context, s *session, call func() (T, error)) (result T, err error) {
	// SQLite calls the method ReadAt of the session, which uses ctx and sets readErr.
	s.ctx = ctx
	s.readErr = nil
	defer func() {
		// Reads outside of a call have no other context.
		s.ctx = context.Background()
	}()

	result, err = call()
	if s.readErr == nil {
		return result, err
	}
	if err != nil {
		return result, fmt.Errorf("%w: %w", err, s.readErr)
	}

	// SQLite has ignored the failed read, so the result may be wrong.
	if closer, ok := any(result).(io.Closer); ok {
		_ = closer.Close()
	}
	return result, s.readErr
}

// errReadFailed replaces each error of a read. The file system would treat an error that wraps io.EOF
// or io.ErrUnexpectedEOF, such as that of a lost connection, as the end of the file. SQLite would
// then read zeros.
var errReadFailed = errors.New("the read failed")

// ReadAt reads from the object with the context of the call in progress. It records an error for callSQLite, and
// returns errReadFailed to SQLite.
func (s *session) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.reader.ReadAtContext(s.ctx, p, off)
	if err == nil || err == io.EOF {
		return n, err
	}
	s.readErr = err
	return n, errReadFailed
}

// A file is the file that SQLite has opened to read the object. SQLite seeks before each read.
type file struct {
	*io.SectionReader
	info fs.FileInfo
}

func (f *file) Stat() (fs.FileInfo, error) { return f.info, nil }
func (*file) Close() error                 { return nil }

// registered registers the file system with SQLite, once in each process, and returns its name.
var registered = sync.OnceValues(func() (name string, err error) {
	name, _, err = vfs.New(sessions)
	return name, err
})

// sessions is the file system that SQLite uses. It has one file for each session.
var sessions = &sessionSet{byName: map[string]*session{}}

// A sessionSet is a file system with one file for each session.
type sessionSet struct {
	mu     sync.Mutex
	byName map[string]*session
}

// add adds a session and returns the name of its file. The name is random, so that SQL on another
// connection cannot attach the file.
func (set *sessionSet) add(s *session) (name string) {
	set.mu.Lock()
	defer set.mu.Unlock()
	name = rand.Text()
	set.byName[name] = s
	return name
}

// remove removes the session whose file has this name.
func (set *sessionSet) remove(name string) {
	set.mu.Lock()
	defer set.mu.Unlock()
	delete(set.byName, name)
}

// Open opens the file of a session. No other file exists, such as a journal.
func (set *sessionSet) Open(name string) (fs.File, error) {
	set.mu.Lock()
	defer set.mu.Unlock()

	s := set.byName[name]
	if s == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &file{
		SectionReader: io.NewSectionReader(s, 0, s.reader.Size()),
		info:          s.reader.Attrs().FileInfo(),
	}, nil
}
