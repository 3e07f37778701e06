package transfer

import (
	"context"
	"errors"
	"iter"
	"maps"
	"math"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/evidence"
	"github.com/omnibucket/storage/internal/inquiry"
	"github.com/omnibucket/storage/internal/piecemeal"
	"github.com/omnibucket/storage/transfer/internal/ends"
	"github.com/omnibucket/storage/transfer/internal/joberror"
)

// An ExpireRule selects the objects that [Expire] removes. It must have at least one of the ages.
type ExpireRule struct {
	Prefix string // "" matches all keys; it may end anywhere in a segment
	// Tags restricts the rule to objects and versions that have all of these tags. To read tags,
	// Expire makes one request for each object that is old enough.
	Tags map[string]string
	// Age is the time after which an object is removed, counted from when it was written. With 0,
	// the rule removes no objects.
	Age time.Duration
	// OldVersionsAge is the time after which an old version is permanently removed, in a bucket
	// that keeps versions. It is counted from the time at which the version was replaced or removed
	// ([storage.VersionEntry.NoncurrentSince]). If the store does not report that time, the version
	// stays. With 0, the rule removes no versions.
	//
	// If a delete marker is the only entry of its key, it is removed at the same age. A rule with
	// Tags removes no delete markers.
	OldVersionsAge time.Duration
	// UploadsAge is the time after which an incomplete multipart upload is aborted and its parts
	// are removed. It is counted from when the upload was begun ([storage.UploadEntry]), and must
	// be longer than any upload takes. With 0, the rule aborts no uploads. A rule cannot have both
	// UploadsAge and Tags, because uploads have no tags yet.
	UploadsAge time.Duration
}

const day = 24 * time.Hour

// ExpireRules returns rules for [Expire] that remove the objects that the given lifecycle would remove
// ([storage.BucketInfo.Lifecycle]). They are for local and memory buckets, which do not apply a
// lifecycle themselves. No rule aborts multipart uploads, because these buckets drop old uploads
// themselves ([storage.LifecycleRule] says when). Transitions to another storage class are ignored. An
// age of more than 292 years, the longest [time.Duration], becomes 292 years.
func ExpireRules(lifecycle ...storage.LifecycleRule) []ExpireRule {
	var rules []ExpireRule
	for _, l := range lifecycle {
		if l.ExpireAfterDays > 0 || l.ExpireOldVersionsAfterDays > 0 {
			rules = append(rules, ExpireRule{
				Prefix:         l.Prefix,
				Tags:           maps.Clone(l.Tags),
				Age:            daysOf(l.ExpireAfterDays),
				OldVersionsAge: daysOf(l.ExpireOldVersionsAfterDays),
			})
		}
	}
	return rules
}

// daysOf returns n days, but at most 292 years, which is the longest Duration. Lifecycles use large
// numbers for "never". A negative number stays negative, and Expire refuses it.
func daysOf(n int) time.Duration {
	const most = math.MaxInt64 / day
	return time.Duration(max(-1, min(n, int(most)))) * day
}

// Expire removes the objects of b that match a rule, in the provider's batches, and continues after
// failures. It accepts the options [WithDryRun], [WithChanges], [WithProgress], [WithConcurrency],
// [WithNow], [WithInventory], and those of a [Filter]. The [Report] counts removed objects in Deleted
// and DeletedBytes. The error is nil only if all selected objects were removed. Otherwise it is like
// that of [Sync].
//
// Ages are counted by the clock of the store. To read it, Expire stores a small object in the folder of
// the first rule, and removes it. If the object cannot be stored, Expire fails and removes nothing.
// WithNow sets another clock. With WithDryRun, the clock is that of this machine.
//
// If a rule has no age, a negative age, or both UploadsAge and Tags, Expire fails with InvalidArgument.
// It fails with Unsupported if the bucket lacks what a rule needs: versions for OldVersionsAge, tags
// for Tags, and [storage.ListedUploads] for UploadsAge. An object or upload whose time the store does
// not report stays. An object under retention or a legal hold counts as failed, with Locked.
//
// An object that was replaced or tagged after it was listed is removed nevertheless, unless
// [WithInventory] is given. Do not reuse names under a prefix that expires.
func Expire(ctx context.Context, b interface {
	storage.Lister
	storage.Remover
}, rules []ExpireRule, opts ...Option) (*Report, error) {
	e := &expiry{
		op:           "Expire",
		settings:     readOptions(opts),
		rules:        rules,
		callerBucket: b,
	}
	return e.run(ctx)
}

// Remove removes the objects of b that the options of a [Filter] select, or all of them without such an
// option, in the provider's batches. It has the options, the Report and the errors of [Expire].
func Remove(ctx context.Context, b interface {
	storage.Lister
	storage.Remover
}, opts ...Option) (*Report, error) {
	s := readOptions(opts)
	e := &expiry{
		op:           "Remove",
		settings:     s,
		rules:        []ExpireRule{{Prefix: s.files.Prefix}},
		everyAge:     true,
		callerBucket: b,
	}
	return e.run(ctx)
}

// run checks the options and rules, and then applies the rules. It returns the report even if it fails.
func (e *expiry) run(ctx context.Context) (*Report, error) {
	// A layer with several stores then serves the listings only from its primary store.
	ctx = evidence.WithoutFailover(ctx)
	e.settings.leaveOutLeases(ctx, e.callerBucket)
	e.reporter.begin(e.settings)
	e.reporter.report.removes = true

	err := e.check()
	if err == nil {
		stop := e.reporter.meter.reportProgress(e.settings.progress)
		err = e.execute(ctx)
		stop()
	}
	return e.reporter.end(setOp(e.op, err))
}

// An expiry holds the state of one call of [Expire] or [Remove].
type expiry struct {
	op           string
	everyAge     bool // whether objects of any age are removed, as Remove does
	settings     *settings
	reporter     reporter
	now          time.Time
	rules        []ExpireRule
	callerBucket any            // the bucket as the caller gave it
	bucket       storage.Bucket // the same bucket as a storage.Bucket; set by the method check
	group        []expiring     // entries to be removed in one batch
}

// check returns an error if the options or rules are invalid, or the bucket lacks what they need. It sets
// e.bucket.
func (e *expiry) check() error {
	if e.settings.err != nil {
		return e.settings.err
	}
	if err := argument.NeedBucket(e.callerBucket, e.op, ""); err != nil {
		return err
	}
	e.bucket = e.callerBucket.(storage.Bucket)

	if err := e.settings.checkInventory(e.bucket); err != nil {
		return err
	}

	// The rule of Remove has no ages.
	if e.everyAge {
		return nil
	}
	for _, r := range e.rules {
		if err := e.checkRule(r); err != nil {
			return err
		}
	}
	return nil
}

// checkRule returns an error if a rule of Expire is invalid, or the bucket lacks what it needs.
func (e *expiry) checkRule(r ExpireRule) error {
	hasNegativeAge := r.Age < 0 || r.OldVersionsAge < 0 || r.UploadsAge < 0
	hasNoAge := r.Age == 0 && r.OldVersionsAge == 0 && r.UploadsAge == 0
	if hasNegativeAge || hasNoAge {
		return joberror.Invalid("rule", "must have a positive age")
	}
	if err := e.checkUploads(r); err != nil {
		return err
	}
	if len(r.Tags) > 0 && !storage.Supports(e.bucket, storage.ObjectTags) {
		return &storage.Error{
			Code: storage.Unsupported,
			Err:  errors.New("a rule has tags, and the bucket has none"),
			Hint: "remove the tags from the rule, or use a bucket with storage.ObjectTags",
		}
	}
	return nil
}

// execute applies the rules one after another. It returns the error that ended the call early, or nil.
func (e *expiry) execute(ctx context.Context) error {
	if err := e.readClock(ctx); err != nil {
		return err
	}
	for i := range e.rules {
		if err := e.applyRule(ctx, i); err != nil {
			return err
		}
	}
	e.reporter.meter.listed.Store(true)
	return nil
}

// applyRule removes the objects and versions that the rule with this index selects, and aborts the uploads.
// With everyAge, which Remove sets, the age of an object does not matter.
func (e *expiry) applyRule(ctx context.Context, index int) error {
	rule := e.rules[index]
	if rule.Age > 0 || e.everyAge {
		if err := e.expireObjects(ctx, index); err != nil {
			return err
		}
	}
	if rule.OldVersionsAge > 0 {
		if err := e.expireVersions(ctx, index); err != nil {
			return err
		}
	}
	if rule.UploadsAge > 0 {
		return e.expireUploads(ctx, index)
	}
	return nil
}

// readClock reads the time from which ages are counted. It comes from the store, which has set the
// times of the objects, because the clock of this machine may be days ahead.
func (e *expiry) readClock(ctx context.Context) (err error) {
	e.now = e.settings.now()
	comparesAges := !e.everyAge && len(e.rules) > 0
	if !comparesAges || e.settings.nowGiven || e.settings.dryRun {
		return nil
	}
	e.now, err = inquiry.AskTime(ctx, e.bucket, e.rules[0].Prefix)
	return err
}

// expireObjects removes the objects that are older than the Age of the rule with this index, or objects
// of every age for Remove.
func (e *expiry) expireObjects(ctx context.Context, rule int) error {
	for entry, err := range e.listObjects(ctx, e.rules[rule].Prefix) {
		if err != nil {
			return err
		}
		// The progress counts each object as soon as it is listed.
		e.reporter.meter.totalFiles.Add(1)
		e.reporter.meter.files.Add(1)
		if !e.settings.files.SelectsFile(entry.Key, entry.Size, entry.Modified) {
			continue
		}

		object := expiring{VersionEntry: storage.VersionEntry{ListEntry: entry}}
		e.collect(ctx, rule, object)
	}
	return e.removeRest(ctx)
}

// isOld reports whether an object or version is old enough for a rule. For Remove, every object is.
func (e *expiry) isOld(v expiring, r ExpireRule) bool {
	if v.isVersion() {
		return r.OldVersionsAge > 0 && e.isTooOld(v.since, r.OldVersionsAge)
	}
	if e.everyAge {
		return true
	}
	return r.Age > 0 && e.isTooOld(v.Modified, r.Age)
}

// collect adds an object or version to the group to be removed, if it is old enough for the rule with
// this index, and no earlier rule removes it anyway.
func (e *expiry) collect(ctx context.Context, rule int, v expiring) {
	if !e.isOld(v, e.rules[rule]) {
		return
	}
	// The tags of the entry may select it for this rule or an earlier one. They are read later, for a
	// whole group.
	v.selects = e.selector(rule, v)
	if v.selects.neverSelects() {
		return
	}
	if v.IsDeleteMarker && v.selects.needsTags() {
		// A delete marker has no tags.
		return
	}

	e.group = append(e.group, v)
	// The removal of a larger group could end early because of failures.
	if len(e.group) == piecemeal.MaxFailures {
		e.removeGroup(ctx)
	}
}

// removeRest removes the entries that are left in the group at the end of a listing.
func (e *expiry) removeRest(ctx context.Context) error {
	e.removeGroup(ctx)
	if ctx.Err() != nil {
		return joberror.OfContext(ctx.Err())
	}
	return nil
}

// listObjects yields the objects with a prefix, from the inventory if the job has one. If the job has a
// range of keys and the bucket lists in order, it lists only that range.
func (e *expiry) listObjects(ctx context.Context, prefix string) iter.Seq2[storage.ListEntry, error] {
	if e.settings.inventory != nil {
		return e.settings.inventory.rows.Objects(ctx, prefix)
	}
	keyRange := e.settings.files.Ranges
	if keyRange != nil && storage.Supports(e.bucket, storage.OrderedListing) {
		return keyRange.List(ctx, e.bucket, prefix)
	}
	return e.bucket.List(ctx, storage.WithPrefix(prefix), storage.WithAnyOrder())
}

// isTooOld reports whether more than age has passed since start. It returns false if start is not
// known.
func (e *expiry) isTooOld(start time.Time, age time.Duration) bool {
	return !start.IsZero() && e.now.Sub(start) > age
}

// removeGroup removes the objects or versions of e.group, except those whose tags do not match, and
// empties it.
func (e *expiry) removeGroup(ctx context.Context) {
	group := e.selectByTags(ctx, e.group)
	e.group = e.group[:0]
	if e.settings.dryRun {
		for _, entry := range group {
			e.reporter.countRemoved(entry.Key, entry.Size)
		}
		return
	}

	// A group has only objects or only versions.
	areVersions := len(group) > 0 && group[0].isVersion()
	if e.settings.inventory != nil {
		// The bucket may have changed since the inventory was taken.
		if !areVersions {
			e.removeListed(ctx, group)
			return
		}
		group = e.stillOld(ctx, group)
	}

	entries := make([]storage.VersionEntry, len(group))
	for i := range group {
		entries[i] = group[i].VersionEntry
	}
	ends.RemoveGroup(ctx, e.bucket, entries, areVersions, func(file storage.VersionEntry, err error) {
		e.reporter.countRemoval(ctx, file, err)
	})
}

// expireVersions removes the versions that became noncurrent longer ago than the OldVersionsAge of the
// rule with this index.
func (e *expiry) expireVersions(ctx context.Context, rule int) error {
	prefix := e.rules[rule].Prefix
	versions := storage.Versions(ctx, e.bucket, storage.WithPrefix(prefix))
	if e.settings.inventory != nil {
		versions = e.settings.inventory.rows.Versions(ctx, prefix)
	}

	// Jobs leave out the objects of leases and layers, but their old versions are no longer in use.
	files := e.settings.files
	files.LeaseKeys = nil
	files.IncludesLayers = true

	for v, err := range oldVersions(versions) {
		if err != nil {
			return err
		}
		if files.SelectsFile(v.Key, v.Size, v.Modified) {
			version := expiring{
				VersionEntry: v.VersionEntry,
				age:          e.rules[rule].OldVersionsAge,
				since:        v.since,
			}
			e.collect(ctx, rule, version)
		}
		if ctx.Err() != nil {
			return joberror.OfContext(ctx.Err())
		}
	}
	return e.removeRest(ctx)
}

// An oldVersion is a version that is not current, with the time since which it is not.
type oldVersion struct {
	storage.VersionEntry
	since time.Time
}

// oldVersions yields each version that is not current. It also yields a delete marker that is the only
// entry of its key, with the time of the marker.
func oldVersions(versions iter.Seq2[storage.VersionEntry, error]) iter.Seq2[oldVersion, error] {
	return func(yield func(oldVersion, error) bool) {
		// The versions of a key follow one another, the newest first. marker is a delete marker that is the
		// newest. It may be the only entry of its key until another version of the key follows.
		var marker storage.VersionEntry
		mayBeOnly := false
		lastKey := ""
		for v, err := range versions {
			if err != nil {
				yield(oldVersion{}, err)
				return
			}

			isNewest := v.Key != lastKey
			lastKey = v.Key
			if isNewest && mayBeOnly {
				// Another key begins, so marker was the only entry of its key.
				if !yield(oldVersion{VersionEntry: marker, since: marker.Modified}, nil) {
					return
				}
			}

			mayBeOnly = isNewest && v.IsDeleteMarker
			if mayBeOnly {
				marker = v
				continue
			}
			if v.Current {
				continue
			}
			if !yield(oldVersion{VersionEntry: v, since: v.NoncurrentSince}, nil) {
				return
			}
		}
		if mayBeOnly {
			yield(oldVersion{VersionEntry: marker, since: marker.Modified}, nil)
		}
	}
}
