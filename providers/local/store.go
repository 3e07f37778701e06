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
	"github.com/omnibucket/storage/internal/signedurl"
)

// The entries of the reserved directory. The first write makes it; reading a bucket does
// not change it.
const (
	formatPath   = reserved + "/format.json" // how the disk behaves
	settingsPath = reserved + "/bucket.json" // the settings of the bucket
	tmpPath      = reserved + "/tmp"         // files being written, with a directory for each writer
	lockPath     = reserved + "/lock"        // locked, never read; empty
	attrsPath    = reserved + "/attrs"       // sidecars, by inode
	uploadsPath  = reserved + "/uploads"     // parts, with a directory for each upload
	versionsPath = reserved + "/versions"    // noncurrent versions, by key
	privatePath  = reserved + "/" + privateName
)

// formerLocksPath has the files that earlier releases locked, one for each slot.
const formerLocksPath = reserved + "/locks"

// A format describes how the disk behaved at the first write to the bucket. It is stored,
// so that the meaning of names never changes.
type format struct {
	Strict bool `json:"strictNames"` // the disk folds case: only lower-case ASCII keeps its name
	Coarse bool `json:"coarseTimes"` // times are too coarse for revisions
}

// A store has the open directories of one driver.
type store struct {
	driver *driver
	users  int // calls in progress; the driver's mu guards it
	root   *os.Root
	top    *dir // the directory of the bucket
	locks  lockTable
	cache  listCache

	ready          atomic.Bool // the reserved directory exists
	strict, coarse atomic.Bool // from format, once known
	sidecars       atomic.Bool // sidecars may exist
	known          atomic.Pointer[settingsFile]
	lastSweep      atomic.Int64                   // time of the last sweep of uploads, Unix time in nanoseconds
	ownKeys        atomic.Pointer[signedurl.Keys] // from the directory, once read

	mu         sync.Mutex
	staging    *stagingDir   // nil before the first write
	oldStaging []*stagingDir // removed by another program, but calls may still use them
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
		root, err := openRoot(d.path)
		if err != nil {
			return nil, err
		}
		root, err = sharedRoot(root)
		return root, failure(err)
	}
	account, err := openRoot(filepath.Dir(d.path))
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

func (s *store) keepsVersions() bool { return s.driver.versions.Load() }

// open opens a directory of the bucket. closeDir closes it.
func (s *store) open(path string) (*dir, error) {
	if s.driver.onOpen != nil {
		s.driver.onOpen(path)
	}
	if path == "" {
		return s.top, nil
	}
	return openDir(s.root, s.top, path)
}

// openToRead opens a directory to read its names. It always uses a new descriptor, because
// the descriptor has the position in the directory.
func (s *store) openToRead(path string) (*dir, error) {
	if s.driver.onOpen != nil {
		s.driver.onOpen(path)
	}
	return openDir(s.root, s.top, path)
}

// closeDir closes a directory that open returned.
func (s *store) closeDir(d *dir) {
	if d != s.top {
		d.close()
	}
}

// errReplaced means that the path of the bucket leads to another directory than the open one.
// The next attempt opens that one.
var errReplaced = &storage.Error{
	Code: storage.Unavailable,
	Err:  errors.New("another directory took the place of the bucket's directory during this call"),
	Hint: "stop the programs that use a bucket before you replace its directory",
}

// goneError returns the error for a directory that was open and is not at its path any more.
func (d *driver) goneError(err error) error {
	e := &storage.Error{Code: storage.BucketNotFound, Err: err}
	if !d.managed { // otherwise the hint of the core is better
		e.Hint = "create the bucket's directory again: it was removed or moved"
	}
	return e
}

// checkPlace fails if the path of the bucket no longer leads to the open directory, with
// BucketNotFound or errReplaced. Somebody deleted the bucket, or moved its directory away.
func (s *store) checkPlace() error {
	switch there, err := s.top.isAt(s.driver.path); {
	case err == nil && there:
		return nil
	case err == nil:
		return errReplaced
	case isNotExist(err):
		return s.driver.goneError(err)
	default:
		return failure(err)
	}
}

// notFoundError returns ObjectNotFound, or the error of checkPlace.
func (s *store) notFoundError() error {
	if err := s.checkPlace(); err != nil {
		return err
	}
	return storage.ObjectNotFound
}

// pathLostError returns the error for a failed operation in the bucket's directory. If a
// path was missing, it returns notFoundError.
func (s *store) pathLostError(err error) error {
	if isNotExist(err) {
		return s.notFoundError()
	}
	return failure(err)
}

// readFormat reads the format. It returns false if the bucket was never written.
func (s *store) readFormat() (bool, error) {
	b, err := s.root.ReadFile(formatPath)
	if isNotExist(err) {
		return false, nil
	}
	if err != nil {
		return false, failure(err)
	}
	if len(bytes.Trim(b, "\x00")) == 0 {
		return false, nil // lost in a power failure, with Config.NoSync: the next write probes the disk again
	}
	var f format
	if err := json.Unmarshal(b, &f); err != nil {
		return false, damaged(formatPath, err)
	}
	s.applyFormat(f)
	return true, nil
}

func damaged(path string, err error) error {
	return &storage.Error{Code: storage.Internal, Err: err, Hint: "restore " + path + " in the bucket's directory from a backup: it is damaged"}
}

// initialize makes the reserved directory and probes the disk. Several processes may do so
// at the same time, with the same result.
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
		if e, ok := errors.AsType[*storage.Error](err); ok && e.Unknown {
			return err // it has its name, but perhaps not on the disk
		}
		if known, _ := s.readFormat(); known {
			return nil // another process was faster, and has the file open
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
	s.strict.Store(f.Strict || s.driver.strictNames)
	s.coarse.Store(f.Coarse || s.driver.coarseTimes)
	s.ready.Store(true)
}

// isInitialized reports whether the reserved directory exists, with a lock file.
func (s *store) isInitialized() (bool, error) {
	if s.ready.Load() {
		return true, nil
	}
	return s.readFormat()
}

// probe determines two properties of the disk: whether it folds case, and whether its
// times are too coarse.
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

// replaceFile atomically writes a small file in the reserved directory. It writes the file
// in tmp first: a staging directory or, before there is one, tmpPath.
func (s *store) replaceFile(path, tmp string, content []byte, mode fs.FileMode) error {
	return s.replaceFileSynced(path, tmp, content, mode, s.driver.sync)
}

// replaceFileSynced is replaceFile that flushes the file if sync is true, whatever Config.NoSync is.
func (s *store) replaceFileSynced(path, tmp string, content []byte, mode fs.FileMode, sync bool) error {
	tmp += "/" + randomName()
	f, err := s.root.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return s.pathLostError(err)
	}
	_, err = f.Write(content)
	if err == nil && sync {
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
	if !sync {
		return nil
	}
	return unknownOutcome(durable.SyncDirIn(s.root, dir))
}

// syncDir flushes the names in a directory to the disk, unless Config.NoSync is set.
func (s *store) syncDir(path string) error {
	if !s.driver.sync {
		return nil
	}
	if path == "" {
		return unknownOutcome(s.top.sync())
	}
	return unknownOutcome(durable.SyncDirIn(s.root, path))
}

// randomName returns a name of 96 random bits, which is never repeated.
func randomName() string { return hexid.New(12) }
