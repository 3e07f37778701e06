// Package journal records the progress of a multipart upload in a file, so that another process can
// resume the upload.
//
// A journal is a file with one line of JSON for each event: the upload was begun, the store has a
// part, the object is being completed. If a killed process left an incomplete line, that line and
// all lines after it are ignored. A file that is not a journal is never changed.
//
// The first line is synced to the disk before the first part is sent. After a power failure, the
// journal thus names every upload that has parts in the store. Lines about parts are not synced:
// after a power failure, the parts that are missing in the file are sent again.
package journal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/omnibucket/storage/internal/localfile"
)

// A Journal is the record of one upload. An upload that is not recorded has a nil Journal: Begun
// returns false, and MarkCompleting and Forget do nothing.
type Journal struct {
	path       string
	header     Header
	parts      map[int]Part // parts by number; nil if there are none
	completing bool
	file       *os.File // locked; nil if there was no file and Start was not called
}

// A Header is the first line of a journal. It describes the upload.
type Header struct {
	Format                          int `json:"omnibucket upload"`
	Provider, Bucket, Location, Key string
	Request                         string // fingerprint of the call and its options
	Upload                          string // the driver's name of the upload; on GCS, it is a secret
	WriteID                         string
	PartSize                        int64  // bytes of the first part
	Layers                          string `json:",omitempty"` // what the layers of the bucket require of parts
}

// A Part describes a part that the store has received.
type Part struct {
	Number int
	Tag    string // the store's identifier of the part, such as its ETag
	Size   int64  // bytes
	CRC32C uint32
}

const (
	format = 1
	// magic is the text with which every journal begins.
	magic = `{"omnibucket upload":`
	// lineBytes is the largest size of a line in bytes. Keys, and the names of uploads and parts,
	// are shorter.
	lineBytes = 64 << 10
	// maxDigits is larger than the number of digits of any form.
	maxDigits = 9
)

// An entry is a line after the first one. It records a part, or the beginning of the completion.
type entry struct {
	Part       *Part `json:",omitempty"`
	Completing bool  `json:",omitempty"`
}

// The errors of Open and Start.
var (
	ErrNotJournal = errors.New("the file is not one that WithResume has written")
	ErrInUse      = errors.New("another call is using the file")
	ErrLater      = errors.New("a later version of this library has written the file")
)

// Open opens the journal at path and locks it against other calls, or returns an empty journal if
// there is no file. The caller must call Close.
func Open(path string) (*Journal, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &Journal{path: path}, nil
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, ErrNotJournal
	}

	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}

	// Without the lock, another call may write to the same file.
	j := &Journal{path: path, file: file}
	if err := j.lock(); err != nil {
		j.Close()
		return nil, err
	}
	if err := j.read(); err != nil {
		j.Close()
		return nil, err
	}
	return j, nil
}

// Begun reports whether the journal records an upload that was begun and has not ended.
func (j *Journal) Begun() bool { return j != nil && j.header.Upload != "" }

// Header returns the first line. If no upload was begun, it returns the zero value.
func (j *Journal) Header() Header { return j.header }

// Part returns the record of a part. found is false if the store is not known to have the part.
func (j *Journal) Part(number int) (part Part, found bool) {
	part, found = j.parts[number]
	return part, found
}

// Ignore discards what was read from the file. Start then overwrites the file.
func (j *Journal) Ignore() {
	j.header = Header{}
	j.parts = nil
	j.completing = false
}

// lock locks the file against other calls. It fails with ErrInUse if another call has the lock, or has
// ended meanwhile and removed the file.
func (j *Journal) lock() error {
	// Some file systems have no locks. The journal then works without one.
	free, _ := localfile.TryLock(j.file)
	if !free {
		return ErrInUse
	}

	// Another call may have removed the file after it was opened, and before it was locked here. The
	// path then names another file, or none.
	locked, err := j.file.Stat()
	if err != nil {
		return err
	}
	atPath, err := os.Lstat(j.path)
	if err != nil || !os.SameFile(locked, atPath) {
		return ErrInUse
	}
	return nil
}

// read reads all complete lines, and truncates the file after them, so that new lines are appended.
func (j *Journal) read() error {
	// If the file is shorter, Peek returns all of it with an error that does not matter.
	lines := bufio.NewReaderSize(j.file, lineBytes)
	beginning, _ := lines.Peek(len(magic))
	// A process that was killed may have written only the beginning of magic.
	isJournal := strings.HasPrefix(magic, string(beginning))
	if !isJournal {
		return ErrNotJournal
	}

	// The number of the format comes after magic.
	head, _ := lines.Peek(len(magic) + maxDigits)
	if isLater(head) {
		return ErrLater
	}

	size, err := j.readLines(lines)
	if err != nil {
		return err
	}
	if !j.Begun() {
		// The file has no complete first line, so Start will write the whole file.
		return nil
	}
	if err := j.file.Truncate(size); err != nil {
		return err
	}
	_, err = j.file.Seek(size, io.SeekStart)
	return err
}

// readLines adds the lines to the journal, up to the first incomplete or invalid one, and returns
// their size in bytes.
func (j *Journal) readLines(lines *bufio.Reader) (size int64, err error) {
	for isFirst := true; ; isFirst = false {
		line, err := lines.ReadSlice('\n')
		if err == io.EOF || err == bufio.ErrBufferFull {
			return size, nil
		}
		if err != nil {
			return size, err
		}
		if !j.parseLine(line, isFirst) {
			return size, nil
		}
		size += int64(len(line))
	}
}

// isLater reports whether the beginning of a journal has the number of a later format, whose rest
// need not be lines of JSON.
func isLater(head []byte) bool {
	rest, _ := strings.CutPrefix(string(head), magic)
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		// The number is cut off: the process was killed, or the number is very large.
		end = len(rest)
	}
	number, err := strconv.Atoi(rest[:end])
	return err == nil && number > format
}

// parseLine adds a line of the file to the journal, and reports whether the line is valid. The
// first line is the header, and each other line is an entry.
func (j *Journal) parseLine(line []byte, isFirst bool) bool {
	if isFirst {
		return j.parseHeader(line)
	}
	return j.parseEntry(line)
}

// parseHeader sets the header of the journal, and reports whether the line is a valid one.
func (j *Journal) parseHeader(line []byte) bool {
	var h Header
	if json.Unmarshal(line, &h) != nil || h.Format != format || h.Upload == "" || h.PartSize < 1 {
		return false
	}
	j.header = h
	return true
}

// parseEntry adds an entry to the journal: a part, or the note that the upload is completing. It reports
// whether the line is valid.
func (j *Journal) parseEntry(line []byte) bool {
	var event entry
	if json.Unmarshal(line, &event) != nil {
		return false
	}
	if event.Completing {
		j.completing = true
	}
	if part := event.Part; part != nil && part.Number > 0 {
		if j.parts == nil {
			j.parts = map[int]Part{}
		}
		j.parts[part.Number] = *part
	}
	return true
}

// Start records that an upload has begun, by overwriting the file with its first line and syncing it.
func (j *Journal) Start(h Header) error {
	if err := j.create(); err != nil {
		return err
	}
	h.Format = format
	j.header = h
	j.parts = nil
	j.completing = false
	if err := j.write(&j.header); err != nil {
		return err
	}
	if err := j.file.Sync(); err != nil {
		return err
	}
	return localfile.SyncDir(filepath.Dir(j.path))
}

// create creates or empties the file, which only the user may read, because on GCS the name of an
// upload is a secret.
func (j *Journal) create() error {
	if j.file != nil {
		// The file of an earlier call is open, so empty it.
		if err := j.file.Truncate(0); err != nil {
			return err
		}
		if _, err := j.file.Seek(0, io.SeekStart); err != nil {
			return err
		}
		return j.file.Chmod(0o600)
	}

	// O_EXCL refuses a file that another process has created meanwhile.
	f, err := os.OpenFile(j.path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return ErrInUse
	}
	if err != nil {
		return err
	}
	j.file = f
	return j.lock()
}

// RecordPart records a part that the store has. It may be called concurrently.
func (j *Journal) RecordPart(p Part) error {
	return j.write(entry{Part: &p})
}

// write appends one line of JSON by a single Write, so that concurrent calls do not mix their lines.
func (j *Journal) write(line any) error {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(line); err != nil {
		return err
	}
	_, err := j.file.Write(b.Bytes())
	return err
}

// MarkCompleting records that from now on, the object may be the work of this upload, and reports
// whether that was recorded before. The record is synced: if it were lost, a later call could report
// that another client has written the object.
func (j *Journal) MarkCompleting() (before bool, err error) {
	if j == nil {
		// The upload has no journal.
		return false, nil
	}
	before = j.completing
	j.completing = true
	if err := j.write(entry{Completing: true}); err != nil {
		return before, err
	}
	return before, j.file.Sync()
}

// Close closes and unlocks the file, from which another call can resume the upload.
func (j *Journal) Close() {
	if j != nil && j.file != nil {
		// If Close loses lines, their parts are sent again.
		_ = j.file.Close()
		j.file = nil
	}
}

// Forget removes the file after the end of the upload. It does nothing if there is no file.
func (j *Journal) Forget() error {
	if j == nil {
		return nil
	}

	j.Ignore()
	if j.file == nil {
		return nil
	}

	// If the file cannot be removed, or another process has it open, it must at least be empty.
	err := j.file.Truncate(0)
	// Elsewhere, the file stays open, and so locked, until it is removed.
	if !localfile.RemovesOpenFiles() {
		// On this system, only a closed file can be removed.
		j.Close()
	}

	removeErr := os.Remove(j.path)
	// Sync the directory, so that the file does not return after a power failure. A later upload would
	// then wrongly take the existing object for its own.
	if removeErr == nil {
		removeErr = localfile.SyncDir(filepath.Dir(j.path))
	}
	if removeErr != nil && !errors.Is(removeErr, fs.ErrNotExist) {
		err = errors.Join(err, removeErr)
	}
	j.Close()
	return err
}
