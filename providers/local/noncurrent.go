package local

import (
	"context"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// versionsName is the directory of the noncurrent versions of a key. They are hard links to
// files that were current, at .omnibucket/versions/KEY/.omnibucket@/VERSION. The name of a
// version consists of the file's time and inode, so that it does not change when the
// version becomes noncurrent. Names have the order of versions: commit makes each time
// later than that of the previous version.
const versionsName = reserved + string(markVersions)

// deletedSuffix ends the version of a delete marker, which is an empty file among the noncurrent
// versions. The digits before it are the time of the removal, which is later than all versions
// that were there.
const deletedSuffix = "-marker"

func isMarker(version string) bool { return strings.HasSuffix(version, deletedSuffix) }

// versionTime returns the time of a valid version, in nanoseconds.
func versionTime(version string) int64 {
	digits, _, _ := strings.Cut(version, "-")
	at, _ := strconv.ParseUint(digits, 16, 64)
	return int64(at)
}

func versionOf(m osdir.Meta) string {
	b := append(appendTime(make([]byte, 0, 34), m.MTime), '-')
	return string(strconv.AppendUint(b, m.Ino, 16))
}

func markerOf(at int64) string {
	return string(append(appendTime(make([]byte, 0, 34), at), deletedSuffix...))
}

func appendTime(b []byte, at int64) []byte {
	digits := strconv.FormatUint(uint64(at), 16)
	b = append(b, "0000000000000000"[len(digits):]...)
	return append(b, digits...)
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
	if isMarker(version) {
		return markerOf(int64(at)) == version
	}
	number, err := strconv.ParseUint(ino, 16, 64)
	return err == nil && versionOf(osdir.Meta{MTime: int64(at), Ino: number}) == version
}

// noncurrent has the noncurrent versions of objects.
type noncurrent struct {
	tree   *tree
	reader *reader
	base   string // the directory with the versions of all keys

	removed *removed // takes versions that are removed for good
}

func (n *noncurrent) versionsDir(key string) string {
	path, _ := n.tree.names().dirPath(key)
	return n.base + "/" + path + "/" + versionsName
}

// keepVersion makes the current object also a noncurrent version. The caller holds the lock of
// the key.
func (n *noncurrent) keepVersion(ctx context.Context, key string, current objectFile) error {
	return n.inVersions(
		ctx, key, func(to *osdir.Dir) error { return linkVersion(to, versionOf(current.meta), current) },
	)
}

// markRemoved adds a delete marker. If there is a current object, it also makes that a noncurrent
// version. The caller holds the lock of the key, and then removes the object.
func (n *noncurrent) markRemoved(ctx context.Context, key string, current objectFile) error {
	return n.inVersions(ctx, key, func(to *osdir.Dir) error {
		if current.found() {
			if err := linkVersion(to, versionOf(current.meta), current); err != nil {
				return err
			}
		}
		newest, err := n.newestKept(to)
		if err != nil {
			return err
		}
		at := max(n.tree.clock.next().UnixNano(), newest+1)
		if current.found() {
			at = max(at, current.meta.MTime+1) // even if the time of the current object is in the future
		}
		return n.writeMarker(to.PathOf(markerOf(at)))
	})
}

func (n *noncurrent) writeMarker(path string) error {
	f, err := n.tree.root.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o666)
	if err == nil && n.tree.sync {
		err = f.Sync()
	}
	if f != nil {
		err = errors.Join(err, f.Close())
	}
	return err
}

// inVersions makes the directory of the noncurrent versions of a key, and calls f with it. If
// the directory was removed meanwhile, inVersions starts over.
func (n *noncurrent) inVersions(ctx context.Context, key string, f func(*osdir.Dir) error) error {
	path := n.versionsDir(key)
	return n.tree.retry(ctx, func() error {
		if err := n.tree.mkdirs(path); err != nil {
			return err
		}
		to, err := n.tree.open(path)
		if err != nil {
			return againIfGone(err) // the directory was pruned, after versions of another key were removed
		}
		defer n.tree.closeDir(to)
		if err = f(to); err == nil {
			err = n.tree.flush(to)
		}
		return againIfGone(err)
	})
}

// linkVersion gives a file another name, among versions.
func linkVersion(to *osdir.Dir, name string, at objectFile) error {
	err := to.Link(name, at.dir, at.base)
	switch {
	case err == nil, isExist(err): // a crash may have left the name
		return nil
	case osdir.IsNotExist(err):
		return err
	}
	return &storage.Error{
		Code: storage.Unsupported, Err: err,
		Hint: "use a file system with hard links: versions and soft delete need them",
	}
}

// newestKept returns the time of the newest version or marker in d, or 0 if there is none.
func (n *noncurrent) newestKept(d *osdir.Dir) (newest int64, err error) {
	err = d.Each(func(e osdir.Entry) bool {
		if validVersion(e.Name) {
			newest = max(newest, versionTime(e.Name))
		}
		return true
	})
	return newest, failure(err)
}

// newestKeptOf is newestKept for a key.
func (n *noncurrent) newestKeptOf(key string) (int64, error) {
	d, err := n.tree.open(n.versionsDir(key))
	if err != nil {
		return 0, unlessAbsent(err)
	}
	defer n.tree.closeDir(d)
	return n.newestKept(d)
}

// noncurrentVersions returns the noncurrent versions and delete markers of the key, newest first.
// It omits names that a crash may have left: that of the current version, and of a marker above
// it.
func (n *noncurrent) noncurrentVersions(key string, current objectFile) ([]string, error) {
	d, err := n.tree.open(n.versionsDir(key))
	if err != nil {
		return nil, unlessAbsent(err)
	}
	defer n.tree.closeDir(d)
	all, err := d.Names(func(e osdir.Entry) bool { return validVersion(e.Name) && !isLeftover(e.Name, current) })
	slices.Reverse(all)
	return all, failure(err)
}

// isLeftover reports whether an interrupted removal of the current object may have left a name
// among the noncurrent versions.
func isLeftover(name string, current objectFile) bool {
	return current.found() &&
		(name == versionOf(current.meta) || isMarker(name) && versionTime(name) > current.meta.MTime)
}

// openVersion opens a noncurrent version. It returns nil if the version does not exist, or is a
// marker.
func (n *noncurrent) openVersion(key, version string) (*osdir.File, error) {
	if isMarker(version) {
		return nil, nil
	}
	return n.reader.openIn(n.versionsDir(key), version)
}

// deleteVersion removes a noncurrent version. The caller holds the lock of the key.
func (n *noncurrent) deleteVersion(ctx context.Context, r *driver.DeleteRequest) error {
	path := n.versionsDir(r.Key)
	d, err := n.tree.open(path)
	if err != nil {
		return unlessAbsent(err)
	}
	defer n.tree.closeDir(d)
	at, err := n.reader.statObject(d, r.Version)
	if err != nil || !at.found() {
		return err
	}
	if err := n.reader.checkWrite(at, r.Condition); err != nil {
		return err
	}
	if err := n.reader.checkRemovable(at, r.BypassGovernance); err != nil {
		return err
	}
	defer n.reader.holdInode(at)()
	if err := n.removed.keep(ctx, r.Key, at); err != nil {
		return err
	}
	if err := n.unlinkVersion(ctx, d, r.Version); err != nil {
		return err
	}
	n.removed.drop(at.meta)
	n.tree.prune(ctx, path, versionsPath)
	return nil
}

func (n *noncurrent) unlinkVersion(ctx context.Context, d *osdir.Dir, version string) error {
	if err := osdir.RetryInUse(ctx, func() error { return d.Unlink(version) }); err != nil {
		return unlessAbsent(err)
	}
	return unknownOutcome(n.tree.flush(d))
}

// deleteMarker removes a delete marker. If the key has no current object and the marker was its
// newest version, the version before it becomes current. The caller holds the lock of the key.
func (s *candidates) deleteMarker(ctx context.Context, r *driver.DeleteRequest, current objectFile) error {
	path := s.noncurrent.versionsDir(r.Key)
	d, err := s.tree.open(path)
	if err != nil {
		return unlessAbsent(err)
	}
	defer s.tree.closeDir(d)
	left, err := s.noncurrent.noncurrentVersions(r.Key, current)
	if err != nil {
		return err
	}
	if !current.found() && len(left) > 1 && left[0] == r.Version && !isMarker(left[1]) {
		if err := s.restore(ctx, d, left[1]); err != nil {
			return err
		}
	}
	if err := s.noncurrent.unlinkVersion(ctx, d, r.Version); err != nil {
		return err
	}
	s.tree.prune(ctx, path, versionsPath)
	return nil
}

// restore makes a noncurrent version in d the current object, if there is none.
func (s *candidates) restore(ctx context.Context, d *osdir.Dir, version string) error {
	if err := s.install(ctx, &stagedFile{dir: d, name: version}, false); err != nil {
		return err
	}
	if err := errors.Join(s.tree.flush(s.plain), s.tree.flush(d)); err != nil {
		return unknownOutcome(err)
	}
	if !s.reader.writesVisible() {
		return nil
	}
	at, err := s.find()
	if err != nil || !at.found() {
		return unknownOutcome(err)
	}
	return s.rewriteVisible(ctx, at)
}

// promote atomically replaces the current object by the newest noncurrent version. It
// returns false if there is none, or if that is a delete marker. The caller holds the lock of the
// key.
func (n *noncurrent) promote(ctx context.Context, key string, current objectFile) (bool, error) {
	path := n.versionsDir(key)
	d, err := n.tree.open(path)
	if err != nil {
		return false, unlessAbsent(err)
	}
	defer n.tree.closeDir(d)
	if err := n.dropLeftovers(ctx, d, current); err != nil {
		return false, err
	}
	left, err := n.noncurrentVersions(key, current)
	if err != nil || len(left) == 0 || isMarker(left[0]) {
		n.tree.prune(ctx, path, versionsPath)
		return false, err
	}
	if err := osdir.RetryInUse(ctx, func() error { return current.dir.Rename(current.base, d, left[0]) }); err != nil {
		return false, failure(err)
	}
	n.removed.drop(current.meta)
	err = unknownOutcome(errors.Join(n.tree.flush(current.dir), n.tree.flush(d)))
	n.tree.prune(ctx, path, versionsPath)
	return true, err
}

// dropLeftovers removes the names that a crash may have left of a removal of the current
// object.
func (n *noncurrent) dropLeftovers(ctx context.Context, d *osdir.Dir, current objectFile) error {
	names, err := d.Names(func(e osdir.Entry) bool { return validVersion(e.Name) && isLeftover(e.Name, current) })
	for _, name := range names {
		_ = osdir.RetryInUse(ctx, func() error { return d.Unlink(name) })
	}
	return failure(err)
}
