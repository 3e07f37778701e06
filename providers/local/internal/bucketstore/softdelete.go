package bucketstore

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/objectfile"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// softDeleted is the store of soft-deleted objects and versions. Callers have removed them permanently,
// but their files are kept for a time. The files are hard links, like noncurrent versions. Their
// path is .omnibucket/removed/KEY/.omnibucket@/VERSION~SINCE~UNTIL.
type softDeleted struct {
	dirs      *versionDirs
	tree      *bucketdir.Tree
	reader    *objectfile.Reader
	lastSweep atomic.Int64 // in nanoseconds
}

const removedMark = "~"

// A removedFile is the parsed name of a soft-deleted file.
type removedFile struct {
	name, version      string
	removedAt, expires time.Time
}

// parseRemoved parses the name of a soft-deleted file: its version and two times in hexadecimal, that
// of its removal and that until which it is kept. ok is false if name has another form.
func parseRemoved(name string) (f removedFile, ok bool) {
	parts := strings.Split(name, removedMark)
	if len(parts) != 3 {
		return removedFile{}, false
	}

	version := parts[0]
	if !objectfile.ValidVersion(version) {
		return removedFile{}, false
	}

	removedAt, err := strconv.ParseInt(parts[1], 16, 64)
	if err != nil {
		return removedFile{}, false
	}
	expires, err := strconv.ParseInt(parts[2], 16, 64)
	if err != nil {
		return removedFile{}, false
	}
	return removedFile{
		name:      name,
		version:   version,
		removedAt: time.Unix(0, removedAt).UTC(),
		expires:   time.Unix(0, expires).UTC(),
	}, true
}

// removedName returns the name of a soft-deleted file, which parseRemoved parses.
func removedName(version string, removedAt, expires time.Time) string {
	return version +
		removedMark + strconv.FormatInt(removedAt.UnixNano(), 16) +
		removedMark + strconv.FormatInt(expires.UnixNano(), 16)
}

// isEnabled reports whether the bucket has soft delete.
func (m *softDeleted) isEnabled() bool { return m.tree.SoftDeleteRetention.Load() > 0 }

// addFile keeps a file, which the caller is about to remove, as a soft-deleted file if the bucket has
// soft delete. The caller must hold the lock of the key.
func (m *softDeleted) addFile(ctx context.Context, key string, file objectfile.ObjectFile) error {
	if !m.isEnabled() || !file.Found() {
		return nil
	}

	now := m.tree.Clock.Now()
	if tryBeginSweep(&m.lastSweep, now) {
		m.sweep(ctx)
	}

	// The name of the file contains the time at which it may be removed.
	expires := now.Add(time.Duration(m.tree.SoftDeleteRetention.Load()))
	name := removedName(objectfile.VersionOf(file.Meta), now, expires)
	return m.dirs.withDir(ctx, key, func(dst *osdir.Dir) error { return linkVersion(dst, name, file) })
}

// removeSidecar removes the sidecar of a file that was removed. But if the bucket has soft delete,
// removeSidecar does nothing, because the file is kept as a soft-deleted file and still needs its
// sidecar.
func (m *softDeleted) removeSidecar(meta osdir.Meta) {
	if !m.isEnabled() {
		m.reader.DropSidecar(meta)
	}
}

// files returns the soft-deleted files in dir, newest version first: those that can still be restored,
// and those whose time has ended. If it cannot read some names, it returns the others and the error.
func (m *softDeleted) files(dir *osdir.Dir) (live, expired []removedFile, err error) {
	now := m.tree.Clock.Now()
	// If Names fails, it also returns the names before the error.
	names, err := dir.Names(func(e osdir.Entry) bool {
		_, ok := parseRemoved(e.Name)
		return ok
	})
	for _, name := range slices.Backward(names) {
		file, _ := parseRemoved(name)
		if now.Before(file.expires) {
			live = append(live, file)
		} else {
			expired = append(expired, file)
		}
	}
	return live, expired, bucketdir.WrapError(err)
}

// list returns a page of soft-deleted versions, which begins after pos.
func (m *softDeleted) list(ctx context.Context, r *driver.ListRequest, pos Position) (*driver.VersionPage, error) {
	walker := m.walker(ctx, r.Prefix)
	walker.Start = pos.Key
	walker.Inclusive = pos.Version != "" // the key may have further versions
	defer walker.Close()

	if err := walker.Open(); err != nil {
		return nil, err
	}
	return versionPage(r.Limit, func() ([]versionEntry, error) { return m.nextEntries(walker, pos) })
}

// nextEntries returns the soft-deleted versions of the next key of the walk that has any after pos,
// or none at the end.
func (m *softDeleted) nextEntries(walker *objectfile.Walker, pos Position) ([]versionEntry, error) {
	for {
		item, ok, err := walker.Next()
		if err != nil || !ok {
			return nil, err
		}
		entries, err := m.entries(item.Key)
		if err != nil {
			return nil, err
		}
		entries = pos.entriesAfter(item.Key, entries)
		if len(entries) > 0 {
			return entries, nil
		}
	}
}

// walker returns a walker over the keys with a prefix that have soft-deleted versions.
func (m *softDeleted) walker(ctx context.Context, prefix string) *objectfile.Walker {
	return &objectfile.Walker{
		Tree:       m.tree,
		Reader:     m.reader,
		Ctx:        ctx,
		Noncurrent: true,
		Versions:   bucketdir.RemovedPath,
		Prefix:     prefix,
	}
}

// entries returns the soft-deleted versions of a key, newest first.
func (m *softDeleted) entries(key string) ([]versionEntry, error) {
	dir, err := m.tree.Open(m.dirs.Path(key))
	if err != nil {
		return nil, bucketdir.IgnoreNotExist(err)
	}
	defer m.tree.CloseDir(dir)

	files, _, err := m.files(dir)
	if err != nil {
		return nil, err
	}

	var entries []versionEntry
	for _, file := range files {
		listEntry, found, err := m.reader.EntryIn(dir, file.name, key)
		if err != nil {
			return nil, err
		}
		if !found {
			// The file was removed meanwhile.
			continue
		}
		entry := storage.VersionEntry{
			ListEntry:        listEntry,
			Version:          file.version,
			NoncurrentSince:  file.removedAt,
			SoftDeletedUntil: file.expires,
		}
		entries = append(entries, versionEntry{VersionEntry: entry, id: file.name})
	}
	return entries, nil
}

// open opens a soft-deleted version of a key, or the newest one if version is "".
func (m *softDeleted) open(key, version string) (*osdir.File, error) {
	path := m.dirs.Path(key)
	dir, err := m.tree.Open(path)
	if osdir.IsNoFile(err) {
		return nil, m.tree.NotFoundError()
	}
	if err != nil {
		return nil, bucketdir.WrapError(err)
	}
	defer m.tree.CloseDir(dir)

	files, _, err := m.files(dir)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if version != "" && f.version != version {
			continue
		}
		file, err := m.reader.OpenIn(path, f.name)
		if err != nil {
			return nil, err
		}
		if file != nil {
			return file, nil
		}
		// A sweep has removed the file meanwhile.
	}
	return nil, m.tree.NotFoundError()
}

// Undelete writes a soft-deleted object again, and leaves the soft-deleted copy until its time ends.
// It fails with PreconditionFailed if the key has an object.
func (s *Store) Undelete(ctx context.Context, r *driver.ChangeRequest) error {
	if err := objectfile.CheckVersion(r.Version); err != nil {
		return err
	}

	// The key must not have an object.
	current, _, err := s.Objects.OpenObject(ctx, r.Key, currentVersion)
	if err == nil {
		_ = current.Close()
		return storage.PreconditionFailed
	}
	if storage.CodeOf(err) != storage.ObjectNotFound {
		return err
	}
	if _, ok := s.Tree.Names().Locate(r.Key); !ok {
		// No object can have had this key.
		return storage.ObjectNotFound
	}

	src, err := s.removed.open(r.Key, r.Version)
	if err != nil {
		return err
	}
	defer src.Close()
	srcAttrs, err := s.Reader.AttrsOfFile(src)
	if err != nil {
		return err
	}

	// The new object gets the properties and the tags, but neither public access nor locks.
	var attrs objectfile.Attrs
	if srcAttrs != nil {
		controls := &storage.Controls{Tags: srcAttrs.Tags}
		attrs = objectfile.NewAttrs(srcAttrs.Properties, controls, srcAttrs.SumOf(src.Meta))
	}
	_, err = s.Objects.copyFile(ctx, r.Key, src, attrs, storage.Condition{Absent: true})
	return err
}

// sweep removes soft-deleted files whose time has ended. It ignores errors, because a later sweep
// tries again.
func (m *softDeleted) sweep(ctx context.Context) {
	m.lastSweep.Store(m.tree.Clock.Now().UnixNano())

	// "" is the prefix of every key.
	walker := m.walker(ctx, "")
	defer walker.Close()
	if walker.Open() != nil {
		return
	}
	for {
		item, ok, err := walker.Next()
		if err != nil || !ok {
			return
		}
		m.sweepKey(ctx, item.Key)
	}
}

// sweepKey removes those soft-deleted files of a key whose time has ended.
func (m *softDeleted) sweepKey(ctx context.Context, key string) {
	path := m.dirs.Path(key)
	dir, err := m.tree.Open(path)
	if err != nil {
		return
	}
	// If some names cannot be read, a later sweep removes their files.
	_, expired, _ := m.files(dir)
	for _, file := range expired {
		m.removeExpired(ctx, dir, file.name)
	}
	m.tree.CloseDir(dir)

	if len(expired) > 0 {
		m.tree.Prune(ctx, path, bucketdir.RemovedPath)
	}
}

// removeExpired removes the soft-deleted file name in dir, and then its sidecar, a file with its
// attributes. It ignores errors, because a later sweep tries again.
func (m *softDeleted) removeExpired(ctx context.Context, dir *osdir.Dir, name string) {
	file, err := m.reader.StatObject(dir, name)
	if err != nil || !file.Found() {
		return
	}
	if dir.UnlinkInUse(ctx, name) == nil {
		m.reader.DropSidecar(file.Meta)
	}
}
