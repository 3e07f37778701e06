package local

import (
	"context"
	"errors"
	"maps"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// Tags returns the tags of the current object or a version of it.
func (d *objectDriver) Tags(ctx context.Context, r *driver.GetRequest) (map[string]string, error) {
	s, err := d.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer d.release(s)
	f, a, err := s.objects.openObject(ctx, r.Key, r.Version)
	if err != nil {
		return nil, err
	}
	_ = f.Close()
	if err := checkRead(s.reader.tagOf(f.Meta, a).revision(), r.Condition); err != nil || a == nil {
		return nil, err
	}
	return a.tags, nil
}

// SetTags replaces the tags.
func (d *objectDriver) SetTags(ctx context.Context, r *driver.ChangeRequest) error {
	return d.change(ctx, r, func(_ bucketSettings, a *attrs) error {
		a.tags = maps.Clone(r.Tags)
		return nil
	})
}

// change changes the attributes of an object, in its place: the file stays the same, and with
// it the revision.
func (d *objectDriver) change(
	ctx context.Context, r *driver.ChangeRequest, f func(bucketSettings, *attrs) error,
) error {
	if r.Version != "" && !validVersion(r.Version) {
		return errVersion
	}
	s, err := d.acquire(ctx)
	if err != nil {
		return err
	}
	defer d.release(s)
	l, ok := s.tree.names().locate(r.Key)
	if !ok {
		return s.tree.notFoundError()
	}
	if err := s.objects.initializeFor(l); err != nil {
		return err
	}
	plain, err := s.tree.openIfThere(l.dir)
	if err != nil {
		return err
	}
	defer s.tree.closeDir(plain)
	if _, err := s.settings.lockingSettings(ctx); err != nil {
		return err
	}
	unlock, err := s.locks.lock(ctx, r.Key)
	if err != nil {
		return err
	}
	defer unlock()
	at := s.objects.candidates(l, plain)
	defer at.close()
	return s.objects.changeLocked(ctx, at, r, f)
}

// initializeFor makes the reserved directory, if the bucket has the object at l. Otherwise it fails
// with ObjectNotFound.
func (o *objects) initializeFor(l location) error {
	if written, err := o.tree.isInitialized(); written || err != nil {
		return err
	}
	f, err := o.reader.openCurrent(l)
	if err != nil {
		return err
	}
	if f == nil {
		return o.tree.notFoundError()
	}
	_ = f.Close()
	return o.tree.initialize()
}

func (o *objects) changeLocked(
	ctx context.Context, at *candidates, r *driver.ChangeRequest, f func(bucketSettings, *attrs) error,
) error {
	settings, err := o.settings.current()
	if err != nil {
		return err
	}
	current, err := at.find()
	if err != nil {
		return err
	}
	if current.found() && (r.Version == "" || versionOf(current.meta) == r.Version) {
		return at.changeCurrent(ctx, current, func(a *attrs) error { return f(settings, a) })
	}
	if r.Version == "" {
		return o.tree.notFoundError()
	}
	old, err := o.noncurrent.openVersion(r.Key, r.Version)
	if err != nil {
		return err
	}
	if old == nil {
		return o.tree.notFoundError()
	}
	defer func() { _ = old.Close() }()
	return o.staging.changeFile(ctx, old, func(a *attrs) error { return f(settings, a) }, nil)
}

// changeCurrent changes the attributes of the current object. Its visible sidecar is removed
// before and written again afterwards, as by a write.
func (s *candidates) changeCurrent(ctx context.Context, current objectFile, change func(*attrs) error) error {
	if err := s.adoptVisible(ctx, current); err != nil && !osdir.IsNoFile(err) {
		return failure(err)
	}
	f, err := current.dir.Open(current.base)
	if osdir.IsNoFile(err) {
		return s.tree.notFoundError()
	}
	if err != nil {
		return failure(err)
	}
	defer func() { _ = f.Close() }()
	var visible *stagedFile
	defer func() {
		if visible != nil {
			s.staging.discard(visible)
		}
	}()
	err = s.staging.changeFile(ctx, f, change, func(a *attrs) (err error) {
		if s.reader.writesVisible() {
			if visible, err = s.staging.stageVisible(ctx, a, f.Meta); err != nil {
				return err
			}
		}
		return s.dropVisible(ctx)
	})
	if err != nil || visible == nil {
		return err
	}
	return s.putVisible(ctx, visible)
}

// changeFile changes the attributes of a file. It calls before, unless that is nil, just before
// it replaces them.
func (s *staging) changeFile(
	ctx context.Context, f *osdir.File, change func(*attrs) error, before func(*attrs) error,
) error {
	a, err := s.reader.attrsOfFile(f)
	if err != nil {
		return err
	}
	if a == nil { // another program made the file
		a = &attrs{}
	}
	if err := change(a); err != nil {
		return err
	}
	a.fit(f.Meta)
	if before != nil {
		if err := before(a); err != nil {
			return err
		}
	}
	return s.replaceAttrs(ctx, f, a)
}

// fit makes a match the file. If another program has changed the file, fit removes checksum and
// revision, which belong to the file as it was written.
func (a *attrs) fit(m osdir.Meta) {
	if !a.matches(m) {
		a.crc, a.unique, a.size, a.mtime = storage.CRC32C{}, "", m.Size, m.MTime
	}
}

// replaceAttrs atomically replaces the attributes of a visible file. A sidecar that is not used
// any more stays, because a reader may be about to read it.
func (s *staging) replaceAttrs(ctx context.Context, f *osdir.File, a *attrs) error {
	value := a.encode()
	if !s.reader.noXattr && f.SetXattr(value) == nil {
		return s.syncAttrs(f)
	}
	w, err := s.dir(ctx)
	if err != nil {
		return err
	}
	if err := s.writeSidecar(&stagedFile{dir: w.dir, meta: f.Meta}, value); err != nil {
		return err
	}
	if s.reader.noXattr {
		return nil
	}
	old, err := f.Xattr()
	if old == nil || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	if err := f.RemoveXattr(); err != nil { // until then, the old attributes are in force
		return failure(err)
	}
	return s.syncAttrs(f)
}

func (s *staging) syncAttrs(f *osdir.File) error {
	if !s.tree.sync {
		return nil
	}
	return unknownOutcome(f.Sync())
}
