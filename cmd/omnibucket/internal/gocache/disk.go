package gocache

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
	"unicode/utf8"
)

// These are the times of the go command's own cache.
const (
	// touchInterval is how old the time of a file must be before a use of the file sets it.
	touchInterval = time.Hour
	trimInterval  = 24 * time.Hour
	// maxUnused is for how long a file stays without a use.
	maxUnused = 5 * 24 * time.Hour
)

// diskFolder is the folder of a directory in which all files of the cache are. Only they are trimmed.
const diskFolder = "omnibucket-gocache-v1"

// A disk is a directory with outputs and an index. Several processes may use it at once. Each file
// appears whole, by a rename.
type disk struct {
	dir string // absolute path
}

// openDisk opens the directory of a cache, and creates it if it is missing.
func openDisk(dir string) (*disk, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if !utf8.ValidString(dir) {
		// Paths are sent to the go command as JSON.
		return nil, &fs.PathError{Op: "open", Path: dir, Err: errors.New("the path is not UTF-8")}
	}

	d := &disk{dir: filepath.Join(dir, diskFolder)}
	if err := os.MkdirAll(d.temporary(), 0o700); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *disk) temporary() string { return filepath.Join(d.dir, "tmp") }

// The kinds of files have the names that they have in the go command's own cache.
const (
	indexKind  = "a" // the entry of an action
	outputKind = "d" // an output
)

func (d *disk) indexPath(action id) string  { return d.path(indexKind, action) }
func (d *disk) outputPath(output id) string { return d.path(outputKind, output) }

// path returns the path of a file, in one of 256 folders for each kind.
func (d *disk) path(kind string, name id) string {
	text := hex.EncodeToString(name[:])
	return filepath.Join(d.dir, kind, text[:2], text)
}

// lookup returns the entry of an action and the path of its output, and marks both files as used, so that trim keeps
// them. ok is false if the directory does not have both.
func (d *disk) lookup(action id) (e entry, path string, ok bool) {
	index := d.indexPath(action)
	e, err := readIndex(index, action)
	if err != nil {
		return entry{}, "", false
	}

	path = d.outputPath(e.output)
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() != e.size {
		return entry{}, "", false
	}

	touch(path, info)
	if indexInfo, err := os.Stat(index); err == nil {
		touch(index, indexInfo)
	}
	return e, path, true
}

// readIndex reads the entry of an action from its file in the index.
func readIndex(index string, action id) (entry, error) {
	f, err := os.Open(index)
	if err != nil {
		return entry{}, err
	}

	// One byte more than the longest entry is read, so that parseEntry refuses a longer line.
	line, err := io.ReadAll(io.LimitReader(f, maxEntryLine+1))
	_ = f.Close()
	if err != nil {
		return entry{}, err
	}
	return parseEntry(string(line), action)
}

// touch records a use of a file, for trim, in the file's modification time.
func touch(path string, info fs.FileInfo) {
	now := time.Now()
	if now.Sub(info.ModTime()) >= touchInterval {
		_ = os.Chtimes(path, now, now)
	}
}

// A newOutput is a temporary file that becomes an output.
type newOutput struct {
	file *os.File
	buf  *bufio.Writer
	sum  hash.Hash
	size int64
}

// create creates a temporary file for a new output.
func (d *disk) create() (*newOutput, error) {
	const bufferSize = 64 << 10
	f, err := os.CreateTemp(d.temporary(), "new-*")
	if err != nil {
		return nil, err
	}
	return &newOutput{file: f, buf: bufio.NewWriterSize(f, bufferSize), sum: sha256.New()}, nil
}

// Write implements io.Writer. It counts and hashes the content of the output.
func (o *newOutput) Write(p []byte) (int, error) {
	n, err := o.buf.Write(p)
	o.sum.Write(p[:n])
	o.size += int64(n)
	return n, err
}

// hash returns the hash of what was written.
func (o *newOutput) hash() id { return id(o.sum.Sum(nil)) }

// discard removes the temporary file.
func (o *newOutput) discard() {
	_ = o.file.Close()
	_ = os.Remove(o.file.Name())
}

// install stores a new output and its entry, and returns the path of the output.
func (d *disk) install(o *newOutput, e entry) (string, error) {
	path, err := d.place(o)
	if err != nil {
		return "", err
	}
	d.writeIndex(e)
	return path, nil
}

// place moves the temporary file of an output to the path for its content, and returns that path.
func (d *disk) place(o *newOutput) (string, error) {
	err := errors.Join(o.buf.Flush(), o.file.Close())
	if err != nil {
		_ = os.Remove(o.file.Name())
		return "", err
	}

	path := d.outputPath(o.hash())
	err = rename(o.file.Name(), path)
	if err == nil {
		return path, nil
	}
	_ = os.Remove(o.file.Name())
	// On Windows, a file that another process has open cannot be replaced. That is no failure if the file already has
	// this content.
	if hasContent(path, o.hash()) {
		return path, nil
	}
	return "", err
}

// writeIndex stores an entry in the index, in which lookup finds it. If that fails, the entry from before stays, if
// there is one.
func (d *disk) writeIndex(e entry) {
	f, err := os.CreateTemp(d.temporary(), "index-*")
	if err != nil {
		return
	}

	_, err = f.WriteString(e.line())
	err = errors.Join(err, f.Close())
	if err == nil {
		err = rename(f.Name(), d.indexPath(e.action))
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
}

// rename renames a file, and creates the directory of the new path if it is missing.
func rename(src, dst string) error {
	err := os.Rename(src, dst)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dst), 0o700); err != nil {
		return err
	}
	return os.Rename(src, dst)
}

// hasContent reports whether the content of a file has this hash.
func hasContent(path string, hash id) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()

	sum := sha256.New()
	_, err = io.Copy(sum, f)
	return err == nil && id(sum.Sum(nil)) == hash
}

// isRecentMark reports whether a trim has written the file mark in the last trimInterval.
func isRecentMark(mark string, now time.Time) bool {
	info, err := os.Stat(mark)
	if err != nil {
		return false
	}
	// A time far in the future comes from a wrong clock, and must not prevent all trims.
	age := now.Sub(info.ModTime())
	return -touchInterval < age && age < trimInterval
}

// trim removes files that were not used for maxUnused, and temporary files of killed processes, unless any process has
// done so in the last trimInterval.
func (d *disk) trim() {
	// The time of this file is that of the last trim.
	mark := filepath.Join(d.dir, "trimmed")
	now := time.Now()
	if isRecentMark(mark, now) {
		return
	}
	if err := os.WriteFile(mark, nil, 0o600); err != nil {
		return
	}
	_ = os.Chtimes(mark, now, now)

	// A temporary file of this age is that of a killed process.
	removeUnused(d.temporary(), now.Add(-trimInterval))

	// The time of a file may be earlier than its last use, by touchInterval.
	oldest := now.Add(-maxUnused - touchInterval)
	for _, kind := range []string{indexKind, outputKind} {
		for firstByte := range 256 {
			// The files are in folders for the first byte of their ids.
			removeUnused(filepath.Join(d.dir, kind, fmt.Sprintf("%02x", firstByte)), oldest)
		}
	}
}

// removeUnused removes the files of a directory whose modification time is before limit. It ignores all errors.
func removeUnused(dir string, limit time.Time) {
	// If the directory cannot be read to its end, files has what could be read.
	files, _ := os.ReadDir(dir)
	for _, file := range files {
		info, err := file.Info()
		if err == nil && info.Mode().IsRegular() && info.ModTime().Before(limit) {
			_ = os.Remove(filepath.Join(dir, file.Name()))
		}
	}
}
