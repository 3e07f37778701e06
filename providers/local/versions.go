package local

import (
	"slices"
	"strconv"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/invalid"
)

// Older versions are hard links to files that were current, at
// .omnibucket/versions/KEY/.omnibucket@/VERSION. A version's name is made of
// the file's time and inode, so that it is the same before and after, and that
// names in order are versions in order: commit sees to it that a version's time
// is later than its predecessor's.
const versionsName = reserved + string(markVersions)

func versionOf(m meta) string {
	b := make([]byte, 0, 34)
	digits := strconv.FormatUint(uint64(m.mtime), 16)
	b = append(b, "0000000000000000"[len(digits):]...)
	b = append(b, digits...)
	b = append(b, '-')
	return string(strconv.AppendUint(b, m.ino, 16))
}

var errVersion = invalid.Argument("version", "must be one that this bucket gave", "")

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

// keep makes the current object an older version too. The key's lock is held.
func (s *store) keep(key string, current spot) error {
	path := s.versionsDir(key)
	for {
		if err := s.mkdirs(path); err != nil && err != errDirGone {
			return err
		}
		to, err := s.open(path)
		if isNotExist(err) { // pruned by a removal of another key's versions
			if err := s.gone(); err != storage.ObjectNotFound {
				return err
			}
			continue
		}
		if err != nil {
			return failure(err)
		}
		err = to.link(versionOf(current.meta), current.dir, current.base)
		if err == nil && s.sync {
			err = to.sync()
		}
		s.shut(to)
		switch {
		case err == nil || isExist(err):
			return nil
		case isNotExist(err):
			continue
		}
		return &storage.Error{Code: storage.Unsupported, Err: err, Hint: "keeping versions needs a file system with hard links"}
	}
}

// kept are the names of the key's older versions, newest first, but not the
// current one, which a crash may have left among them.
func (s *store) kept(key string, current spot) ([]string, error) {
	d, err := s.open(s.versionsDir(key))
	if noObject(err) {
		return nil, nil
	}
	if err != nil {
		return nil, failure(err)
	}
	defer s.shut(d)
	var all []string
	err = d.read(func(e dirent) bool {
		if validVersion(e.name) && (!current.found() || e.name != versionOf(current.meta)) {
			all = append(all, e.name)
		}
		return true
	})
	slices.Sort(all)
	slices.Reverse(all)
	return all, failure(err)
}

// openVersion is nil where the version is not there.
func (s *store) openVersion(key, version string) (*file, error) {
	return s.openIn(s.versionsDir(key), version)
}

// deleteVersion removes an older version. The key's lock is held.
func (s *store) deleteVersion(r *storage.DeleteRequest) error {
	path := s.versionsDir(r.Key)
	d, err := s.open(path)
	if noObject(err) {
		return nil
	}
	if err != nil {
		return failure(err)
	}
	defer s.shut(d)
	at, err := s.look(d, r.Version)
	if err != nil || !at.found() {
		return err
	}
	if err := s.checkWrite(at, r.Condition); err != nil {
		return err
	}
	defer s.hold(at)()
	if err := d.unlink(r.Version); err != nil && !isNotExist(err) {
		return failure(err)
	}
	s.dropSidecar(at.meta)
	if s.sync {
		if err := d.sync(); err != nil {
			return uncertain(err)
		}
	}
	s.prune(path, versionsPath)
	return nil
}

// promote puts the newest older version in the place of the current object, in
// one step; false where there is none. The key's lock is held.
func (s *store) promote(key string, current spot) (bool, error) {
	path := s.versionsDir(key)
	d, err := s.open(path)
	if noObject(err) {
		return false, nil
	}
	if err != nil {
		return false, failure(err)
	}
	defer s.shut(d)
	_ = d.unlink(versionOf(current.meta)) // what a crash left
	older, err := s.kept(key, current)
	if err != nil || len(older) == 0 {
		s.prune(path, versionsPath)
		return false, err
	}
	if err := current.dir.rename(current.base, d, older[0]); err != nil {
		return false, failure(err)
	}
	s.dropSidecar(current.meta)
	if s.sync {
		if err := current.dir.sync(); err != nil {
			return true, uncertain(err)
		}
	}
	s.prune(path, versionsPath)
	return true, nil
}
