package local

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// removed has objects and versions that were removed for good and are kept for a time. They are hard
// links, as noncurrent versions are, at .omnibucket/removed/KEY/.omnibucket@/VERSION~SINCE~UNTIL.
type removed struct {
	dirs      *noncurrent // only its directories
	tree      *tree
	reader    *reader
	lastSweep atomic.Int64 // in nanoseconds
}

const removedMark = "~"

// A removedFile is the name of a file among what was removed.
type removedFile struct {
	name, version string
	since, until  time.Time
}

func parseRemoved(name string) (f removedFile, ok bool) {
	parts := strings.Split(name, removedMark)
	if len(parts) != 3 || !validVersion(parts[0]) {
		return f, false
	}
	since, err1 := strconv.ParseInt(parts[1], 16, 64)
	until, err2 := strconv.ParseInt(parts[2], 16, 64)
	return removedFile{name, parts[0], time.Unix(0, since).UTC(), time.Unix(0, until).UTC()}, cmp.Or(err1, err2) == nil
}

// keeps reports whether the bucket keeps what is removed for good.
func (m *removed) keeps() bool { return m.tree.keeping.Load() > 0 }

// keep keeps a file that is about to be removed for good, if the bucket does so. The caller holds the
// lock of the key.
func (m *removed) keep(ctx context.Context, key string, at objectFile) error {
	if !m.keeps() || !at.found() {
		return nil
	}
	since := m.tree.clock.now()
	if isSweepDue(&m.lastSweep, since) {
		m.sweep(ctx)
	}
	until := since.Add(time.Duration(m.tree.keeping.Load()))
	name := versionOf(
		at.meta,
	) + removedMark + strconv.FormatInt(
		since.UnixNano(), 16,
	) + removedMark + strconv.FormatInt(
		until.UnixNano(), 16,
	)
	return m.dirs.inVersions(ctx, key, func(to *osdir.Dir) error { return linkVersion(to, name, at) })
}

// drop drops the attributes of a file that was removed, unless it is kept.
func (m *removed) drop(meta osdir.Meta) {
	if !m.keeps() {
		m.reader.dropSidecar(meta)
	}
}

// files returns what is kept of a key now, the newest version first.
func (m *removed) files(d *osdir.Dir) (kept, over []removedFile, err error) {
	now := m.tree.clock.now()
	names, err := d.Names(func(e osdir.Entry) bool { _, ok := parseRemoved(e.Name); return ok })
	for _, name := range slices.Backward(names) {
		if f, _ := parseRemoved(name); now.Before(f.until) {
			kept = append(kept, f)
		} else {
			over = append(over, f)
		}
	}
	return kept, over, failure(err)
}

// list returns a page of what is kept.
func (m *removed) list(ctx context.Context, r *driver.ListRequest, after position) (*driver.VersionPage, error) {
	w := m.walker(ctx, r.Prefix)
	w.start, w.inclusive = after.key, after.version != ""
	defer w.close()
	if err := w.open(); err != nil {
		return nil, err
	}
	return versionPage(r.Limit, func() ([]versionEntry, error) {
		for {
			next, more, err := w.next()
			if err != nil || !more {
				return nil, err
			}
			all, err := m.entries(next.key)
			if left := after.after(next.key, all); err != nil || len(left) > 0 {
				return left, err
			}
		}
	})
}

func (m *removed) walker(ctx context.Context, prefix string) *walker {
	return &walker{tree: m.tree, reader: m.reader, ctx: ctx, noncurrent: true, versions: removedPath, prefix: prefix}
}

// entries returns the entries of a key.
func (m *removed) entries(key string) ([]versionEntry, error) {
	d, err := m.tree.open(m.dirs.versionsDir(key))
	if err != nil {
		return nil, unlessAbsent(err)
	}
	defer m.tree.closeDir(d)
	kept, _, err := m.files(d)
	if err != nil {
		return nil, err
	}
	var all []versionEntry
	for _, f := range kept {
		e, found, err := m.reader.entryIn(d, f.name, key)
		if err != nil {
			return nil, err
		}
		if found {
			shown := storage.VersionEntry{
				ListEntry: e, Version: f.version, NoncurrentSince: f.since, SoftDeletedUntil: f.until,
			}
			all = append(all, versionEntry{shown, f.name})
		}
	}
	return all, nil
}

// open opens what is kept of a key: that version or, if it is "", the newest.
func (m *removed) open(key, version string) (*osdir.File, error) {
	path := m.dirs.versionsDir(key)
	d, err := m.tree.open(path)
	if err != nil {
		return nil, cmp.Or(unlessAbsent(err), m.tree.notFoundError())
	}
	defer m.tree.closeDir(d)
	kept, _, err := m.files(d)
	if err != nil {
		return nil, err
	}
	for _, f := range kept {
		if version == "" || f.version == version {
			if file, err := m.reader.openIn(path, f.name); file != nil || err != nil {
				return file, err
			}
		}
	}
	return nil, m.tree.notFoundError()
}

// undelete writes a removed object again. The removed one stays for its time.
func (s *store) undelete(ctx context.Context, r *driver.ChangeRequest) error {
	if r.Version != "" && !validVersion(r.Version) {
		return errVersion
	}
	if there, _, err := s.objects.openObject(ctx, r.Key, ""); err == nil {
		_ = there.Close()
		return storage.PreconditionFailed
	} else if storage.CodeOf(err) != storage.ObjectNotFound {
		return err
	}
	if _, ok := s.tree.names().locate(r.Key); !ok {
		return storage.ObjectNotFound
	}
	source, err := s.removed.open(r.Key, r.Version)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }()
	old, err := s.reader.attrsOfFile(source)
	if err != nil {
		return err
	}
	var kept attrs
	if old != nil {
		kept = newAttrs(old.Properties, &storage.Controls{Tags: old.tags}, storage.CRC32C{})
	}
	_, err = s.objects.copyFile(ctx, r.Key, source, old, kept, storage.Condition{Absent: true})
	return err
}

// sweep removes what is not kept any more. If that fails, a later sweep tries again.
func (m *removed) sweep(ctx context.Context) {
	m.lastSweep.Store(m.tree.clock.now().UnixNano())
	w := m.walker(ctx, "")
	defer w.close()
	if w.open() != nil {
		return
	}
	for {
		next, more, err := w.next()
		if err != nil || !more {
			return
		}
		path := m.dirs.versionsDir(next.key)
		d, err := m.tree.open(path)
		if err != nil {
			continue
		}
		_, over, _ := m.files(d)
		for _, f := range over {
			if at, err := m.reader.statObject(d, f.name); err == nil && at.found() &&
				osdir.RetryInUse(ctx, func() error { return d.Unlink(f.name) }) == nil {
				m.reader.dropSidecar(at.meta)
			}
		}
		m.tree.closeDir(d)
		if len(over) > 0 {
			m.tree.prune(ctx, path, removedPath)
		}
	}
}

// Restore does nothing for an object that exists, because no object here is archived.
func (d *objectDriver) Restore(ctx context.Context, r *driver.ChangeRequest) error {
	if r.SoftDeleted {
		s, err := d.acquire(ctx)
		if err != nil {
			return err
		}
		defer d.release(s)
		return s.undelete(ctx, r)
	}
	_, err := d.Head(ctx, &driver.GetRequest{Key: r.Key, Version: r.Version, Length: -1})
	return err
}
