// Package partfile writes files under temporary names, so that a killed process leaves nothing for ever.
//
// A temporary file has a mark: a small file beside it, or in a directory above it, which its process holds locked
// until the file has its own name. A mark is known by its content, which has the mark's own name. A mark that
// nobody holds belongs to a dead process: the next job removes it, and the files that have its name and a number.
// Other files with similar names stay.
//
// A [Job] has one mark for all its small files. A [File] has a mark of its own, with everything that a later call
// needs to continue it: the object, its revision, and the checksum of each span that was written. Nothing is
// synced for that: a span counts only if the bytes in the file have its checksum.
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

	"github.com/omnibucket/storage/internal/durable"
	"github.com/omnibucket/storage/internal/filelock"
	"github.com/omnibucket/storage/internal/localfile"
)

const (
	format   = 1
	magic    = `{"omnibucket temporary files":`
	markMode = 0o600
	// lineBytes bounds a line.
	lineBytes = 64 << 10
	// unlockedAge is the age of a mark at which its process is taken for dead, if the file system has no locks.
	unlockedAge = 24 * time.Hour
)

// A Dir opens and renames files: an [os.Root], or [System].
type Dir interface {
	OpenFile(name string, flag int, mode os.FileMode) (*os.File, error)
	Lstat(name string) (os.FileInfo, error)
	Rename(from, to string) error
	Remove(name string) error
}

// System is the Dir of paths of the system.
type System struct{}

// OpenFile is [os.OpenFile].
func (System) OpenFile(name string, flag int, mode os.FileMode) (*os.File, error) {
	return os.OpenFile(name, flag, mode)
}

// Lstat is [os.Lstat].
func (System) Lstat(name string) (os.FileInfo, error) { return os.Lstat(name) }

// Rename is [os.Rename].
func (System) Rename(from, to string) error { return os.Rename(from, to) }

// Remove is [os.Remove].
func (System) Remove(name string) error { return os.Remove(name) }

// A header is the first line of a mark.
type header struct {
	Format int    `json:"omnibucket temporary files"`
	Name   string // name of the mark
	Target string `json:",omitempty"` // the file that the temporary one becomes; "" for the mark of a job
	Object
}

// An Object identifies the object that is downloaded.
type Object struct {
	Source   string  `json:",omitempty"` // the bucket and the key
	Revision string  `json:",omitempty"`
	Size     int64   `json:",omitempty"` // bytes
	CRC32C   *uint32 `json:",omitempty"` // nil if it is not known
}

// A mark is an open mark that this process has locked.
type mark struct {
	dir    Dir
	path   string
	file   *os.File
	header header
	spans  []span
}

// nameFor returns the name of the mark for a file. The next call for the file uses the same
// name.
func nameFor(target string) string {
	sum := sha256.Sum256([]byte(filepath.Base(target)))
	return durable.TempPrefix + hex.EncodeToString(sum[:8])
}

var errForeign = errors.New("the file is not a mark, or its process is alive")

// createMark makes and locks a mark. It fails with [os.ErrExist] if the file exists, unless it is empty: then a
// process was killed after it had just made it.
func createMark(dir Dir, path string, h header) (*mark, error) {
	f, err := dir.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, markMode)
	created := err == nil
	if errors.Is(err, os.ErrExist) {
		f, err = openOwn(dir, path)
	}
	if err != nil {
		return nil, err
	}
	m := &mark{dir: dir, path: path, file: f}
	free, _ := filelock.Try(f)
	switch {
	case !free || !created && !m.isEmpty():
		m.close()
		return nil, os.ErrExist
	case created && !m.isThere(): // a sweep took the mark for that of a dead process, before it was locked
		m.close()
		return createMark(dir, path, h)
	}
	return m, m.begin(h)
}

// removeEmpty removes a mark into which a dead process has not written yet: it has no byte, and the mode of a mark. A
// process that lives makes its mark again.
func removeEmpty(dir Dir, path string) {
	f, err := openOwn(dir, path)
	if err != nil {
		return
	}
	m := &mark{dir: dir, path: path, file: f}
	free, certain := filelock.Try(f)
	info, err := f.Stat()
	if err == nil && free && m.isEmpty() && info.Mode().Perm() == markMode &&
		(certain || time.Since(info.ModTime()) > unlockedAge) {
		m.remove()
		return
	}
	m.close()
}

// isEmpty reports whether the file is empty and still has its name.
func (m *mark) isEmpty() bool {
	info, err := m.file.Stat()
	return err == nil && info.Size() == 0 && m.isThere()
}

// openOwn opens a file that only this user can have made, and that has no other name.
func openOwn(dir Dir, path string) (*os.File, error) {
	info, err := dir.Lstat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || !ownedAlone(info):
		return nil, errForeign
	}
	f, err := dir.OpenFile(path, os.O_RDWR|localfile.Nonblocking, 0)
	if err != nil {
		return nil, err
	}
	opened, err := f.Stat()
	if err != nil || !os.SameFile(info, opened) || !ownedAlone(opened) {
		_ = f.Close()
		return nil, errForeign
	}
	return f, nil
}

// openDead opens and locks the mark of a dead process.
func openDead(dir Dir, path string) (*mark, error) {
	f, err := openOwn(dir, path)
	if err != nil {
		return nil, err
	}
	m := &mark{dir: dir, path: path, file: f}
	err = m.read()
	if err == nil && !m.locksDead() {
		err = errForeign
	}
	if err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

// locksDead locks the mark, unless its process is alive.
func (m *mark) locksDead() bool {
	free, certain := filelock.Try(m.file)
	if !free || !m.isThere() || m.read() != nil { // it may have changed until it was locked
		return false
	}
	info, err := m.file.Stat()
	return certain || err == nil && time.Since(info.ModTime()) > unlockedAge
}

// isThere reports whether the open file still has its name.
func (m *mark) isThere() bool {
	opened, err := m.file.Stat()
	there, failed := m.dir.Lstat(m.path)
	return err == nil && failed == nil && os.SameFile(opened, there)
}

// read reads the whole lines of a mark, and leaves the file to be written after them.
func (m *mark) read() error {
	if _, err := m.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	lines := bufio.NewReaderSize(m.file, lineBytes)
	if head, _ := lines.Peek(len(magic)); string(head) != magic {
		return errForeign
	}
	line, err := lines.ReadSlice('\n')
	m.header, m.spans = header{}, nil
	if err != nil || json.Unmarshal(line, &m.header) != nil || m.header.Format != format ||
		m.header.Name != filepath.Base(m.path) {
		return errForeign
	}
	whole := int64(len(line))
	for {
		line, err := lines.ReadSlice('\n')
		var s spanLine
		if err != nil || json.Unmarshal(line, &s) != nil {
			break
		}
		m.spans = append(m.spans, span{s.Offset, s.Offset + s.Length, s.CRC32C})
		whole += int64(len(line))
	}
	_, err = m.file.Seek(whole, io.SeekStart)
	return err
}

// begin writes the first line of an empty mark.
func (m *mark) begin(h header) error {
	h.Format, h.Name = format, filepath.Base(m.path)
	m.header, m.spans = h, nil
	return m.write(h)
}

// restart writes the first line over what the mark held.
func (m *mark) restart(h header) error {
	err := m.file.Truncate(0)
	if err == nil {
		_, err = m.file.Seek(0, io.SeekStart)
	}
	if err == nil {
		err = m.begin(h)
	}
	return err
}

// write writes lines with one Write.
func (m *mark) write(lines ...any) error {
	var b bytes.Buffer
	for _, line := range lines {
		if err := json.NewEncoder(&b).Encode(line); err != nil {
			return err
		}
	}
	_, err := m.file.Write(b.Bytes())
	return err
}

// close leaves the mark for another call.
func (m *mark) close() {
	if m != nil {
		_ = m.file.Close()
	}
}

// remove removes the mark. Its files must be gone.
func (m *mark) remove() {
	if m == nil {
		return
	}
	if !filelock.RemovesOpenFiles() {
		m.close()
	}
	_ = m.dir.Remove(m.path) // if the mark stays, the next job removes it
	m.close()
}

// dataPath returns the path of the file number n of a mark in a directory.
func dataPath(dir, markName, n string) string { return filepath.Join(dir, markName+"-"+n) }

// markOf returns the name of the mark of a temporary file.
func markOf(name string) string {
	digits, _, _ := strings.Cut(strings.TrimPrefix(name, durable.TempPrefix), "-")
	return durable.TempPrefix + digits
}

// IsMark reports whether a name may be that of a mark.
func IsMark(name string) bool { return durable.IsTempName(name) && markOf(name) == name }
