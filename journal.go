package storage

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/omnibucket/storage/internal/durable"
)

// A journal keeps in a file, a line of JSON each, how far an upload in parts has
// come: what was begun, the parts that the store has, and that it was asked to
// make the object of them. A line that a killed process left torn, and what
// follows it, counts as never written; a file that is not a journal is never
// touched. What was begun is on the disk before the first part is sent, so that a
// power failure leaves no parts in the store that nobody knows of. Parts are not
// synced: a power failure costs those that it forgets, and no more.
type journal struct {
	path string
	begun
	parts      map[int]Part // nil: none
	completing bool
	file       *os.File // locked; nil: nothing is begun
	request    string   // fingerprint of this call's
}

// begun is the first line.
type begun struct {
	Format                          int `json:"omnibucket upload"`
	Provider, Bucket, Location, Key string
	Request                         string // fingerprint of what is uploaded
	Upload                          string // the driver's name for it: with GCS a secret
	WriteID                         string
	PartSize                        int64 // bytes of the first part
}

const (
	journalFormat = 1
	// journalMagic is what every journal begins with.
	journalMagic = `{"omnibucket upload":`
	// journalLine bounds a line, in bytes: keys, and what stores call their
	// uploads and parts, are shorter.
	journalLine = 64 << 10
)

// A journalEntry is a later line.
type journalEntry struct {
	Part       *Part `json:",omitempty"`
	Completing bool  `json:",omitempty"`
}

var (
	errNoJournal    = errors.New("the file is not one that WithResume has written")
	errJournalInUse = errors.New("another call is using the file")
)

// openJournal opens what is at path, for this call alone; where nothing is,
// nothing was begun. The caller closes it.
func openJournal(path string) (*journal, error) {
	j := &journal{path: path}
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNoJournal
	}
	if j.file, err = os.OpenFile(path, os.O_RDWR, 0); err != nil {
		return nil, err
	}
	err = j.lock()
	if err == nil {
		err = j.read()
	}
	if err != nil {
		j.close()
		return nil, err
	}
	return j, nil
}

// lock keeps other calls out. One that has ended meanwhile has removed the file
// that is locked now.
func (j *journal) lock() error {
	if !tryLock(j.file) {
		return errJournalInUse
	}
	locked, err := j.file.Stat()
	if err != nil {
		return err
	}
	there, err := os.Lstat(j.path)
	if err != nil || !os.SameFile(locked, there) {
		return errJournalInUse
	}
	return nil
}

// read reads the whole lines, and leaves the file to be written behind them.
func (j *journal) read() error {
	lines := bufio.NewReaderSize(j.file, journalLine)
	head, _ := lines.Peek(len(journalMagic))
	if !strings.HasPrefix(journalMagic, string(head)) { // a beginning of it is a torn one
		return errNoJournal
	}
	whole := int64(0)
	for first := true; ; first = false {
		line, err := lines.ReadSlice('\n')
		if err == io.EOF || err == bufio.ErrBufferFull || err == nil && !j.take(line, first) {
			break
		}
		if err != nil {
			return err
		}
		whole += int64(len(line))
	}
	if j.Upload == "" {
		return nil // start writes all of it
	}
	if err := j.file.Truncate(whole); err != nil {
		return err
	}
	_, err := j.file.Seek(whole, io.SeekStart)
	return err
}

// take reads a line; false where it is none of ours.
func (j *journal) take(line []byte, first bool) bool {
	if first {
		if json.Unmarshal(line, &j.begun) != nil || j.Format != journalFormat || j.Upload == "" || j.WriteID == "" || j.PartSize < 1 {
			j.begun = begun{}
			return false
		}
		return true
	}
	var e journalEntry
	if json.Unmarshal(line, &e) != nil {
		return false
	}
	j.completing = j.completing || e.Completing
	if p := e.Part; p != nil && p.Number > 0 && p.CRC32C != nil {
		if j.parts == nil {
			j.parts = map[int]Part{}
		}
		j.parts[p.Number] = *p
	}
	return true
}

// start writes the first line, over what was there.
func (j *journal) start(b begun) error {
	if j.file == nil {
		f, err := os.OpenFile(j.path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
		if errors.Is(err, fs.ErrExist) {
			return errJournalInUse
		}
		if err != nil {
			return err
		}
		j.file = f
		if err := j.lock(); err != nil {
			return err
		}
	} else if err := j.clear(); err != nil {
		return err
	}
	b.Format = journalFormat
	j.begun, j.parts, j.completing = b, nil, false
	if err := j.write(&j.begun); err != nil {
		return err
	}
	return j.sync()
}

// sync has the file and its name on the disk.
func (j *journal) sync() error {
	if err := j.file.Sync(); err != nil {
		return err
	}
	return durable.SyncDir(filepath.Dir(j.path))
}

// clear empties the file, which with GCS will hold a secret.
func (j *journal) clear() error {
	if err := j.file.Truncate(0); err != nil {
		return err
	}
	if _, err := j.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return j.file.Chmod(0o600)
}

// write is one line in one Write: parts are written side by side.
func (j *journal) write(line any) error {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(line); err != nil {
		return err
	}
	_, err := j.file.Write(b.Bytes())
	return err
}

// complete notes that the object may be there from now on. That has to outlive a
// crash: without it another's object would seem to have been there first.
func (j *journal) complete() error {
	j.completing = true
	if err := j.write(journalEntry{Completing: true}); err != nil {
		return err
	}
	return j.file.Sync()
}

// close leaves the file for another call.
func (j *journal) close() {
	if j.file != nil {
		_ = j.file.Close() // what it lost is sent again
		j.file = nil
	}
}

// forget removes the file: what was begun has ended.
func (j *journal) forget() error {
	j.begun, j.parts, j.completing = begun{}, nil, false
	if j.file == nil {
		return nil
	}
	err := j.file.Truncate(0) // for who has it open, and where an open file cannot be removed
	if !removesOpenFiles {
		j.close()
	}
	removed := os.Remove(j.path)
	if removed == nil { // a file that comes back would have a later upload take this one's object for its own
		removed = durable.SyncDir(filepath.Dir(j.path))
	}
	if removed != nil && !errors.Is(removed, fs.ErrNotExist) {
		err = errors.Join(err, removed)
	}
	j.close()
	return err
}
