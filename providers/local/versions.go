package local

import (
	"context"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
)

// versionsName is the directory of the noncurrent versions of a key. They are hard links to
// files that were current, at .omnibucket/versions/KEY/.omnibucket@/VERSION. The name of a
// version consists of the file's time and inode, so that it does not change when the
// version becomes noncurrent. Names have the order of versions: commit makes each time
// later than that of the previous version.
const versionsName = reserved + string(markVersions)

// removedSuffix ends the name of an empty file beside the version that was current when
// its key was removed. The time of the file is that of the removal.
const removedSuffix = ".removed"

func versionOf(m meta) string {
	b := make([]byte, 0, 34)
	digits := strconv.FormatUint(uint64(m.mtime), 16)
	b = append(b, "0000000000000000"[len(digits):]...)
	b = append(b, digits...)
	b = append(b, '-')
	return string(strconv.AppendUint(b, m.ino, 16))
}

var errVersion = argument.Invalid("version", "must be one that this bucket returned", "")

func validVersion(version string) bool {
	digits, ino, ok := strings.Cut(version, "-")
	if !ok || len(digits) != 16 {
		return false
	}
	at, err := strconv.ParseUint(digits, 16, 64)
	if err != nil {
		return false
	}
	number, err := strconv.ParseUint(ino, 16, 64)
	return err == nil && versionOf(meta{mtime: int64(at), ino: number}) == version
}

func (s *store) versionsDir(key string) string {
	path, _ := s.names().dirPath(key)
	return versionsPath + "/" + path + "/" + versionsName
}

// keepVersion makes the current object also a noncurrent version. removed is the time of
// the removal of its key, or zero if the object is replaced. The caller holds the lock of
// the key.
func (s *store) keepVersion(ctx context.Context, key string, current objectFile, removed time.Time) error {
	path := s.versionsDir(key)
	var round rounds
	for {
		if err := round.next(ctx); err != nil {
			return err
		}
		if err := s.mkdirs(path); err != nil && err != errDirGone {
			return err
		}
		to, err := s.open(path)
		if isNotExist(err) { // pruned after a removal of versions of another key
			if err := s.notFoundError(); err != storage.ObjectNotFound {
				return err
			}
			continue
		}
		if err != nil {
			return failure(err)
		}
		err = s.link(ctx, to, versionOf(current.meta), current, removed)
		s.closeDir(to)
		if !isNotExist(err) {
			return err
		}
	}
}

// link makes the noncurrent version and, if removed is not zero, the mark of the removal.
func (s *store) link(ctx context.Context, to *dir, version string, current objectFile, removed time.Time) error {
	err := to.link(version, current.dir, current.base)
	switch {
	case isNotExist(err):
		return err
	case isExist(err): // a crash left it, and perhaps the mark of an interrupted removal
		if err := retryInUse(ctx, func() error { return to.unlink(version + removedSuffix) }); err != nil && !isNotExist(err) {
			return failure(err)
		}
	case err != nil:
		return &storage.Error{Code: storage.Unsupported, Err: err, Hint: "use a file system with hard links: keeping versions needs them"}
	}
	if !removed.IsZero() {
		if err := s.markRemoved(to.name(version+removedSuffix), removed); err != nil {
			return failure(err)
		}
	}
	if s.sync {
		return failure(to.sync())
	}
	return nil
}

func (s *store) markRemoved(path string, at time.Time) error {
	f, err := s.root.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	err = s.root.Chtimes(path, at, at) // no write follows that would set another time
	if err == nil && s.sync {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// A noncurrentVersion is a noncurrent version of a key.
type noncurrentVersion struct {
	name    string
	removed bool // the key was removed while it was current
}

// noncurrentVersions returns the noncurrent versions of the key, newest first. It omits the
// current one, which a crash may have left among them.
func (s *store) noncurrentVersions(key string, current objectFile) ([]noncurrentVersion, error) {
	d, err := s.open(s.versionsDir(key))
	if err != nil {
		return nil, unlessAbsent(err)
	}
	defer s.closeDir(d)
	var all []noncurrentVersion
	removed := map[string]bool{}
	err = d.read(func(e dirent) bool {
		if version, ok := strings.CutSuffix(e.name, removedSuffix); ok {
			removed[version] = true
		} else if validVersion(e.name) && (!current.found() || e.name != versionOf(current.meta)) {
			all = append(all, noncurrentVersion{name: e.name})
		}
		return true
	})
	for i := range all {
		all[i].removed = removed[all[i].name]
	}
	slices.SortFunc(all, func(a, b noncurrentVersion) int { return strings.Compare(b.name, a.name) })
	return all, failure(err)
}

// openVersion opens a noncurrent version. It returns nil if it does not exist.
func (s *store) openVersion(key, version string) (*file, error) {
	return s.openIn(s.versionsDir(key), version)
}

// deleteVersion removes a noncurrent version. The caller holds the lock of the key.
func (s *store) deleteVersion(ctx context.Context, r *storage.DeleteRequest) error {
	path := s.versionsDir(r.Key)
	d, err := s.open(path)
	if err != nil {
		return unlessAbsent(err)
	}
	defer s.closeDir(d)
	at, err := s.statObject(d, r.Version)
	if err != nil || !at.found() {
		return err
	}
	if err := s.checkWrite(at, r.Condition); err != nil {
		return err
	}
	if err := s.checkRemovable(at, r.BypassGovernance); err != nil {
		return err
	}
	defer s.holdInode(at)()
	// The mark is removed first: without its version, it would prevent the directory
	// from being removed.
	for _, name := range [...]string{r.Version + removedSuffix, r.Version} {
		if err := retryInUse(ctx, func() error { return d.unlink(name) }); err != nil && !isNotExist(err) {
			return failure(err)
		}
	}
	s.dropSidecar(at.meta)
	if s.sync {
		if err := d.sync(); err != nil {
			return unknownOutcome(err)
		}
	}
	s.prune(ctx, path, versionsPath)
	return nil
}

// promote atomically replaces the current object by the newest noncurrent version. It
// returns false if there is none. The caller holds the lock of the key.
func (s *store) promote(ctx context.Context, key string, current objectFile) (bool, error) {
	path := s.versionsDir(key)
	d, err := s.open(path)
	if err != nil {
		return false, unlessAbsent(err)
	}
	defer s.closeDir(d)
	for _, name := range [...]string{versionOf(current.meta) + removedSuffix, versionOf(current.meta)} {
		_ = retryInUse(ctx, func() error { return d.unlink(name) }) // a crash may have left it
	}
	left, err := s.noncurrentVersions(key, current)
	if err != nil || len(left) == 0 {
		s.prune(ctx, path, versionsPath)
		return false, err
	}
	if left[0].removed {
		if err := retryInUse(ctx, func() error { return d.unlink(left[0].name + removedSuffix) }); err != nil && !isNotExist(err) {
			return false, failure(err)
		}
	}
	if err := retryInUse(ctx, func() error { return current.dir.rename(current.base, d, left[0].name) }); err != nil {
		return false, failure(err)
	}
	s.dropSidecar(current.meta)
	if s.sync {
		for _, changed := range [...]*dir{current.dir, d} {
			if err := changed.sync(); err != nil {
				return true, unknownOutcome(err)
			}
		}
	}
	s.prune(ctx, path, versionsPath)
	return true, nil
}
