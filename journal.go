package storage

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
)

// A journal keeps in a file, a line of JSON each, how far an upload in parts has
// come: what was begun, the parts that the store has, and that it was asked to
// make the object of them. A line that a killed process left torn, and what
// follows it, counts as never written. Nothing is synced: a crash of the machine
// costs the parts that it forgets, and no more.
type journal struct {
	path string
	begun
	parts      map[int]Part // nil: none
	completing bool
	file       *os.File // to append to; nil: nothing is begun
	whole      int64    // bytes of whole lines that were read
}

// begun is the first line.
type begun struct {
	Provider, Bucket, Key string
	Request               string // fingerprint of what is uploaded
	Upload                string // the driver's name for it: with GCS a secret
	WriteID               string
	PartSize              int64 // bytes of the first part
}

// A journalEntry is a later line.
type journalEntry struct {
	Part       *Part `json:",omitempty"`
	Completing bool  `json:",omitempty"`
}

// readJournal reads what is at path; where nothing is, nothing was begun.
func readJournal(path string) (*journal, error) {
	j := &journal{path: path}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewReader(f)
	for first := true; ; first = false {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return j, nil
		}
		if err != nil {
			return nil, err
		}
		if !j.take(line, first) {
			return j, nil
		}
		j.whole += int64(len(line))
	}
}

// take reads a line; false where it is none of ours.
func (j *journal) take(line []byte, first bool) bool {
	if first {
		if json.Unmarshal(line, &j.begun) != nil || j.Upload == "" || j.WriteID == "" || j.PartSize < 1 {
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
		j.keep(*p)
	}
	return true
}

func (j *journal) keep(p Part) {
	if j.parts == nil {
		j.parts = map[int]Part{}
	}
	j.parts[p.Number] = p
}

// start writes the first line, over what was there.
func (j *journal) start(b begun) error {
	f, err := os.OpenFile(j.path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	j.begun, j.file, j.parts, j.completing = b, f, nil, false
	return j.write(&j.begun)
}

// goOn opens the file behind its last whole line.
func (j *journal) goOn() error {
	f, err := os.OpenFile(j.path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	j.file = f
	if err := f.Truncate(j.whole); err != nil {
		return err
	}
	_, err = f.Seek(j.whole, io.SeekStart)
	return err
}

// write is one line in one Write.
func (j *journal) write(line any) error {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(line); err != nil {
		return err
	}
	_, err := j.file.Write(b.Bytes())
	return err
}

// close leaves the file for another process.
func (j *journal) close() {
	if j.file != nil {
		_ = j.file.Close() // what it lost is sent again
		j.file = nil
	}
}

// forget removes the file: what was begun has ended.
func (j *journal) forget() error {
	j.close()
	j.begun, j.parts, j.completing = begun{}, nil, false
	if err := os.Remove(j.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
