package transfer

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/piecemeal"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/transfer/internal/joberror"
	"github.com/omnibucket/storage/transfer/internal/listing"
)

// Undelete makes the newest version of each removed object current again, in a bucket that keeps
// versions. In a store such as S3, where a delete marker is a version of its own, it removes the delete
// markers in batches. In other stores, it copies the newest version. If an object has only soft-deleted
// versions left ([storage.SoftDelete]), Undelete restores the newest of them.
//
// Undelete accepts [WithDryRun], [WithProgress], [WithConcurrency], [WithChanges], which reports what
// was done with each object, and the options of a [Filter], which select by the size and time of the
// version. The [Report] counts restored objects in Transferred, and objects that were current already
// in Skipped. The error has the same form as an error of [Sync]. If the bucket has neither
// [storage.Versioning] nor [storage.SoftDelete], Undelete fails with Unsupported. A bucket that keeps
// versions must be opened with [storage.WithVersioning].
//
// Undelete does not replace an object that another program writes during the call, if the store
// supports [storage.IfAbsent].
//
// Undelete does not restore objects that belong to layers: the notes of a mirror, and the tombstones
// and markers of an overlay. It restores a version that a marker of an overlay hides. Nor does it
// restore the small objects with which jobs test whether two places are the same.
//
// Undelete recognizes a soft-deleted marker of an overlay only after restoring it, and then removes the
// marker again. A dry run counts such a marker as restored.
func Undelete(ctx context.Context, b storage.Bucket, opts ...Option) (*Report, error) {
	r := &reverter{
		op:     "Undelete",
		bucket: b,
		list:   listing.RemovedVersions,
		decide: decideUndelete,
	}
	return r.run(ctx, opts)
}

// decideUndelete returns how [Undelete] brings back an object whose versions are given, the newest
// first.
func decideUndelete(versions []storage.VersionEntry) reversion {
	newest := versions[0]
	if newest.Current && !newest.IsDeleteMarker {
		return reversion{action: keepVersion, version: newest}
	}

	isContent := func(v storage.VersionEntry) bool { return !v.IsDeleteMarker }
	index := slices.IndexFunc(versions, isContent)
	// All versions are delete markers.
	if index < 0 {
		return reversion{action: leaveObject}
	}

	markers := versions[:index]
	version := versions[index]
	if !version.SoftDeletedUntil.IsZero() {
		return reversion{
			action:  restoreRemoved,
			version: version,
			below:   slices.Clone(versions[index+1:]),
		}
	}

	// No marker hides the version, or one of them cannot be removed, because it has no version id.
	if len(markers) == 0 || slices.ContainsFunc(markers, hasNoVersion) {
		return reversion{
			action:   bringBack,
			version:  version,
			replaces: newest.Current,
		}
	}
	return reversion{
		action:  removeMarkers,
		version: version,
		markers: slices.Clone(markers),
	}
}

// hasNoVersion reports whether a delete marker has no version of its own, so that it cannot be
// removed.
func hasNoVersion(marker storage.VersionEntry) bool {
	return marker.Version == ""
}

// RestoreAt makes the version of each object that was current at a point in time current again, in a
// bucket that keeps versions. An object that did not exist at that time stays, unless [WithDelete] is
// given: RestoreAt then removes the object, but not its versions. The options, counts and errors are
// those of [Undelete]. An object whose right version is current already counts as Skipped.
//
// S3 lists the times of versions in whole seconds. RestoreAt treats a version from the same second as
// the given time as written before it.
//
// To repeat a call after a failure, make the same call again with the same time.
func RestoreAt(ctx context.Context, b storage.Bucket, t time.Time, opts ...Option) (*Report, error) {
	r := &reverter{
		op:     "RestoreAt",
		bucket: b,
		list:   listing.KeptVersions,
		decide: func(versions []storage.VersionEntry) reversion { return decideRestoreAt(versions, t) },
	}
	return r.run(ctx, opts)
}

// decideRestoreAt returns how [RestoreAt] brings an object back to its state at the time t. versions
// holds the versions of the object, the newest first.
func decideRestoreAt(versions []storage.VersionEntry, t time.Time) reversion {
	newest := versions[0]
	existsNow := newest.Current && !newest.IsDeleteMarker

	wasCurrent := func(v storage.VersionEntry) bool { return wasCurrentAt(v, t) }
	index := slices.IndexFunc(versions, wasCurrent)
	if index < 0 {
		// The object did not exist at that time.
		if existsNow {
			return reversion{action: removeCurrent, version: newest}
		}
		return reversion{action: leaveObject}
	}

	wanted := versions[index]
	if wanted.Current {
		return reversion{action: keepVersion, version: wanted}
	}
	return reversion{action: bringBack, version: wanted, replaces: existsNow}
}

// wasCurrentAt reports whether a version may have been the current object at a time. The newest such
// version was the current one.
func wasCurrentAt(v storage.VersionEntry, t time.Time) bool {
	if v.IsDeleteMarker || v.Modified.After(t) {
		return false
	}
	if v.Current || v.NoncurrentSince.IsZero() {
		// The store does not report when a version with a zero time was replaced.
		return true
	}
	return v.NoncurrentSince.After(t)
}

// A reversion describes what will be done with one object.
type reversion struct {
	action   revertAction
	version  storage.VersionEntry
	replaces bool // whether the object has a current version
	markers  []storage.VersionEntry
	below    []storage.VersionEntry // older versions, for the action restoreRemoved
}

// A revertAction says how an object is changed to the version of its reversion.
type revertAction int

const (
	leaveObject revertAction = iota // do nothing, because no version can come back
	keepVersion                     // do nothing, because the version is current
	bringBack                       // copy the version, so that it becomes current
	removeCurrent
	removeMarkers  // remove the newer delete markers, so that the version becomes current
	restoreRemoved // restore the version, which was soft-deleted
)

// A reverter does the work of one call of [Undelete] or [RestoreAt].
type reverter struct {
	op       string
	settings *settings
	reporter reporter
	bucket   storage.Bucket
	slots    *semaphore
	marked   []reversion // reversions with the action removeMarkers, collected for a batch
	// list yields the versions of each key with a prefix.
	list func(ctx context.Context, b storage.Bucket, prefix string) iter.Seq2[[]storage.VersionEntry, error]
	// decide returns the reversion of an object. It gets the versions of one key, the newest first.
	decide func(versions []storage.VersionEntry) reversion
}

// run reverts the objects of the bucket. It returns a report even if it fails.
func (r *reverter) run(ctx context.Context, opts []Option) (*Report, error) {
	// The second store of a mirror may lack the latest versions.
	ctx = evidence.WithoutFailover(ctx)
	r.settings = readOptions(opts)
	r.settings.leaveOutLeases(ctx, r.bucket)
	r.reporter.begin(r.settings)
	if r.bucket == nil {
		r.settings.fail("bucket", "must not be nil")
	}

	err := r.check()
	if err == nil {
		err = r.execute(ctx)
	}
	return r.reporter.end(setOp(r.op, err))
}

// check returns an error if the options are invalid or the bucket is not one of this library.
func (r *reverter) check() error {
	if r.settings.err != nil {
		return r.settings.err
	}
	return argument.NeedBucket(r.bucket, r.op, "")
}

// execute reverts all objects. It returns the error that ended the call early, or nil.
func (r *reverter) execute(ctx context.Context) error {
	r.slots = newSemaphore(r.settings.concurrency)
	stop := r.reporter.meter.reportProgress(r.settings.progress)

	var group running.Group
	err := r.walk(ctx, &group)
	group.Wait()
	stop()

	if ctx.Err() != nil {
		return joberror.OfContext(ctx.Err())
	}
	return err
}

// walk lists all versions, and starts to revert each object.
func (r *reverter) walk(ctx context.Context, group *running.Group) error {
	for versions, err := range r.list(ctx, r.bucket, r.settings.files.Prefix) {
		if err != nil {
			return err
		}
		key := versions[0].Key
		if evidence.IsKey(key) {
			// A job has stored this object only to test whether two places are one.
			continue
		}
		if err := r.hideMarkers(ctx, versions); err != nil {
			r.reporter.countFailed(ctx, key, err)
			continue
		}
		if !r.start(ctx, group, versions) {
			return nil
		}
	}
	r.startRemovingMarkers(ctx, group)
	r.reporter.meter.listed.Store(true)
	return nil
}

// start begins to revert one object, whose versions are given. It returns false if ctx is done.
func (r *reverter) start(ctx context.Context, group *running.Group, versions []storage.VersionEntry) bool {
	// Skip an object that cannot come back, or that the options leave out.
	rev := r.decide(versions)
	v := rev.version
	if rev.action == leaveObject || !r.settings.files.SelectsFile(v.Key, v.Size, v.Modified) {
		return true
	}
	if rev.action == removeCurrent && !r.settings.remove {
		return true
	}

	r.reporter.meter.totalFiles.Add(1)
	if rev.action == keepVersion {
		r.countUnchanged(v.Key, v.Size)
		return true
	}
	if r.settings.dryRun {
		r.countReverted(rev)
		return true
	}

	// Delete markers are removed in batches.
	if rev.action == removeMarkers {
		r.marked = append(r.marked, rev)
		if len(r.marked) < piecemeal.MaxFailures {
			return true
		}
		return r.startRemovingMarkers(ctx, group)
	}

	if !r.slots.acquire(ctx, 1) {
		return false
	}
	group.Go(func() {
		defer r.slots.release(1)
		r.revertAndCount(ctx, rev)
	}, nil)
	return true
}

// revertAndCount reverts one object, and counts the result.
func (r *reverter) revertAndCount(ctx context.Context, rev reversion) {
	key := rev.version.Key
	err := r.revertKey(ctx, rev)
	switch {
	case err == nil:
		r.countReverted(rev)
		r.slots.ended(0, 1) // one request, which transferred no bytes
	case storage.CodeOf(err) == storage.PreconditionFailed:
		// Another program has written the object meanwhile.
		r.countUnchanged(key, 0)
	default:
		r.reporter.countFailed(ctx, key, err)
	}
}

// startRemovingMarkers starts to remove the delete markers of the reversions in r.marked, and empties
// r.marked. It returns false if ctx is done.
func (r *reverter) startRemovingMarkers(ctx context.Context, group *running.Group) bool {
	batch := r.marked
	r.marked = nil
	if len(batch) == 0 {
		return true
	}
	if !r.slots.acquire(ctx, 1) {
		return false
	}
	group.Go(func() {
		defer r.slots.release(1)
		errs := r.removeMarkers(ctx, batch)
		for _, rev := range batch {
			key := rev.version.Key
			if err := errs[key]; err != nil {
				r.reporter.countFailed(ctx, key, err)
				continue
			}
			r.countReverted(rev)
		}
	}, nil)
	return true
}

// removeMarkers removes the delete markers of a batch, so that the versions below them become current.
// It returns an error for each key that may still have a marker.
func (r *reverter) removeMarkers(ctx context.Context, batch []reversion) map[string]error {
	var allMarkers []storage.VersionEntry
	for _, rev := range batch {
		allMarkers = append(allMarkers, rev.markers...)
	}

	keyErrs := map[string]error{} // the first error of each key
	for markers := range slices.Chunk(allMarkers, piecemeal.MaxFailures) {
		// A delete marker is a version. The second result is also in errs, for each marker that was not tried.
		const areVersions = true
		errs, _ := piecemeal.Remove(ctx, r.bucket, markers, areVersions)
		for i, err := range errs {
			key := markers[i].Key
			keyErrs[key] = cmp.Or(keyErrs[key], err)
		}
	}
	return keyErrs
}

// revertKey sends the requests that revert one object. If the object has no current version, it does
// not replace one that another program writes meanwhile.
func (r *reverter) revertKey(ctx context.Context, rev reversion) error {
	key := rev.version.Key
	switch rev.action {
	case removeCurrent:
		return r.bucket.Remove(ctx, key)
	case restoreRemoved:
		return r.restore(ctx, rev)
	}

	// A copy of the version becomes current.
	opts := []storage.CopyOption{storage.WithVersion(rev.version.Version)}
	if !rev.replaces && storage.Supports(r.bucket, storage.ConditionalCreate) {
		opts = append(opts, storage.IfAbsent())
	}
	_, err := storage.Copy(ctx, r.bucket, key, r.bucket, key, opts...)
	return err
}

// countReverted counts an object that was reverted, or that would be without a dry run.
func (r *reverter) countReverted(rev reversion) {
	v := rev.version
	action := VersionCopied
	switch rev.action {
	case removeCurrent:
		r.reporter.meter.files.Add(1)
		r.reporter.countRemoved(v.Key, v.Size)
		return
	case removeMarkers:
		action = MarkerRemoved
	case restoreRemoved:
		action = Restored
	}
	r.reporter.countStored(action, v.Key, rev.replaces, v.Size, 0)
}

// countUnchanged counts an object that stays as it is.
func (r *reverter) countUnchanged(key string, size int64) {
	r.reporter.countPassed(func(report *Report) {
		report.Skipped++
	})
	r.reporter.reportChange(Change{Action: Unchanged, Key: key, Bytes: size})
}
