package local

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// Put writes a hidden file with its attributes, and renames it to its place. Readers get
// either the old object or the new one, each with its own attributes.
func (d *objectDriver) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	turn, err := bodies.takeOrPass(ctx)
	if err != nil {
		return nil, err
	}
	defer bodies.endIf(turn)
	s, err := d.acquireNow(ctx)
	if err != nil {
		return nil, err
	}
	defer d.releaseNow(s)
	if err := s.settings.checkControls(ctx, &r.Controls); err != nil {
		return nil, err
	}
	st, err := s.staging.stage(ctx)
	if err != nil {
		return nil, err
	}
	defer s.staging.discard(st)
	if err := s.staging.fill(ctx, st.file, r.Body); err != nil {
		return nil, err
	}
	st.attrs = newAttrs(r.Properties, &r.Controls, r.CRC32C)
	if err := calls.take(ctx); err != nil {
		return nil, err
	}
	defer calls.end()
	return s.objects.save(ctx, r.Key, st, r.Condition)
}

// objects writes and removes objects.
type objects struct {
	tree       *tree
	reader     *reader
	locks      *locks
	staging    *staging
	settings   *settings
	noncurrent *noncurrent
	removed    *removed
}

// save seals a staged file and makes it the object of key.
func (o *objects) save(ctx context.Context, key string, st *stagedFile, c storage.Condition) (*storage.Attrs, error) {
	if err := o.settings.lockNew(ctx, &st.attrs); err != nil {
		return nil, err
	}
	if err := o.staging.seal(st); err != nil {
		return nil, err
	}
	if o.reader.writesVisible() {
		var err error
		if st.visible, err = o.staging.stageVisible(ctx, &st.attrs, st.meta); err != nil {
			return nil, err
		}
	}
	if err := o.commit(ctx, key, st, c); err != nil {
		return nil, err
	}
	return o.reader.attrsOf(key, st.meta, &st.attrs), nil
}

// commit makes a sealed file the object of key, if c holds. It makes directories before it
// takes the lock of the key, because that may take the locks of other keys. If a directory
// was removed in between because it was empty, commit starts over.
func (o *objects) commit(ctx context.Context, key string, st *stagedFile, c storage.Condition) error {
	l, ok := o.tree.names().locate(key)
	if !ok {
		return argument.Invalid("key", "must not have an empty segment", "")
	}
	return o.tree.retry(ctx, func() error {
		target, err := o.makeDirs(ctx, key, l)
		if err != nil {
			return err
		}
		defer o.tree.closeDir(target)
		err = o.placeLocked(ctx, key, target, l, st, c)
		if err == nil {
			err = unknownOutcome(o.tree.flush(target))
		}
		return err
	})
}

func (o *objects) placeLocked(
	ctx context.Context, key string, target *osdir.Dir, l location, st *stagedFile, c storage.Condition,
) error {
	unlock, err := o.locks.lock(ctx, key)
	if err != nil {
		return err
	}
	defer unlock()
	if err := interrupted(ctx); err != nil {
		return err
	}
	at := o.candidates(l, target)
	defer at.close()
	if st.upload != nil {
		if _, err := st.upload.Stat(uploadKeyName); osdir.IsNoFile(err) {
			return errUpload // another call has completed or aborted the upload since the parts were joined
		} else if err != nil {
			return failure(err)
		}
	}
	if err := o.place(ctx, key, at, st, c); err != nil {
		return err
	}
	if err := o.tree.checkPlace(); err != nil {
		return unknownOutcome(err) // the object may be in a directory that is no longer the bucket
	}
	if st.upload == nil {
		return nil
	}
	return o.endUpload(st.upload, target)
}

// place checks the condition and renames. The caller holds the lock of the key.
func (o *objects) place(ctx context.Context, key string, at *candidates, st *stagedFile, c storage.Condition) error {
	if err := o.settings.learnVersioning(); err != nil {
		return err
	}
	old, err := at.find()
	if err != nil {
		return err
	}
	if err := o.reader.checkWrite(old, c); err != nil {
		return err
	}
	if old.found() {
		if err := at.adopt(ctx, old); err != nil {
			return err
		}
	}
	if o.tree.keepsVersions() {
		err = o.keepOrder(ctx, key, old, st)
	} else {
		err = o.removed.keep(ctx, key, old)
	}
	if err != nil {
		return err
	}
	if err := o.staging.keepMode(st, old); err != nil {
		return err
	}
	if err := at.dropVisible(ctx); err != nil {
		return err
	}
	defer o.reader.holdInode(old)()
	if err := at.install(ctx, st, c.Absent); err != nil {
		return err
	}
	if !o.tree.keepsVersions() {
		o.removed.drop(old.meta)
	}
	if st.visible == nil {
		return nil
	}
	if err := o.staging.keepMode(st.visible, old); err != nil {
		return unknownOutcome(err)
	}
	return at.putVisible(ctx, st.visible)
}

// keepOrder keeps the current object, if there is one, as a version. It makes the staged file later
// than all versions of the key.
func (o *objects) keepOrder(ctx context.Context, key string, old objectFile, st *stagedFile) error {
	newest := old.meta.MTime
	if !old.found() {
		var err error
		if newest, err = o.noncurrent.newestKeptOf(key); err != nil {
			return err
		}
	}
	if newest >= st.meta.MTime {
		if err := o.staging.restamp(st, newest); err != nil {
			return err
		}
	}
	if !old.found() {
		return nil
	}
	return o.noncurrent.keepVersion(ctx, key, old)
}

// checkWrite checks the condition of a write.
func (r *reader) checkWrite(old objectFile, c storage.Condition) error {
	switch {
	case c.Absent && old.found(), c.Revision != "" && !old.found():
		return storage.PreconditionFailed
	case c.Revision == "":
		return nil
	}
	t, err := r.tagAt(old)
	if err == nil && t.revision() != c.Revision {
		err = storage.PreconditionFailed
	}
	return err
}

// tagAt returns the tag of a file, in the form of listings and attributes.
func (r *reader) tagAt(at objectFile) (tag, error) {
	if !r.tree.coarse.Load() {
		return makeTag(at.meta), nil
	}
	a, meta, err := r.attrsAt(at)
	if err != nil {
		return "", err
	}
	return r.tagOf(meta, a), nil
}
