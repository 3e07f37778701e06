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
// versions. In a store such as S3, each delete marker has a version of its own, and Undelete
// removes the delete markers in batches. In other stores, Undelete copies the newest version. An
// object may have only soft-deleted versions left ([storage.SoftDelete]). Undelete then restores
// the newest soft-deleted version.
//
// Undelete accepts [WithDryRun], [WithProgress], [WithConcurrency] and [WithChanges]. WithChanges
// reports what was done with each object. The options of a [Filter] select by the size and time of
// the version. The [Report] counts restored objects in Transferred. It counts objects that were
// current already in Skipped. The error has the same form as an error of [Sync]. If the bucket has
// neither [storage.Versioning] nor [storage.SoftDelete], Undelete fails with Unsupported. A bucket
// that keeps versions must be opened with [storage.WithVersioning].
//
// If another program writes an object during the call, Undelete does not replace that object. This
// protection needs a store that supports [storage.IfAbsent].
//
// Undelete does not restore objects that belong to layers: the notes of a mirror, and the
// tombstones and markers of an overlay. If a marker of an overlay hides a version, Undelete
// restores that version. Jobs also store small objects, to test whether two places are the same.
// Undelete does not restore these objects either.
//
// A soft-deleted version may be a marker of an overlay. Undelete must restore such a version before
// it can recognize the marker. It then removes the marker again. A dry run counts the marker as
// restored.
func Undelete(ctx context.Context, b storage.Bucket, opts ...Option) (*Report, error) {
	return revert(ctx, "Undelete", b, opts, listing.RemovedVersions, func(versions []storage.VersionEntry) reversion {
		if versions[0].Current && !versions[0].IsDeleteMarker {
			return reversion{action: keepVersion, version: versions[0]}
		}
		for i, v := range versions {
			switch {
			case v.IsDeleteMarker:
			case !v.SoftDeletedUntil.IsZero():
				return reversion{action: restoreRemoved, version: v, below: slices.Clone(versions[i+1:])}
			case i == 0 || slices.ContainsFunc(versions[:i], func(marker storage.VersionEntry) bool { return marker.Version == "" }):
				return reversion{action: bringBack, version: v, replaces: versions[0].Current}
			default:
				return reversion{action: removeMarkers, version: v, markers: slices.Clone(versions[:i])}
			}
		}
		return reversion{}
	})
}

// RestoreAt restores each object to a point in time, in a bucket that keeps versions. The version
// that was current at that time becomes current again. An object that did not exist at that time
// stays. With [WithDelete], RestoreAt removes such an object, but not its versions. RestoreAt has
// the options, counts and errors of [Undelete]. If the right version of an object is current
// already, the object counts as Skipped.
//
// S3 lists the times of versions in whole seconds. If a version was written in the same second as
// the given time, RestoreAt treats the version as written before that time.
//
// To repeat a call after a failure, make the same call again with the same time.
func RestoreAt(ctx context.Context, b storage.Bucket, t time.Time, opts ...Option) (*Report, error) {
	return revert(ctx, "RestoreAt", b, opts, listing.KeptVersions, func(versions []storage.VersionEntry) reversion {
		current := versions[0].Current && !versions[0].IsDeleteMarker
		for _, v := range versions {
			if !wasCurrentAt(v, t) {
				continue
			}
			if v.Current {
				return reversion{action: keepVersion, version: v}
			}
			return reversion{action: bringBack, version: v, replaces: current}
		}
		if current {
			return reversion{action: removeCurrent, version: versions[0]}
		}
		return reversion{}
	})
}

// wasCurrentAt reports whether a version may have been the current object at a time. The newest
// version for which it returns true was the current one.
func wasCurrentAt(v storage.VersionEntry, t time.Time) bool {
	if v.IsDeleteMarker || v.Modified.After(t) {
		return false
	}
	// The zero time means that the store does not report when the version was replaced.
	wasReplaced := !v.Current && !v.NoncurrentSince.IsZero() && !v.NoncurrentSince.After(t)
	return !wasReplaced
}

// A reversion describes what will be done with one object.
type reversion struct {
	action   revertAction
	version  storage.VersionEntry
	replaces bool // whether the object has a current version
	markers  []storage.VersionEntry
	below    []storage.VersionEntry // older versions, for the action restoreRemoved
}

type revertAction int

const (
	leaveObject revertAction = iota
	keepVersion              // do nothing, because the version is current
	bringBack                // copy the version, so that it becomes current
	removeCurrent
	removeMarkers  // remove the newer delete markers, so that the version becomes current
	restoreRemoved // restore the version, which was soft-deleted
)

// A reverting holds the state of one call of [Undelete] or [RestoreAt].
type reverting struct {
	settings *settings
	reporter reporter
	bucket   storage.Bucket
	slots    *semaphore
	marked   []reversion // reversions with the action removeMarkers, collected for a batch
	list     func(context.Context, storage.Bucket, string) iter.Seq2[[]storage.VersionEntry, error]
	// decide returns the reversion of an object. It gets the versions of one key, the newest first.
	decide func(versions []storage.VersionEntry) reversion
}

func revert(
	ctx context.Context, op string, b storage.Bucket, opts []Option,
	list func(context.Context, storage.Bucket, string) iter.Seq2[[]storage.VersionEntry, error],
	decide func([]storage.VersionEntry) reversion,
) (*Report, error) {
	ctx = evidence.WithoutFailover(ctx)
	r := &reverting{settings: readOptions(opts), bucket: b, list: list, decide: decide}
	r.settings.leaveOutHeld(ctx, b)
	r.reporter.begin(r.settings)
	if b == nil {
		r.settings.fail("bucket", "must not be nil")
	}
	early := r.settings.err
	if early == nil {
		early = argument.NeedBucket(b, op, "")
	}
	if early == nil {
		early = r.execute(ctx)
	}
	return r.reporter.end(setOp(op, early))
}

func (r *reverting) execute(ctx context.Context) error {
	r.slots = newSemaphore(r.settings.concurrency)
	stop := r.reporter.meter.reportProgress(r.settings.progress)
	var group running.Group
	err := r.walk(ctx, &group)
	group.Wait()
	stop()
	if ctx.Err() != nil {
		err = joberror.OfContext(ctx.Err())
	}
	return err
}

// walk lists all versions, and starts the reversion of each object.
func (r *reverting) walk(ctx context.Context, group *running.Group) error {
	for versions, err := range r.list(ctx, r.bucket, r.settings.files.Prefix) {
		if err != nil {
			return err
		}
		// Skip an object that a job has stored only to test whether two places are one.
		if evidence.IsKey(versions[0].Key) {
			continue
		}
		if err := r.passMarkers(ctx, versions); err != nil {
			r.reporter.countFailed(ctx, versions[0].Key, err)
			continue
		}
		if !r.start(ctx, group, versions) {
			return nil
		}
	}
	r.startMarked(ctx, group)
	r.reporter.meter.listed.Store(true)
	return nil
}

// start begins to revert one object. It returns false if ctx is done.
func (r *reverting) start(ctx context.Context, group *running.Group, versions []storage.VersionEntry) bool {
	what := r.decide(versions)
	v := what.version
	if what.action == leaveObject || !r.settings.files.SelectsFile(v.Key, v.Size, v.Modified) ||
		what.action == removeCurrent && !r.settings.remove {
		return true
	}
	r.reporter.meter.totalFiles.Add(1)
	if what.action == keepVersion {
		r.unchanged(v.Key, v.Size)
		return true
	}
	if r.settings.dryRun {
		r.done(what)
		return true
	}

	if what.action == removeMarkers {
		r.marked = append(r.marked, what)
		if len(r.marked) < piecemeal.MaxFailures {
			return true
		}
		return r.startMarked(ctx, group)
	}

	if !r.slots.acquire(ctx, 1) {
		return false
	}
	group.Go(func() {
		defer r.slots.release(1)
		err := r.revertKey(ctx, what)
		switch {
		case err == nil:
			r.done(what)
			r.slots.ended(0, 1)
		case storage.CodeOf(err) == storage.PreconditionFailed: // the object was written meanwhile
			r.unchanged(v.Key, 0)
		default:
			r.reporter.countFailed(ctx, v.Key, err)
		}
	}, nil)
	return true
}

// startMarked starts to remove the collected delete markers. It returns false if ctx is done.
func (r *reverting) startMarked(ctx context.Context, group *running.Group) bool {
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
		still := r.removeMarkers(ctx, batch)
		for _, what := range batch {
			if err := still[what.version.Key]; err != nil {
				r.reporter.countFailed(ctx, what.version.Key, err)
			} else {
				r.done(what)
			}
		}
	}, nil)
	return true
}

// removeMarkers removes the delete markers of a batch. It returns an error for each key that may
// still have a delete marker.
func (r *reverting) removeMarkers(ctx context.Context, batch []reversion) (still map[string]error) {
	var all []storage.VersionEntry
	for _, what := range batch {
		all = append(all, what.markers...)
	}
	still = map[string]error{}
	for markers := range slices.Chunk(all, piecemeal.MaxFailures) {
		errs, _ := piecemeal.Remove(ctx, r.bucket, markers, true)
		for i, err := range errs {
			still[markers[i].Key] = cmp.Or(still[markers[i].Key], err)
		}
	}
	return still
}

func (r *reverting) revertKey(ctx context.Context, what reversion) error {
	key := what.version.Key
	switch what.action {
	case removeCurrent:
		return r.bucket.Remove(ctx, key)
	case restoreRemoved:
		return r.restore(ctx, what)
	}
	opts := []storage.CopyOption{storage.WithVersion(what.version.Version)}
	if !what.replaces && storage.Supports(r.bucket, storage.ConditionalCreate) {
		opts = append(opts, storage.IfAbsent())
	}
	_, err := storage.Copy(ctx, r.bucket, key, r.bucket, key, opts...)
	return err
}

func (r *reverting) done(what reversion) {
	v := what.version
	action := VersionCopied
	switch what.action {
	case removeCurrent:
		r.reporter.meter.files.Add(1)
		r.reporter.countRemoved(v.Key, v.Size)
		return
	case removeMarkers:
		action = MarkerRemoved
	case restoreRemoved:
		action = Restored
	}
	r.reporter.countStored(action, v.Key, what.replaces, v.Size, 0)
}

func (r *reverting) unchanged(key string, size int64) {
	r.reporter.countPassed(func(r *Report) {
		r.Skipped++
	})
	r.reporter.reportChange(Change{Action: Unchanged, Key: key, Bytes: size})
}
