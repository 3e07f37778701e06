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
	"github.com/omnibucket/storage/internal/panics"
	"github.com/omnibucket/storage/internal/removeeach"
)

// Undelete makes the newest version of each removed object current again, in a bucket that
// keeps versions. If the store lists delete markers with a version, as S3 does, it removes
// them, in batches: that version is current again. Otherwise it copies the version. An object of which
// no version is left is restored if the store still has one ([storage.SoftDelete]). Undelete takes
// [WithDryRun], [WithChanges], which tells for each object what was done, [WithProgress],
// [WithConcurrency], and the options of a [Filter], which select by the version's own size and time.
// The [Report] counts restored objects in Transferred, and those that exist in Skipped. The error is
// like that of [Sync]. If the bucket has neither [storage.Versioning] nor [storage.SoftDelete], Undelete fails
// with Unsupported. Open a bucket that keeps versions [storage.WithVersioning]: the store is not asked.
//
// An object that is written again meanwhile is not replaced if the store supports
// [storage.IfAbsent].
//
// It does not bring back objects that layers keep in a bucket: the notes of a mirror, and the tombstones and
// markers of an overlay. Nor does it bring back an object that a job had stored to ask whether two places are one.
// The version below a marker comes back. A soft-deleted marker is recognized only after it was restored: it is then
// removed again, and a dry run counts it.
func Undelete(ctx context.Context, b storage.Bucket, opts ...Option) (*Report, error) {
	return revert(ctx, "Undelete", b, opts, removedVersions, func(versions []storage.VersionEntry) reversion {
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

// RestoreAt makes the version that was current at a time current again, for each object in a
// bucket that keeps versions. Objects that did not exist at that time stay or, with
// [WithDelete], are removed; their versions stay. It takes the same options as [Undelete], and
// counts and fails in the same way. Objects that already have that version count as Skipped. S3 lists
// the times of versions in whole seconds: there, the end of a time's second counts.
//
// To repeat it after a failure, make the same call again: the time must be the same.
func RestoreAt(ctx context.Context, b storage.Bucket, at time.Time, opts ...Option) (*Report, error) {
	return revert(ctx, "RestoreAt", b, opts, keptVersions, func(versions []storage.VersionEntry) reversion {
		current := versions[0].Current && !versions[0].IsDeleteMarker
		for _, v := range versions {
			switch {
			case v.IsDeleteMarker || v.Modified.After(at) || !v.Current && !v.NoncurrentSince.IsZero() && !v.NoncurrentSince.After(at):
			case v.Current:
				return reversion{action: keepVersion, version: v}
			default:
				return reversion{action: bringBack, version: v, replaces: current}
			}
		}
		if current {
			return reversion{action: removeCurrent, version: versions[0]}
		}
		return reversion{}
	})
}

// A reversion is what is done with one object.
type reversion struct {
	action   revertAction
	version  storage.VersionEntry
	replaces bool // the object has a current version
	markers  []storage.VersionEntry
	below    []storage.VersionEntry // older versions, for restoreRemoved
}

type revertAction int

const (
	leaveObject revertAction = iota
	keepVersion              // nothing to do: the version is current
	bringBack                // make the version current by a copy
	removeCurrent
	removeMarkers  // remove the markers above the version, so that it becomes current
	restoreRemoved // restore the version, which is soft-deleted
)

// reverting is one call of [Undelete] or [RestoreAt].
type reverting struct {
	settings *settings
	reporter reporter
	bucket   storage.Bucket
	slots    *semaphore
	marked   []reversion // reversions of removeMarkers, until they fill a batch
	list     func(context.Context, storage.Bucket, string) iter.Seq2[[]storage.VersionEntry, error]
	decide   func(versions []storage.VersionEntry) reversion // takes the versions of one key, the newest first
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
	return r.reporter.end(named(op, early))
}

func (r *reverting) execute(ctx context.Context) error {
	r.slots = newSemaphore(r.settings.concurrency)
	stop := r.reporter.meter.reportProgress(r.settings.progress)
	var group panics.Group
	err := r.walk(ctx, &group)
	group.Wait()
	stop()
	if ctx.Err() != nil {
		err = ctxError(ctx.Err())
	}
	return err
}

// walk begins to revert each object.
func (r *reverting) walk(ctx context.Context, group *panics.Group) error {
	for versions, err := range r.list(ctx, r.bucket, r.settings.prefix) {
		if err != nil {
			return err
		}
		if evidence.IsKey(versions[0].Key) { // a job had stored it to ask, and removed it
			continue
		}
		if err := r.passMarkers(ctx, versions); err != nil {
			r.reporter.failed(ctx, versions[0].Key, err)
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
func (r *reverting) start(ctx context.Context, group *panics.Group, versions []storage.VersionEntry) bool {
	what := r.decide(versions)
	v := what.version
	if what.action == leaveObject || !r.settings.selectsFile(v.Key, v.Size, v.Modified) ||
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
		if r.marked = append(r.marked, what); len(r.marked) < removeeach.Most {
			return true
		}
		return r.startMarked(ctx, group)
	}
	if !r.slots.acquire(ctx, 1) {
		return false
	}
	group.Go(func() {
		defer r.slots.release(1)
		switch err := r.do(ctx, what); {
		case err == nil:
			r.done(what)
			r.slots.ended(0, 1)
		case storage.CodeOf(err) == storage.PreconditionFailed: // it was written meanwhile
			r.unchanged(v.Key, 0)
		default:
			r.reporter.failed(ctx, v.Key, err)
		}
	}, nil)
	return true
}

// startMarked begins to remove the markers of a batch. It returns false if ctx is done.
func (r *reverting) startMarked(ctx context.Context, group *panics.Group) bool {
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
				r.reporter.failed(ctx, what.version.Key, err)
			} else {
				r.done(what)
			}
		}
	}, nil)
	return true
}

// removeMarkers removes the markers of a batch. It returns an error for each key that may still
// have one.
func (r *reverting) removeMarkers(ctx context.Context, batch []reversion) (still map[string]error) {
	var all []storage.VersionEntry
	for _, what := range batch {
		all = append(all, what.markers...)
	}
	still = map[string]error{}
	for markers := range slices.Chunk(all, removeeach.Most) {
		errs, _ := removeeach.Of(ctx, r.bucket, markers, true)
		for i, err := range errs {
			still[markers[i].Key] = cmp.Or(still[markers[i].Key], err)
		}
	}
	return still
}

func (r *reverting) do(ctx context.Context, what reversion) error {
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
	v, action := what.version, VersionCopied
	switch what.action {
	case removeCurrent:
		r.reporter.meter.files.Add(1)
		r.reporter.removed(v.Key, v.Size)
		return
	case removeMarkers:
		action = MarkerRemoved
	case restoreRemoved:
		action = Restored
	}
	r.reporter.stored(action, v.Key, what.replaces, v.Size, 0)
}

func (r *reverting) unchanged(key string, size int64) {
	r.reporter.passed(func(r *Report) { r.Skipped++ })
	r.reporter.reportChange(Change{Action: Unchanged, Key: key, Bytes: size})
}
