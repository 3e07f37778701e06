// Package partfile writes files under temporary names. If the process is killed, a later job finds
// and removes these files, or continues them.
//
// Each temporary file has a mark. A mark is a small file in the same directory or in a directory
// above it. The process keeps the mark locked until the file has its final name. A mark without a
// lock belongs to a dead process. The next job removes it, together with the files whose names are
// the name of the mark, a hyphen and a number. The content of a mark includes its own name, so that
// another file with a similar name is never taken for a mark.
//
// A [Job] has one mark for all its small files. A [File] has its own mark, with everything that a
// later call needs to continue it: the object, its revision, and the checksum of each span that was
// written. The mark need not be synced, because a span is used only if its checksum matches the
// bytes in the file.
package partfile

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/omnibucket/storage/internal/localfile"
)

const (
	format   = 1
	magic    = `{"omnibucket temporary files":`
	markMode = 0o600
	// lineBytes is the largest length of a line in a mark.
	lineBytes = 64 << 10
	// unlockedAge is for file systems without locks. A mark is a file that a process keeps with its
	// temporary files. If a mark was last written more than unlockedAge ago, its process is dead.
	unlockedAge = 24 * time.Hour
)

// A Dir has the file operations that this package needs. [os.Root] and [System] implement it.
type Dir interface {
	OpenFile(name string, flag int, mode os.FileMode) (*os.File, error)
	Lstat(name string) (os.FileInfo, error)
	Rename(from, to string) error
	Remove(name string) error
}

// A System is a [Dir] whose names are ordinary paths of the operating system.
type System struct{}

// OpenFile is [os.OpenFile].
func (System) OpenFile(name string, flag int, mode os.FileMode) (*os.File, error) {
	return os.OpenFile(name, flag, mode)
}

// Lstat is [os.Lstat].
func (System) Lstat(name string) (os.FileInfo, error) { return os.Lstat(name) }

// Rename is [os.Rename].
func (System) Rename(src, dst string) error { return os.Rename(src, dst) }

// Remove is [os.Remove].
func (System) Remove(name string) error { return os.Remove(name) }

// A header is the JSON of the first line of a mark.
type header struct {
	Format int    `json:"omnibucket temporary files"`
	Name   string // base name of the file that begins with this header
	Target string `json:",omitempty"` // final name of the temporary file; "" for the mark of a job
	Object
}

// An Object identifies the object that a [File] is a download of.
type Object struct {
	Source   string  `json:",omitempty"` // bucket and key
	Revision string  `json:",omitempty"`
	Size     int64   `json:",omitempty"` // bytes
	CRC32C   *uint32 `json:",omitempty"` // nil if unknown
}

// A mark is a small file that describes the temporary files of one process. That process keeps the
// mark open and locked until its temporary files have their final names.
type mark struct {
	dir    Dir
	path   string
	file   *os.File
	header header
	spans  []span
}

// nameFor returns the name of the mark file of a target, which is always the same.
func nameFor(target string) string {
	sum := sha256.Sum256([]byte(filepath.Base(target)))
	return localfile.TempPrefix + hex.EncodeToString(sum[:8])
}

var errForeign = errors.New("the file is not a mark, or its process is alive")

// createMark creates and locks a mark, or takes over an empty file of a process that was killed
// right after it had created its mark.
//
// It fails with [os.ErrExist] if the file has any content.
func createMark(dir Dir, path string, h header) (*mark, error) {
	f, err := dir.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, markMode)
	isNew := err == nil
	if errors.Is(err, os.ErrExist) {
		f, err = openOwn(dir, path)
	}
	if err != nil {
		return nil, err
	}

	// An existing file may become the mark only if it is empty and no other process has locked it.
	m := &mark{dir: dir, path: path, file: f}
	isFree, _ := localfile.TryLock(f)
	mayUse := isFree && (isNew || m.isEmpty())
	if !mayUse {
		m.close()
		return nil, os.ErrExist
	}
	if isNew && !m.isInPlace() {
		// Another process removed the new file before this call locked it.
		m.close()
		return createMark(dir, path, h)
	}
	if err := m.begin(h); err != nil {
		m.remove()
		return nil, err
	}
	return m, nil
}

// removeEmpty removes the empty mark file, with the mode markMode, that a dead process has left at
// path. A live process that has created the file but not yet locked it notices the removal, and
// creates a new one.
func removeEmpty(dir Dir, path string) {
	f, err := openOwn(dir, path)
	if err != nil {
		return
	}

	m := &mark{dir: dir, path: path, file: f}
	if m.isAbandonedEmpty() {
		m.remove()
		return
	}
	m.close()
}

// isAbandonedEmpty locks the file, and reports whether it is the empty mark of a dead process.
func (m *mark) isAbandonedEmpty() bool {
	isFree, hasLocks := localfile.TryLock(m.file)
	info, err := m.file.Stat()
	if err != nil || !isFree {
		return false
	}

	// Without locks, only the age of the file shows that the process is dead.
	isDead := hasLocks || time.Since(info.ModTime()) > unlockedAge
	return isDead && m.isEmpty() && info.Mode().Perm() == markMode
}

// isEmpty reports whether the open file of m is empty and m.path still names this file.
func (m *mark) isEmpty() bool {
	info, err := m.file.Stat()
	return err == nil && info.Size() == 0 && m.isInPlace()
}

// openOwn opens a regular file that belongs to this user and has only one name. For any other file,
// which a different user may have made, it fails with errForeign.
func openOwn(dir Dir, path string) (*os.File, error) {
	info, err := dir.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || !isOwnedAlone(info) {
		return nil, errForeign
	}

	f, err := dir.OpenFile(path, os.O_RDWR|localfile.Nonblocking, 0)
	if err != nil {
		return nil, err
	}

	// Another file may have got the path since the first check.
	fileInfo, err := f.Stat()
	isChecked := err == nil && os.SameFile(info, fileInfo) && isOwnedAlone(fileInfo)
	if !isChecked {
		_ = f.Close()
		return nil, errForeign
	}
	return f, nil
}

// openDead opens and locks the mark of a dead process. It fails if the process is alive, or if the
// file is no mark.
func openDead(dir Dir, path string) (*mark, error) {
	f, err := openOwn(dir, path)
	if err != nil {
		return nil, err
	}

	m := &mark{dir: dir, path: path, file: f}
	if err := m.read(); err != nil {
		m.close()
		return nil, err
	}
	if !m.lockIfDead() {
		m.close()
		return nil, errForeign
	}
	return m, nil
}

// lockIfDead locks the mark file, and reports whether the process that wrote it is dead. If it returns
// false, the file may be locked nevertheless, and the caller must close it to end the lock.
func (m *mark) lockIfDead() bool {
	isFree, hasLocks := localfile.TryLock(m.file)
	if !isFree || !m.isInPlace() {
		// The process is alive, or another file has the path by now.
		return false
	}

	// The mark may have changed before the lock, so read it again.
	if err := m.read(); err != nil {
		return false
	}
	if hasLocks {
		// A process that is alive would have locked the file.
		return true
	}

	// Without locks, only the age of the last write shows that the process is dead.
	info, err := m.file.Stat()
	return err == nil && time.Since(info.ModTime()) > unlockedAge
}

// isInPlace reports whether the path of the mark still leads to the open file.
func (m *mark) isInPlace() bool {
	info, err := m.file.Stat()
	current, failure := m.dir.Lstat(m.path)
	return err == nil && failure == nil && os.SameFile(info, current)
}

// read reads the header and all complete lines of the mark file. The next call of write continues
// after them.
func (m *mark) read() error {
	m.header = header{}
	m.spans = nil
	if _, err := m.file.Seek(0, io.SeekStart); err != nil {
		return err
	}

	// The first line is the header, which begins with the magic number. If the file is shorter, Peek returns
	// all of it, which differs from the magic number.
	lines := bufio.NewReaderSize(m.file, lineBytes)
	start, _ := lines.Peek(len(magic))
	if string(start) != magic {
		return errForeign
	}
	line, err := lines.ReadSlice('\n')
	if err != nil {
		return errForeign
	}
	if err := json.Unmarshal(line, &m.header); err != nil {
		return errForeign
	}
	if m.header.Format != format || m.header.Name != filepath.Base(m.path) {
		return errForeign
	}

	// Each further line is a span. A line that is incomplete or malformed was not written to its end, and ends
	// the loop.
	size := int64(len(line))
	for {
		line, err := lines.ReadSlice('\n')
		if err != nil {
			break
		}
		var s spanLine
		if err := json.Unmarshal(line, &s); err != nil {
			break
		}
		m.spans = append(m.spans, span{
			offset: s.Offset,
			end:    s.Offset + s.Length,
			crc:    s.CRC32C,
		})
		size += int64(len(line))
	}

	// The next write begins after the last complete line, and overwrites what follows.
	_, err = m.file.Seek(size, io.SeekStart)
	return err
}

// begin writes the header h as the first line of the mark file, which must be empty.
func (m *mark) begin(h header) error {
	h.Format = format
	h.Name = filepath.Base(m.path)
	m.header = h
	m.spans = nil
	return m.write(h)
}

// restart replaces all lines of the mark by the header h.
func (m *mark) restart(h header) error {
	if err := m.file.Truncate(0); err != nil {
		return err
	}
	if _, err := m.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return m.begin(h)
}

// write appends lines to the mark file with one call of Write, so that a crash rarely leaves an
// incomplete line.
func (m *mark) write(lines ...any) error {
	var buf bytes.Buffer
	for _, line := range lines {
		if err := json.NewEncoder(&buf).Encode(line); err != nil {
			return err
		}
	}
	_, err := m.file.Write(buf.Bytes())
	return err
}

// close closes the mark file, if m is not nil, and leaves it on the disk for a later call.
func (m *mark) close() {
	if m != nil {
		_ = m.file.Close()
	}
}

// remove closes and removes the mark file. The temporary files that it describes must be renamed or
// removed before.
func (m *mark) remove() {
	if m == nil {
		return
	}
	if !localfile.RemovesOpenFiles() {
		m.close()
	}
	// If this fails, a later job removes the file.
	_ = m.dir.Remove(m.path)
	m.close()
}

// dataPath returns the path of a temporary file in dir. The name of the temporary file is the name
// of its mark file, a hyphen and the number n.
func dataPath(dir, markName, n string) string { return filepath.Join(dir, markName+"-"+n) }

// filePath returns the path of the temporary file of a [File], the only one that its mark describes.
func (m *mark) filePath() string { return dataPath(filepath.Dir(m.path), filepath.Base(m.path), "0") }

// markOf returns the name of the mark that belongs to a temporary file. name is the name of the
// temporary file.
func markOf(name string) string {
	digits, _, _ := strings.Cut(strings.TrimPrefix(name, localfile.TempPrefix), "-")
	return localfile.TempPrefix + digits
}

// IsMark reports whether name has the form of the name of a mark file, which describes temporary
// files.
func IsMark(name string) bool { return localfile.IsTempName(name) && markOf(name) == name }
