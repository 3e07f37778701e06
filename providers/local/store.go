package local

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/durable"
	"github.com/omnibucket/storage/internal/hexid"
)

// What the reserved directory holds. It is made by the first write; a bucket
// that is only read is left as it is.
const (
	formatPath   = reserved + "/format.json" // how this disk behaves
	settingsPath = reserved + "/bucket.json" // the bucket's own settings
	tmpPath      = reserved + "/tmp"         // files that are being written, one directory for each writer
	lockPath     = reserved + "/lock"        // is locked, never read; empty
	attrsPath    = reserved + "/attrs"       // sidecars, by inode
	uploadsPath  = reserved + "/uploads"     // parts, one directory for each upload
	versionsPath = reserved + "/versions"    // older versions, by key
)

// formerLocksPath held the files that earlier versions locked, one for each slot.
const formerLocksPath = reserved + "/locks"

// A format is what was found out about a disk when the bucket was first
// written. It is kept, so that names mean the same for ever.
type format struct {
	Strict bool `json:"strictNames"` // case is folded: only lower-case ASCII keeps its name
	Coarse bool `json:"coarseTimes"` // times are too coarse for revisions
}

// A store is the open directories of one driver.
type store struct {
	*driver
	root  *os.Root
	top   *dir // the bucket's directory
	locks lockTable
	cache listCache

	ready          atomic.Bool  // the reserved directory is there
	strict, coarse atomic.Bool  // as format, once it is known
	sidecars       atomic.Bool  // there may be some
	lastSweep      atomic.Int64 // when uploads were, in nanoseconds since 1970

	mu         sync.Mutex
	staging    *stagingDir   // nil before the first write
	oldStaging []*stagingDir // whose directories somebody removed, and which calls may be using yet
}

func newStore(d *driver) (*store, error) {
	root, err := d.openRoot()
	if err != nil {
		return nil, err
	}
	top, err := openDir(root, nil, "")
	if err != nil {
		_ = root.Close()
		return nil, failure(err)
	}
	s := &store{driver: d, root: root, top: top}
	s.strict.Store(d.strictNames || runtime.GOOS == "windows" || runtime.GOOS == "darwin")
	s.coarse.Store(d.coarseTimes)
	if _, err := root.Lstat(attrsPath); err == nil {
		s.sidecars.Store(true)
	}
	if _, err := s.readFormat(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (d *driver) openRoot() (*os.Root, error) {
	if !d.managed {
		root, err := openRoot(filepath.Join(d.parent, d.bucket))
		if err != nil {
			return nil, err
		}
		root, err = sharedRoot(root)
		return root, failure(err)
	}
	account, err := openRoot(d.parent)
	if err != nil {
		return nil, err
	}
	defer func() { _ = account.Close() }()
	root, err := account.OpenRoot(d.bucket)
	if err != nil {
		return nil, &storage.Error{Code: storage.BucketNotFound, Err: err}
	}
	return root, nil
}

func (s *store) close() {
	s.mu.Lock()
	staging := append(s.oldStaging, s.staging)
	s.oldStaging, s.staging = nil, nil
	s.mu.Unlock()
	for _, w := range staging {
		w.close()
	}
	s.locks.close()
	s.top.close()
	_ = s.root.Close()
}

func (s *store) names() names { return names{strict: s.strict.Load()} }

func (s *store) keepsVersions() bool { return s.versions.Load() }

// open opens a directory of the bucket.
func (s *store) open(path string) (*dir, error) {
	if s.opened != nil {
		s.opened(path)
	}
	if path == "" {
		return s.top, nil
	}
	return openDir(s.root, s.top, path)
}

// openToRead opens a directory whose names will be read: the position in it
// is the descriptor's, and so must be nobody else's.
func (s *store) openToRead(path string) (*dir, error) {
	if s.opened != nil {
		s.opened(path)
	}
	return openDir(s.root, s.top, path)
}

// shut closes what open gave.
func (s *store) closeDir(d *dir) {
	if d != s.top {
		d.close()
	}
}

// gone tells a missing object from a missing bucket, whose directory was
// removed while it was open.
func (s *store) notFoundError() error {
	if _, linked, err := s.top.statSelf(); err == nil && linked {
		if err := s.notDeleted(); err != nil {
			return err
		}
		return storage.ObjectNotFound
	}
	return &storage.Error{Code: storage.BucketNotFound, Err: errors.New("the bucket's directory was removed")}
}

// lost is failure for an error of an operation below the bucket's directory
// that met a missing one.
func (s *store) pathLostError(err error) error {
	if isNotExist(err) {
		return s.notFoundError()
	}
	return failure(err)
}

// readFormat reports whether the bucket has been written before.
func (s *store) readFormat() (bool, error) {
	b, err := s.root.ReadFile(formatPath)
	if isNotExist(err) {
		return false, nil
	}
	if err != nil {
		return false, failure(err)
	}
	if len(bytes.Trim(b, "\x00")) == 0 {
		return false, nil // a power failure took it, with Config.NoSync: the next write asks the disk again
	}
	var f format
	if err := json.Unmarshal(b, &f); err != nil {
		return false, damaged(formatPath, err)
	}
	s.applyFormat(f)
	return true, nil
}

func damaged(path string, err error) error {
	return &storage.Error{Code: storage.Internal, Err: err, Hint: path + " in the bucket's directory is damaged"}
}

// prepare makes the reserved directory and finds out how the disk behaves.
// Several processes may do so at once: they find the same.
func (s *store) initialize() error {
	if known, err := s.isInitialized(); known || err != nil {
		return err
	}
	if err := s.makeReservedDir(); err != nil {
		return err
	}
	if err := s.makeLockFile(); err != nil {
		return err
	}
	f, err := s.probe()
	if err != nil {
		return err
	}
	b, err := json.Marshal(f)
	if err != nil {
		return failure(err)
	}
	if err := s.replaceFile(formatPath, tmpPath, b, 0o666); err != nil {
		var e *storage.Error
		if errors.As(err, &e) && e.Unknown {
			return err // it has its name, perhaps not on the disk
		}
		if known, _ := s.readFormat(); known {
			return nil // another process was first, and has the file open
		}
		return err
	}
	if err := s.syncDir(""); err != nil {
		return err
	}
	s.applyFormat(f)
	return nil
}

func (s *store) makeReservedDir() error {
	for _, path := range [...]string{reserved, tmpPath} {
		if err := s.root.Mkdir(path, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
			return s.pathLostError(err)
		}
	}
	return nil
}

func (s *store) applyFormat(f format) {
	s.strict.Store(f.Strict || s.strictNames)
	s.coarse.Store(f.Coarse || s.coarseTimes)
	s.ready.Store(true)
}

// written reports whether there is a reserved directory, with a lock file.
func (s *store) isInitialized() (bool, error) {
	if s.ready.Load() {
		return true, nil
	}
	return s.readFormat()
}

// probe asks the disk two questions: whether it finds our directory under
// capitals, and what is left of a time.
func (s *store) probe() (format, error) {
	f := format{Strict: s.strict.Load(), Coarse: s.coarse.Load()}
	if _, err := s.root.Lstat(strings.ToUpper(reserved)); err == nil {
		f.Strict = true
	}
	path := tmpPath + "/" + randomName()
	file, err := s.root.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return f, s.pathLostError(err)
	}
	_ = file.Close()
	defer func() { _ = s.root.Remove(path) }()
	at := time.Unix(1_000_000_001, 123_456_700)
	if err := s.root.Chtimes(path, at, at); err != nil {
		return f, failure(err)
	}
	fi, err := s.root.Stat(path)
	if err != nil {
		return f, failure(err)
	}
	f.Coarse = f.Coarse || fi.ModTime().Sub(at).Abs() >= time.Microsecond
	return f, nil
}

// replaceFile writes a small file of the reserved directory in one step, by way
// of the directory tmp: a workshop's, or, before there is one, tmpPath.
func (s *store) replaceFile(path, tmp string, content []byte, mode fs.FileMode) error {
	tmp += "/" + randomName()
	f, err := s.root.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return s.pathLostError(err)
	}
	_, err = f.Write(content)
	if err == nil && s.sync {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = retryInUse(context.Background(), func() error { return s.root.Rename(tmp, path) })
	}
	if err != nil {
		_ = s.root.Remove(tmp)
		return failure(err)
	}
	dir, _ := split(path)
	return s.syncDir(dir)
}

// syncDir has the names in a directory on the disk, unless that is turned off.
func (s *store) syncDir(path string) error {
	if !s.sync {
		return nil
	}
	if path == "" {
		return unknownOutcome(s.top.sync())
	}
	return unknownOutcome(durable.SyncDirIn(s.root, path))
}

// randomName is 96 random bits: no two of them are ever the same.
func randomName() string {
	return hexid.New(12)
}
