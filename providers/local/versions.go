package local

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/omnibucket/storage"
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

var errVersion = invalid("version", "must be one that this bucket gave", "")

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

// ListVersions lists current objects and older versions together, with prefixes
// as List has them. Where versions are off, a current object has no version,
// and an older one that is still kept has: nothing else reaches it.
func (d *driver) ListVersions(ctx context.Context, r *storage.ListRequest) (*storage.VersionPage, error) {
	after, err := parseToken(r)
	if err != nil {
		return nil, err
	}
	s, err := d.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer d.leave(s)
	h := &history{store: s, after: after}
	defer h.close()
	if err := h.open(r); err != nil {
		return nil, err
	}
	page := &storage.VersionPage{}
	var last position
	for {
		if err := interrupted(ctx); err != nil {
			return nil, err
		}
		entries, err := h.next()
		if err != nil {
			return nil, err
		}
		if entries == nil {
			return page, nil
		}
		for _, e := range entries {
			if len(page.Entries) == r.Limit {
				page.Token = last.token()
				return page, nil
			}
			page.Entries = append(page.Entries, e.VersionEntry)
			last = position{key: e.Key, isPrefix: e.IsPrefix, version: e.id}
		}
	}
}

// A history walks current objects and keys with older versions as one.
type history struct {
	*store
	after   position
	walkers [2]*walker // current objects, older versions
	heads   [2]item
	more    [2]bool
}

// An identified entry has the version's name also where that is not shown.
type identified struct {
	storage.VersionEntry
	id string
}

func (h *history) open(r *storage.ListRequest) error {
	for i := range h.walkers {
		h.walkers[i] = &walker{
			store: h.store, kept: i == 1, prefix: r.Prefix, delimiter: r.Delimiter,
			start: h.after.key, skip: h.after.prefix(), inclusive: h.after.version != "",
		}
		if err := h.walkers[i].open(); err != nil {
			return err
		}
		if err := h.advance(i); err != nil {
			return err
		}
	}
	return nil
}

func (h *history) close() {
	for _, w := range h.walkers {
		if w != nil {
			w.close()
		}
	}
}

func (h *history) advance(i int) (err error) {
	h.heads[i], h.more[i], err = h.walkers[i].next()
	return err
}

// next are the entries of the next key, or a prefix; nil at the end.
func (h *history) next() ([]identified, error) {
	for h.more[0] || h.more[1] {
		i := 0
		if !h.more[0] || h.more[1] && h.heads[1].key < h.heads[0].key {
			i = 1
		}
		head := h.heads[i]
		both := h.more[0] && h.more[1] && h.heads[0].key == h.heads[1].key
		var entries []identified
		var err error
		if head.isPrefix {
			entries = []identified{{VersionEntry: storage.VersionEntry{ListEntry: storage.ListEntry{Key: head.key, IsPrefix: true}}}}
		} else if entries, err = h.entries(head, i == 1); err != nil {
			return nil, err
		}
		if err := h.advance(i); err != nil {
			return nil, err
		}
		if both {
			if err := h.advance(1); err != nil {
				return nil, err
			}
		}
		if len(entries) > 0 {
			return entries, nil
		}
	}
	return nil, nil
}

// entries are all versions of a key, newest first, that come after the token's.
func (h *history) entries(head item, onlyOlder bool) ([]identified, error) {
	var all []identified
	var current spot
	if !onlyOlder {
		current = head.at
		e, err := h.listEntry(head)
		if err != nil {
			return nil, err
		}
		shown := identified{storage.VersionEntry{ListEntry: e, Current: true}, versionOf(current.meta)}
		if h.keeping() {
			shown.Version = shown.id
		}
		all = append(all, shown)
	}
	older, err := h.olderEntries(head.key, current)
	if err != nil {
		return nil, err
	}
	all = append(all, older...)
	if h.after.version != "" && head.key == h.after.key {
		all = slices.DeleteFunc(all, func(e identified) bool { return e.id >= h.after.version })
	}
	return all, nil
}

func (h *history) olderEntries(key string, current spot) ([]identified, error) {
	names, err := h.kept(key, current)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	d, err := h.store.open(h.versionsDir(key))
	if noObject(err) {
		return nil, nil
	}
	if err != nil {
		return nil, failure(err)
	}
	defer h.shut(d)
	var all []identified
	for _, name := range names {
		at, err := h.look(d, name)
		if err != nil {
			return nil, err
		}
		if !at.found() {
			continue
		}
		revision, err := h.revisionAt(at)
		if err != nil {
			return nil, err
		}
		e := storage.ListEntry{
			Key: key, Size: at.meta.size, Modified: at.meta.time(),
			ETag: `"` + revision + `"`, Revision: revision,
		}
		all = append(all, identified{storage.VersionEntry{ListEntry: e, Version: name}, name})
	}
	return all, nil
}
