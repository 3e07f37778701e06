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

// ReadFormat reads and applies the format. It returns false if the bucket was never written or has
// lost its format, in which case the next write probes the disk again.
func (t *Tree) ReadFormat() (bool, error) {
	var format Format
	found, err := t.ReadDocument(formatPath, &format)
	if found {
		t.applyFormat(format)
	}
	return found, err
}

// Initialize creates the reserved directory, probes the disk and stores the format, unless that was
// done before. Several processes may do so at the same time, with the same result.
func (t *Tree) Initialize() error {
	if isInitialized, err := t.IsInitialized(); isInitialized || err != nil {
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

	// The format comes last, because it makes the bucket count as initialized.
	format, err := t.Probe()
	if err != nil {
		return err
	}
	content, err := json.Marshal(format)
	if err != nil {
		return WrapError(err)
	}
	err = t.ReplaceFile(formatPath, TmpPath, content, 0o666)
	if errors.Is(err, storage.OutcomeUnknown) {
		// The file is written, but a power failure may lose it.
		return err
	}
	if err != nil {
		if ok, _ := t.ReadFormat(); ok {
			// Another process has written the same file.
			return nil
		}
		return err
	}

	if err := t.SyncDir(""); err != nil {
		return err
	}
	t.applyFormat(format)
	return nil
}

func (t *Tree) applyFormat(f Format) {
	t.Strict.Store(f.Strict || t.Simulated.Strict)
	t.Coarse.Store(f.Coarse || t.Simulated.Coarse)
	t.Ready.Store(true)
}

// IsInitialized reports whether the reserved directory is complete, which it is once it contains the
// format.
func (t *Tree) IsInitialized() (bool, error) {
	if t.Ready.Load() {
		return true, nil
	}
	return t.ReadFormat()
}

// Probe finds out whether the disk folds case, and whether its times are too coarse.
func (t *Tree) Probe() (Format, error) {
	f := Format{Strict: t.Strict.Load(), Coarse: t.Coarse.Load()}

	// The reserved name exists in upper case only if the disk folds case.
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
		return f, WrapError(err)
	}

	// Stat the open file, not the path. The file looks old now, so a sweep may have removed the
	// path.
	info, err := file.Stat()
	if err != nil {
		return f, WrapError(err)
	}
	if info.ModTime().Sub(probeTime).Abs() >= time.Microsecond {
		f.Coarse = true
	}
	return f, nil
}
