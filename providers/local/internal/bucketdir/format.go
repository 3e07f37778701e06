package bucketdir

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/omnibucket/storage"
)

// A Format describes the behavior of the disk at the first write to the bucket. It is stored, so
// that the meaning of names never changes.
type Format struct {
	Strict bool `json:"strictNames"` // true if the disk folds case; see Names
	Coarse bool `json:"coarseTimes"` // true if file times are too coarse for revisions
}

// ReadFormat reads the format. If the bucket was never written, or if the format was lost, it
// returns false, and the next write probes the disk again.
func (t *Tree) ReadFormat() (bool, error) {
	var f Format
	ok, err := t.ReadDocument(formatPath, &f)
	if ok {
		t.applyFormat(f)
	}
	return ok, err
}

// Initialize creates the reserved directory and probes the disk. Several processes may call
// Initialize at the same time, with the same result.
func (t *Tree) Initialize() error {
	if ok, err := t.IsInitialized(); ok || err != nil {
		return err
	}

	if err := t.Mkdirs(TmpPath); err != nil {
		return err
	}
	lock, err := t.makeLockFile()
	if err != nil {
		return err
	}
	_ = lock.Close()

	f, err := t.Probe()
	if err != nil {
		return err
	}
	b, err := json.Marshal(f)
	if err != nil {
		return Failure(err)
	}
	err = t.ReplaceFile(formatPath, TmpPath, b, 0o666)
	if errors.Is(err, storage.OutcomeUnknown) {
		return err // the file is written, but may be lost in a power failure
	}
	if err != nil {
		if ok, _ := t.ReadFormat(); ok {
			return nil // another process has written the same file
		}
		return err
	}

	if err := t.SyncDir(""); err != nil {
		return err
	}
	t.applyFormat(f)
	return nil
}

func (t *Tree) applyFormat(f Format) {
	t.Strict.Store(f.Strict || t.Like.Strict)
	t.Coarse.Store(f.Coarse || t.Like.Coarse)
	t.Ready.Store(true)
}

// IsInitialized reports whether the reserved directory is complete. Initialize writes the format
// last, so IsInitialized only checks the format.
func (t *Tree) IsInitialized() (bool, error) {
	if t.Ready.Load() {
		return true, nil
	}
	return t.ReadFormat()
}

// Probe determines two properties of the disk: whether it folds case, and whether its
// times are too coarse.
func (t *Tree) Probe() (Format, error) {
	f := Format{Strict: t.Strict.Load(), Coarse: t.Coarse.Load()}

	// The name exists in upper case only if the file system ignores the case.
	if _, err := t.Root.Lstat(strings.ToUpper(Reserved)); err == nil {
		f.Strict = true
	}

	path := TmpPath + "/" + RandomName()
	file, err := t.Root.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return f, t.PathLostError(err)
	}
	defer func() {
		_ = file.Close()
		_ = t.Root.Remove(path)
	}()

	// A time with an odd second and with fractions of a second down to 100 ns, as Windows stores them.
	probeTime := time.Unix(1_000_000_001, 123_456_700)
	if err := t.Root.Chtimes(path, probeTime, probeTime); err != nil {
		return f, Failure(err)
	}

	// Stat the open file, not the path. The file looks old now, so a sweep may have removed the
	// path.
	info, err := file.Stat()
	if err != nil {
		return f, Failure(err)
	}
	if info.ModTime().Sub(probeTime).Abs() >= time.Microsecond {
		f.Coarse = true
	}
	return f, nil
}
