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

// A session is the object as one connection reads it.
type session struct {
	reader *storage.ReaderAt
	ctx    context.Context // of the call in progress, if there is one
	failed error           // why a read of that call failed
}

// during makes a call of the driver, whose reads end with ctx. SQLite tells no more of a read
// that failed than that it did, so its error is added here.
func during[T any](ctx context.Context, s *session, call func() (T, error)) (result T, err error) {
	s.ctx, s.failed = ctx, nil
	defer func() { s.ctx = context.Background() }()
	result, err = call()
	switch {
	case s.failed == nil:
	case err != nil:
		err = fmt.Errorf("%w: %w", err, s.failed)
	default:
		if c, ok := any(result).(io.Closer); ok {
			_ = c.Close()
		}
		err = s.failed
	}
	return result, err
}

// errFailed is all that the file system learns: it takes an error that wraps io.EOF or
// io.ErrUnexpectedEOF, as that of a lost connection may, for the end of the file, and SQLite
// would read zeros.
var errFailed = errors.New("the read failed")

// ReadAt reads for the call in progress.
func (s *session) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.reader.ReadAtContext(s.ctx, p, off)
	if err != nil && err != io.EOF {
		s.failed, err = err, errFailed
	}
	return n, err
}

// A file is the object that SQLite has opened. SQLite seeks before each read.
type file struct {
	*io.SectionReader
	info fs.FileInfo
}

func (f *file) Stat() (fs.FileInfo, error) { return f.info, nil }
func (*file) Close() error                 { return nil }

// registered registers the file system with SQLite, once for the process.
var registered = sync.OnceValues(func() (name string, err error) {
	name, _, err = vfs.New(sessions)
	return name, err
})

// sessions is the file system: it has a file for each session.
var sessions = &sessionSet{byName: map[string]*session{}}

type sessionSet struct {
	mu     sync.Mutex
	byName map[string]*session
}

func (set *sessionSet) add(s *session) (name string) {
	set.mu.Lock()
	defer set.mu.Unlock()
	name = rand.Text() // SQL of another connection cannot attach it
	set.byName[name] = s
	return name
}

func (set *sessionSet) remove(name string) {
	set.mu.Lock()
	defer set.mu.Unlock()
	delete(set.byName, name)
}

// Open opens the file of a session. There are no journals.
func (set *sessionSet) Open(name string) (fs.File, error) {
	set.mu.Lock()
	defer set.mu.Unlock()
	s := set.byName[name]
	if s == nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &file{io.NewSectionReader(s, 0, s.reader.Size()), s.reader.Attrs().FileInfo()}, nil
}
