package local

import (
	"cmp"
	"context"
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// Copy copies an object. The kernel copies the bytes if it can, and on some file systems
// shares them. A hard link would be cheaper but wrong: both names would share attributes
// and revision, and a change by an editor.
func (d *objectDriver) Copy(ctx context.Context, r *driver.CopyRequest) (*storage.Attrs, error) {
	s, err := d.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer d.release(s)
	parent, bucket := resolvedPath(d)
	if r.Source.Account != (account{parent}) {
		return nil, storage.Unsupported
	}
	if err := s.settings.checkControls(ctx, &r.Controls); err != nil {
		return nil, err
	}
	from := s
	if r.Source.Bucket != bucket {
		var done func()
		if from, done, err = openOnce(ctx, bucketDriver(parent, r.Source.Bucket, Config{NoSync: true})); err != nil {
			return nil, missingSource(r.Source, err)
		}
		defer done()
	}
	source, old, err := from.objects.source(ctx, r.Source)
	if err != nil {
		return nil, err
	}
	defer func() { _ = source.Close() }()
	return s.objects.copyFile(
		ctx, r.Key, source, old, newAttrs(r.Properties, &r.Controls, storage.CRC32C{}), r.Condition,
	)
}

// copyFile makes an object with the bytes of source, which has the attributes old, and with other attributes.
func (o *objects) copyFile(
	ctx context.Context, key string, source *osdir.File, old *attrs, a attrs, c storage.Condition,
) (*storage.Attrs, error) {
	st, err := o.staging.stage(ctx)
	if err != nil {
		return nil, err
	}
	defer o.staging.discard(st)
	file := source.OSFile(key)
	if err := st.append(ctx, file, 0, source.Meta.Size); err != nil {
		return nil, err
	}
	if err := checkUnchanged(source); err != nil {
		return nil, err
	}
	st.attrs = a
	if old.matches(source.Meta) {
		st.attrs.crc = old.crc
	}
	if err := file.Close(); err != nil { // the source may be the file that is replaced
		return nil, failure(err)
	}
	return o.save(ctx, key, st, c)
}

// Move renames the file of an object onto a free key: the object keeps its attributes, revision and
// time. If more than the name would change, or a copy would keep less, it fails with Unsupported.
func (d *objectDriver) Move(ctx context.Context, r *driver.MoveRequest) (*storage.Attrs, error) {
	s, err := d.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer d.release(s)
	var moved *storage.Attrs
	err = s.tree.retry(ctx, func() error {
		f, a, err := s.objects.openObject(ctx, r.From, "")
		if err != nil {
			return err
		}
		_ = f.Close()
		if a == nil || a.ContentType == "" || a.publicRead || f.Meta.Links > 1 || s.reader.writesVisible() {
			return storage.Unsupported
		}
		moved = s.reader.attrsOf(r.Key, f.Meta, a)
		return s.objects.moveOnce(ctx, r, f.Meta)
	})
	if err != nil {
		return nil, err
	}
	return moved, nil
}

// moveOnce moves the object whose file has this meta.
func (o *objects) moveOnce(ctx context.Context, r *driver.MoveRequest, meta osdir.Meta) error {
	from, _ := o.tree.names().locate(r.From)
	to, ok := o.tree.names().locate(r.Key)
	if !ok {
		return argument.Invalid("key", "must not have an empty segment", "")
	}
	target, err := o.makeDirs(ctx, r.Key, to)
	if err != nil {
		return err
	}
	source, err := o.tree.open(from.dir)
	if err == nil {
		err = o.moveLocked(ctx, r, o.candidates(from, source), o.candidates(to, target), meta)
		if err == nil {
			err = unknownOutcome(errors.Join(o.tree.flush(target), o.tree.flush(source)))
		}
		o.tree.closeDir(source)
	} else if osdir.IsNoFile(err) {
		err = errAgain
	}
	o.tree.closeDir(target) // an open directory could not be removed
	o.tree.prune(ctx, from.dir, "")
	if err != nil {
		o.tree.prune(ctx, to.dir, "")
	}
	return err
}

func (o *objects) moveLocked(ctx context.Context, r *driver.MoveRequest, from, to *candidates, meta osdir.Meta) error {
	defer from.close()
	defer to.close()
	unlock, err := o.locks.lockBoth(ctx, r.From, r.Key)
	if err != nil {
		return err
	}
	defer unlock()
	if err := cmp.Or(interrupted(ctx), o.settings.learnVersioning()); err != nil {
		return err
	}
	at, err := from.find()
	if err != nil {
		return err
	}
	old, err := to.find()
	if err == nil {
		err = o.reader.checkWrite(old, r.Condition)
	}
	if err != nil {
		return err
	}
	visible, err := from.hasVisible() // a rename would lose the sidecar, and the attributes that only it has
	if err != nil {
		return err
	}
	elsewhere := at.found() && (at.dir != from.plain || at.base != from.l.base)
	switch now, err := from.plain.Stat(from.l.base); {
	case old.found(), o.tree.keepsVersions(), elsewhere, visible, err == nil && now.Kind == osdir.KindLink:
		return storage.Unsupported
	case !at.found(), err != nil, now.Ino != meta.Ino, now.MTime != meta.MTime, now.Size != meta.Size:
		return errAgain // the file is another object by now, or gone
	}
	if err := from.removeOthers(ctx); err != nil {
		return err
	}
	if err := to.install(ctx, &stagedFile{dir: from.plain, name: from.l.base}, false); err != nil {
		return err
	}
	return unknownOutcome(o.tree.checkPlace())
}

// source opens the source of a copy. If it is not the revision that the caller has seen,
// it fails with Changed.
func (o *objects) source(ctx context.Context, ref driver.ObjectRef) (*osdir.File, *attrs, error) {
	f, a, err := o.openObject(ctx, ref.Key, ref.Version)
	if err != nil {
		return nil, nil, missingSource(ref, err)
	}
	if ref.Revision != "" && ref.Revision != o.reader.tagOf(f.Meta, a).revision() {
		_ = f.Close()
		return nil, nil, storage.Changed
	}
	return f, a, nil
}

// missingSource returns the error for a missing source: Changed, if the core has seen the
// source, and otherwise err.
func missingSource(ref driver.ObjectRef, err error) error {
	if code := storage.CodeOf(err); ref.Revision != "" &&
		(code == storage.ObjectNotFound || code == storage.BucketNotFound) {
		return storage.Changed
	}
	return err
}

// checkUnchanged fails with Changed if another program has edited the file in place.
func checkUnchanged(source *osdir.File) error {
	now, err := source.Stat()
	if err != nil {
		return failure(err)
	}
	if now.MTime != source.Meta.MTime || now.Size != source.Meta.Size {
		return storage.Changed
	}
	return nil
}
