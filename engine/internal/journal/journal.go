// Package journal records in a file how far a multipart upload has come, so that
// another process can resume it.
//
// A journal has one line of JSON for what was begun, for each part that the store has, and for
// the request to complete the object. If a killed process left a torn line, that line and all
// after it count as never written. A file that is not a journal is never changed. The first
// line is on the disk before the first part is sent, so that after a power failure no parts
// stay in the store that nobody knows of. Parts are not synced: a power failure loses only
// those that the file forgets.
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
	"strings"

	"github.com/omnibucket/storage/internal/durable"
	"github.com/omnibucket/storage/internal/filelock"
)

// A Journal is the record of one upload. If an upload is not recorded, its Journal is nil: Begun returns
// false, and MarkCompleting and Forget do nothing.
type Journal struct {
	path       string
	header     Header
	parts      map[int]Part // nil means none
	completing bool
	file       *os.File // locked; nil means that nothing was begun
}

// A Header is the first line.
type Header struct {
	Format                          int `json:"omnibucket upload"`
	Provider, Bucket, Location, Key string
	Request                         string // fingerprint of the request
	Upload                          string // the driver's name of the upload, which is a secret with GCS
	WriteID                         string
	PartSize                        int64  // bytes of the first part
	Layers                          string `json:",omitempty"` // requirements of the layers for parts
}

// A Part is a part that the store has.
type Part struct {
	Number int
	Tag    string // the store's tag
	Size   int64  // bytes
	CRC32C uint32
}

const (
	format = 1
	// magic is the text with which every journal begins.
	magic = `{"omnibucket upload":`
	// lineBytes bounds a line: keys, and the names of uploads and parts, are shorter.
	lineBytes = 64 << 10
)

// An entry is a line after the first one.
type entry struct {
	Part       *Part `json:",omitempty"`
	Completing bool  `json:",omitempty"`
}

// The errors of Open and Start.
var (
	ErrNotJournal = errors.New("the file is not one that WithResume has written")
	ErrInUse      = errors.New("another call is using the file")
)

// Open opens the journal at path and locks it against other calls. If there is no
// file, nothing was begun. The caller closes it.
func Open(path string) (*Journal, error) {
	j := &Journal{path: path}
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, ErrNotJournal
	}
	if j.file, err = os.OpenFile(path, os.O_RDWR, 0); err != nil {
		return nil, err
	}
	err = j.lock()
	if err == nil {
		err = j.read()
	}
	if err != nil {
		j.Close()
		return nil, err
	}
	return j, nil
}

// Begun reports whether an upload was begun and has not ended.
func (j *Journal) Begun() bool { return j != nil && j.header.Upload != "" }

// Header returns the first line; its zero value if nothing was begun.
func (j *Journal) Header() Header { return j.header }

// Part returns part number, if the store has it.
func (j *Journal) Part(number int) (part Part, found bool) {
	part, found = j.parts[number]
	return part, found
}

// Ignore makes the journal one in which nothing was begun. Start then overwrites the file.
func (j *Journal) Ignore() { j.header, j.parts, j.completing = Header{}, nil, false }

// lock excludes other calls. If another call has ended since the file was opened,
// it has removed the file that is locked here.
func (j *Journal) lock() error {
	if free, _ := filelock.Try(j.file); !free {
		return ErrInUse
	}
	locked, err := j.file.Stat()
	if err != nil {
		return err
	}
	there, err := os.Lstat(j.path)
	if err != nil || !os.SameFile(locked, there) {
		return ErrInUse
	}
	return nil
}

// read reads the whole lines, and leaves the file to be written after them.
func (j *Journal) read() error {
	lines := bufio.NewReaderSize(j.file, lineBytes)
	head, _ := lines.Peek(len(magic))
	if !strings.HasPrefix(magic, string(head)) { // the head may be the torn beginning of the first line
		return ErrNotJournal
	}
	whole := int64(0)
	for first := true; ; first = false {
		line, err := lines.ReadSlice('\n')
		if err == io.EOF || err == bufio.ErrBufferFull || err == nil && !j.parseLine(line, first) {
			break
		}
		if err != nil {
			return err
		}
		whole += int64(len(line))
	}
	if !j.Begun() {
		return nil // Start writes the whole file
	}
	if err := j.file.Truncate(whole); err != nil {
		return err
	}
	_, err := j.file.Seek(whole, io.SeekStart)
	return err
}

// parseLine reports whether the line is one of a journal.
func (j *Journal) parseLine(line []byte, first bool) bool {
	if first {
		var h Header
		if json.Unmarshal(line, &h) != nil || h.Format != format || h.Upload == "" || h.PartSize < 1 {
			return false
		}
		j.header = h
		return true
	}
	var e entry
	if json.Unmarshal(line, &e) != nil {
		return false
	}
	j.completing = j.completing || e.Completing
	if p := e.Part; p != nil && p.Number > 0 {
		if j.parts == nil {
			j.parts = map[int]Part{}
		}
		j.parts[p.Number] = *p
	}
	return true
}

// Start writes the first line over what the file held, and syncs it.
func (j *Journal) Start(h Header) error {
	if err := j.create(); err != nil {
		return err
	}
	h.Format = format
	j.header, j.parts, j.completing = h, nil, false
	if err := j.write(&j.header); err != nil {
		return err
	}
	if err := j.file.Sync(); err != nil {
		return err
	}
	return durable.SyncDir(filepath.Dir(j.path))
}

// create makes the file, or empties it: with GCS it will hold a secret.
func (j *Journal) create() error {
	if j.file != nil {
		if err := j.file.Truncate(0); err != nil {
			return err
		}
		if _, err := j.file.Seek(0, io.SeekStart); err != nil {
			return err
		}
		return j.file.Chmod(0o600)
	}
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

// write writes one line with one Write: parts are recorded concurrently.
func (j *Journal) write(line any) error {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(line); err != nil {
		return err
	}
	_, err := j.file.Write(b.Bytes())
	return err
}

// MarkCompleting records that the object may exist from now on. before reports whether that was
// recorded already. The record must survive a crash: without it, the next call would take its
// own object for another client's.
func (j *Journal) MarkCompleting() (before bool, err error) {
	if j == nil {
		return false, nil
	}
	before, j.completing = j.completing, true
	if err := j.write(entry{Completing: true}); err != nil {
		return before, err
	}
	return before, j.file.Sync()
}

// Close leaves the file for another call.
func (j *Journal) Close() {
	if j != nil && j.file != nil {
		_ = j.file.Close() // lines that it loses are recorded again
		j.file = nil
	}
}

// Forget removes the file, because the upload has ended.
func (j *Journal) Forget() error {
	if j == nil {
		return nil
	}
	j.Ignore()
	if j.file == nil {
		return nil
	}
	err := j.file.Truncate(0) // for other users of the file, and if an open file cannot be removed
	if !filelock.RemovesOpenFiles() {
		j.Close()
	}
	removed := os.Remove(j.path)
	if removed == nil { // if the file came back, a later upload would take its object for its own
		removed = durable.SyncDir(filepath.Dir(j.path))
	}
	if removed != nil && !errors.Is(removed, fs.ErrNotExist) {
		err = errors.Join(err, removed)
	}
	j.Close()
	return err
}
