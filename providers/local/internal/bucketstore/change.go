package bucketstore

import (
	"context"
	"maps"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/local/internal/bucketdir"
	"github.com/omnibucket/storage/providers/local/internal/objectfile"
)

// Tags returns the tags of the current object, or of the version that r names.
func (o *Objects) Tags(ctx context.Context, r *driver.GetRequest) (map[string]string, error) {
	f, attrs, err := o.OpenObject(ctx, r.Key, r.Version)
	if err != nil {
		return nil, err
	}
	_ = f.Close()

	if err := objectfile.CheckRead(o.reader.TagOf(f.Meta, attrs).Revision(), r.Condition); err != nil {
		return nil, err
	}
	if attrs == nil {
		// Another program has created the file, without tags.
		return nil, nil
	}
	return attrs.Tags, nil
}

// SetTags replaces all tags of the object or the version that r names.
func (o *Objects) SetTags(ctx context.Context, r *driver.ChangeRequest) error {
	return o.changeAttrs(ctx, r, func(_ BucketSettings, attrs *objectfile.Attrs) error {
		attrs.Tags = maps.Clone(r.Tags)
		return nil
	})
}

// changeAttrs changes the attributes of an object in place, so that its revision stays. change gets
// the settings of the bucket and the attributes to change. If it fails, nothing changes.
func (o *Objects) changeAttrs(
	ctx context.Context, r *driver.ChangeRequest, change func(BucketSettings, *objectfile.Attrs) error,
) error {
	loc, ok := o.tree.Names().Locate(r.Key)
	if !ok {
		return o.tree.NotFoundError()
	}
	if err := o.initializeFor(loc); err != nil {
		return err
	}
	dir, err := o.tree.OpenIfThere(loc.Dir)
	if err != nil {
		return err
	}
	defer o.tree.CloseDir(dir)

	// Turn object lock on, if requested, before the key is locked. changeLocked reads the settings
	// again, under the lock.
	if _, err := o.settings.EnsureObjectLock(ctx); err != nil {
		return err
	}
	unlock, err := o.locks.Lock(ctx, r.Key)
	if err != nil {
		return err
	}
	defer unlock()

	// The candidates are the files that may be the object.
	candidates := o.Candidates(loc, dir)
	defer candidates.Close()
	return o.changeLocked(ctx, candidates, r, change)
}

// initializeFor initializes the bucket for a change of the object at loc. It fails with ObjectNotFound
// if the bucket was never written and has no such object.
func (o *Objects) initializeFor(loc bucketdir.Location) error {
	if ok, err := o.tree.IsInitialized(); ok || err != nil {
		return err
	}
	f, err := o.reader.OpenCurrent(loc)
	if err != nil {
		return err
	}
	if f == nil {
		return o.tree.NotFoundError()
	}
	_ = f.Close()
	return o.tree.Initialize()
}

// changeLocked calls change with the attributes of the current object, or of the version that r names,
// and stores the result. The caller must hold the lock of the key.
func (o *Objects) changeLocked(
	ctx context.Context, candidates *objectfile.Candidates, r *driver.ChangeRequest,
	change func(BucketSettings, *objectfile.Attrs) error,
) error {
	settings, err := o.settings.currentSettings()
	if err != nil {
		return err
	}
	changeWithSettings := func(attrs *objectfile.Attrs) error { return change(settings, attrs) }

	current, err := candidates.Find()
	if err != nil {
		return err
	}
	if r.Version == "" && !current.Found() {
		return o.tree.NotFoundError()
	}
	namesCurrent := r.Version == "" || current.Found() && objectfile.VersionOf(current.Meta) == r.Version
	if namesCurrent {
		return candidates.ChangeCurrent(ctx, current, changeWithSettings)
	}

	version, err := o.noncurrent.openVersion(r.Key, r.Version)
	if err != nil {
		return err
	}
	if version == nil {
		return o.tree.NotFoundError()
	}
	defer version.Close()
	return o.staging.ChangeFile(ctx, version, changeWithSettings)
}
