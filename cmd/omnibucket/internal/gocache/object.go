package gocache

import (
	"io"
	"os"
	"sync"
	"time"
)

// An objectBody is the content of an object: the line of an entry, and then a file.
type objectBody struct {
	line     string
	file     *os.File
	progress func() // is called when bytes were read
}

// openObject returns the content of the object for an entry: the line of the entry, and then the file with its output.
func openObject(e entry, path string, progress func()) (*objectBody, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return &objectBody{line: e.line(), file: f, progress: progress}, nil
}

// ReadAt implements [io.ReaderAt] for the line, which comes first, and the file.
func (b *objectBody) ReadAt(p []byte, offset int64) (n int, err error) {
	// A read shows that the upload moves on.
	b.progress()

	if offset < int64(len(b.line)) {
		n = copy(p, b.line[offset:])
	}
	if n == len(p) {
		return n, nil
	}

	fileBytes, err := b.file.ReadAt(p[n:], offset+int64(n)-int64(len(b.line)))
	return n + fileBytes, err
}

// A timeLimit ends a download that is slow. Each byte that arrives extends the time.
type timeLimit struct {
	start    time.Time
	patience time.Duration
	expire   func()

	mu       sync.Mutex
	timer    *time.Timer
	received int64
}

// startTimer starts the timer, for the first bytes.
func (l *timeLimit) startTimer() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer = time.AfterFunc(l.patience, l.expire)
}

func (l *timeLimit) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer.Stop()
}

// Write counts the bytes of a body that arrive, and sets the timer for the next ones. A body may be silent, or slower
// than expected, for as long as there is patience.
func (l *timeLimit) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.received += int64(len(p))

	// If the body is late, it has less time until its next byte.
	lateness := time.Since(l.start) - usualWait - bodyTime(l.received)
	if l.timer.Stop() {
		l.timer.Reset(l.patience - max(lateness, 0))
	}
	return len(p), nil
}

var _ io.ReaderAt = (*objectBody)(nil)
