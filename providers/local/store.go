package local

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/durable"
	"github.com/omnibucket/storage/internal/hexid"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
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
	removedPath  = reserved + "/removed"     // objects that were removed for good and are kept for a time, by key
	privatePath  = reserved + "/" + privateName
)

// A format describes how the disk behaved at the first write to the bucket. It is stored,
// so that the meaning of names never changes.
type format struct {
	Strict bool `json:"strictNames"` // the disk folds case: only lower-case ASCII keeps its name
	Coarse bool `json:"coarseTimes"` // times are too coarse for revisions
}

// A store has the open directories of one driver. Each field gets only the fields that it uses,
// and none uses a later one, so that they can be read in order.
type store struct {
	users int // calls in progress; the driver's mu guards it
	root  *os.Root

	tree       *tree
	reader     *reader
	locks      *locks
	staging    *staging
	settings   *settings
	noncurrent *noncurrent
	removed    *removed
	objects    *objects
	uploads    *uploads
}

// A tree has the directories of the bucket, and the small files in the reserved directory.
type tree struct {
	root     *os.Root
	top      *osdir.Dir // the directory of the bucket
	path     string     // path of the bucket
	managed  bool       // whether a service manages the bucket
	sync     bool       // whether to flush what was written
	clock    *clock
	versions *atomic.Bool  // whether the bucket keeps versions
	keeping  *atomic.Int64 // how long an object is kept after it was removed for good, in nanoseconds
	like     format        // for tests: behave as on such a disk

	onOpen func(path string) // for tests, or nil: called before a directory, or a file in it, is opened

	ready          atomic.Bool // the reserved directory exists
	strict, coarse atomic.Bool // from the format, once that is known
}

func newStore(d *objectDriver) (*store, error) {
	root, err := openBucketRoot(d)
	if err != nil {
		return nil, err
	}
	top, err := osdir.Open(root, nil, "")
	if err != nil {
		_ = root.Close()
		return nil, failure(err)
	}
	s := divide(d, root, top)
	s.tree.strict.Store(d.strictNames || runtime.GOOS == "windows" || runtime.GOOS == "darwin")
	s.tree.coarse.Store(d.coarseTimes)
	if _, err := root.Lstat(attrsPath); err == nil {
		s.reader.sidecars.Store(true)
	}
	if _, err := s.tree.readFormat(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// divide makes the fields of a store, and gives each of them the fields that it uses.
func divide(d *objectDriver, root *os.Root, top *osdir.Dir) *store {
	t := &tree{
		root: root, top: top, path: d.path, managed: d.managed, sync: d.sync, clock: &d.clock, versions: &d.versions,
		keeping: &d.keeping,
		like:    format{Strict: d.strictNames, Coarse: d.coarseTimes},
	}
	s := &store{root: root, tree: t}
	s.reader = &reader{tree: t, noXattr: d.noXattr, visible: d.visible}
	s.locks = &locks{tree: t}
	s.staging = &staging{tree: t, reader: s.reader, fileMode: d.fileMode}
	s.settings = &settings{
		tree: t, locks: s.locks, staging: s.staging, locksObjects: &d.locksObjects, configKeys: d.configKeys,
	}
	s.removed = &removed{dirs: &noncurrent{tree: t, reader: s.reader, base: removedPath}, tree: t, reader: s.reader}
	s.noncurrent = &noncurrent{tree: t, reader: s.reader, base: versionsPath, removed: s.removed}
	s.objects = &objects{
		tree: t, reader: s.reader, locks: s.locks, staging: s.staging,
		settings: s.settings, noncurrent: s.noncurrent, removed: s.removed,
	}
	s.uploads = &uploads{tree: t, staging: s.staging, settings: s.settings, objects: s.objects}
	return s
}

func openBucketRoot(d *objectDriver) (*os.Root, error) {
	if !d.managed {
		root, err := openRoot(d.path)
		if err != nil {
			return nil, err
		}
		root, err = osdir.ShareRoot(root)
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
	s.staging.close()
	s.locks.close()
	s.tree.top.Close()
	_ = s.root.Close()
}

func (t *tree) names() names { return names{strict: t.strict.Load()} }

func (t *tree) keepsVersions() bool { return t.versions.Load() }

// open opens a directory of the bucket. closeDir closes it.
func (t *tree) open(path string) (*osdir.Dir, error) {
	t.opening(path)
	if path == "" {
		return t.top, nil
	}
	return osdir.Open(t.root, t.top, path)
}

func (t *tree) opening(path string) {
	if t.onOpen != nil {
		t.onOpen(path)
	}
}

// openIfThere is like open, but returns nil if there is no such directory.
func (t *tree) openIfThere(path string) (*osdir.Dir, error) {
	d, err := t.open(path)
	return d, unlessAbsent(err)
}

// openToRead opens a directory to read its names. It always uses a new descriptor, because
// the descriptor has the position in the directory.
func (t *tree) openToRead(path string) (*osdir.Dir, error) {
	t.opening(path)
	return osdir.Open(t.root, t.top, path)
}

// closeDir closes a directory that open returned, or does nothing for nil.
func (t *tree) closeDir(d *osdir.Dir) {
	if d != t.top {
		d.Close()
	}
}

// errReplaced means that the path of the bucket leads to another directory than the open one.
// The next attempt opens that other directory.
var errReplaced = &storage.Error{
	Code: storage.Unavailable,
	Err:  errors.New("another directory took the place of the bucket's directory during this call"),
	Hint: "stop the programs that use a bucket before you replace its directory",
}

// goneError returns the error for a directory that was open and is not at its path any more.
func goneError(managed bool, err error) error {
	e := &storage.Error{Code: storage.BucketNotFound, Err: err}
	if !managed { // otherwise the hint of the core is better
		e.Hint = "create the bucket's directory again: it was removed or moved"
	}
	return e
}

// checkPlace fails if the path of the bucket no longer leads to the open directory, with
// BucketNotFound or errReplaced. Somebody deleted the bucket, or moved its directory away.
func (t *tree) checkPlace() error {
	switch there, err := t.top.IsAt(t.path); {
	case err == nil && there:
		return nil
	case err == nil:
		return errReplaced
	case osdir.IsNotExist(err):
		return goneError(t.managed, err)
	default:
		return failure(err)
	}
}

// notFoundError returns ObjectNotFound, or the error of checkPlace.
func (t *tree) notFoundError() error {
	return cmp.Or[error](t.checkPlace(), storage.ObjectNotFound)
}

// pathLostError returns the error for a failed operation in the bucket's directory. If a
// path was missing, it returns notFoundError.
func (t *tree) pathLostError(err error) error {
	if osdir.IsNotExist(err) {
		return t.notFoundError()
	}
	return failure(err)
}

// readFormat reads the format. It returns false if the bucket was never written, or if the format was
// lost: the next write probes the disk again.
func (t *tree) readFormat() (bool, error) {
	var f format
	found, err := t.readDocument(formatPath, &f)
	if found {
		t.applyFormat(f)
	}
	return found, err
}

// readDocument reads a document of the reserved directory. It returns false if there is none, or
// if it was lost in a power failure, with Config.NoSync.
func (t *tree) readDocument(path string, to any) (found bool, err error) {
	b, err := t.root.ReadFile(path)
	if osdir.IsNotExist(err) {
		return false, nil
	}
	if err != nil {
		return false, failure(err)
	}
	if len(bytes.Trim(b, "\x00")) == 0 {
		return false, nil
	}
	if err := json.Unmarshal(b, to); err != nil {
		return false, damaged(path, err)
	}
	return true, nil
}

func damaged(path string, err error) error {
	return &storage.Error{
		Code: storage.Internal, Err: err,
		Hint: "restore " + path + " in the bucket's directory from a backup: it is damaged",
	}
}

// initialize makes the reserved directory and probes the disk. Several processes may do so
// at the same time, with the same result.
func (t *tree) initialize() error {
	if known, err := t.isInitialized(); known || err != nil {
		return err
	}
	if err := t.mkdirs(tmpPath); err != nil {
		return err
	}
	lock, err := t.makeLockFile()
	if err != nil {
		return err
	}
	_ = lock.Close()
	f, err := t.probe()
	if err != nil {
		return err
	}
	b, err := json.Marshal(f)
	if err != nil {
		return failure(err)
	}
	if err := t.replaceFile(formatPath, tmpPath, b, 0o666); err != nil {
		if errors.Is(err, storage.OutcomeUnknown) {
			return err // the file has its name, but perhaps not on the disk
		}
		if known, _ := t.readFormat(); known {
			return nil // another process was faster, and has the file open
		}
		return err
	}
	if err := t.syncDir(""); err != nil {
		return err
	}
	t.applyFormat(f)
	return nil
}

func (t *tree) applyFormat(f format) {
	t.strict.Store(f.Strict || t.like.Strict)
	t.coarse.Store(f.Coarse || t.like.Coarse)
	t.ready.Store(true)
}

// isInitialized reports whether the reserved directory exists, with a lock file.
func (t *tree) isInitialized() (bool, error) {
	if t.ready.Load() {
		return true, nil
	}
	return t.readFormat()
}

// probe determines two properties of the disk: whether it folds case, and whether its
// times are too coarse.
func (t *tree) probe() (format, error) {
	f := format{Strict: t.strict.Load(), Coarse: t.coarse.Load()}
	if _, err := t.root.Lstat(strings.ToUpper(reserved)); err == nil {
		f.Strict = true
	}
	path := tmpPath + "/" + randomName()
	file, err := t.root.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return f, t.pathLostError(err)
	}
	defer func() {
		_ = file.Close()
		_ = t.root.Remove(path)
	}()
	at := time.Unix(1_000_000_001, 123_456_700)
	if err := t.root.Chtimes(path, at, at); err != nil {
		return f, failure(err)
	}
	fi, err := file.Stat() // its time is old, so that another driver's sweep may remove its name
	if err != nil {
		return f, failure(err)
	}
	f.Coarse = f.Coarse || fi.ModTime().Sub(at).Abs() >= time.Microsecond
	return f, nil
}

// replaceFile atomically writes a small file in the reserved directory. It writes the file
// in tmp first: a staging directory or, before there is one, tmpPath.
func (t *tree) replaceFile(path, tmp string, content []byte, mode fs.FileMode) error {
	return t.replaceFileSynced(path, tmp, content, mode, t.sync)
}

// replaceFileSynced is like replaceFile, but sync decides whether the file is flushed, and not
// Config.NoSync.
func (t *tree) replaceFileSynced(path, tmp string, content []byte, mode fs.FileMode, sync bool) error {
	tmp += "/" + randomName()
	f, err := t.root.OpenFile(tmp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return t.pathLostError(err)
	}
	_, err = f.Write(content)
	if err == nil && sync {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = osdir.RetryInUse(context.Background(), func() error { return t.root.Rename(tmp, path) })
	}
	if err != nil {
		_ = t.root.Remove(tmp)
		return failure(err)
	}
	dir, _ := osdir.Split(path)
	if !sync {
		return nil
	}
	return unknownOutcome(durable.SyncDirIn(t.root, dir))
}

// flush flushes the names in an open directory to the disk, unless Config.NoSync is set.
func (t *tree) flush(d *osdir.Dir) error {
	if !t.sync {
		return nil
	}
	return d.Sync()
}

// syncDir flushes the names in a directory to the disk, unless Config.NoSync is set.
func (t *tree) syncDir(path string) error {
	if !t.sync {
		return nil
	}
	return unknownOutcome(durable.SyncDirIn(t.root, cmp.Or(path, ".")))
}

// randomName returns a name of 96 random bits, which is never repeated.
func randomName() string { return hexid.New(12) }
