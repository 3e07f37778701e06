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
	"github.com/omnibucket/storage/internal/removeeach"
)

// An ExpireRule selects the objects that [Expire] removes. At least one age is set.
type ExpireRule struct {
	Prefix string // "" matches all keys; it may end anywhere in a segment
	// Tags restricts the rule to objects and versions that have all of these tags. They are
	// read with a request for each that is old enough.
	Tags map[string]string
	// Age is the time since an object was written after which it is removed; 0 never
	// removes.
	Age time.Duration
	// OldVersionsAge is the time since a version was replaced or removed after which
	// it is permanently removed, in a bucket that keeps versions; 0 never removes. A
	// version stays if the store does not report that time
	// ([storage.VersionEntry.NoncurrentSince]). A delete marker that has no version below
	// it any more is removed at this age, too, unless the rule has Tags.
	OldVersionsAge time.Duration
	// UploadsAge is the time since a multipart upload was begun ([storage.UploadEntry]) after
	// which it is aborted with its parts, if nobody has completed it; 0 never aborts. It must be
	// longer than any upload takes. It does not go with Tags, because uploads have none yet.
	UploadsAge time.Duration
}

const day = 24 * time.Hour

// ExpireRules returns rules for [Expire] that remove the same objects as a lifecycle
// ([storage.BucketInfo.Lifecycle]), for the stores that apply none themselves: local
// and memory. Both stores discard stale multipart uploads themselves
// ([storage.LifecycleRule] says when). Transitions to another storage class are
// ignored. An age over 292 years, the longest [time.Duration], is reduced to that.
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

// daysOf returns n days, limited to the longest Duration of 292 years, because a
// large number means "never". A negative number stays negative, and Expire refuses
// it.
func daysOf(n int) time.Duration {
	const most = math.MaxInt64 / day
	return time.Duration(max(-1, min(n, int(most)))) * day
}

// Expire removes objects of b that match a rule, in the provider's batches. It
// continues after failures. It takes the options [WithDryRun], [WithChanges],
// [WithProgress], [WithConcurrency], [WithNow], [WithInventory], and those of a [Filter]. The [Report] counts
// removed objects in Deleted and DeletedBytes. The error is nil only if all of them were
// removed; otherwise it is like that of [Sync].
//
// If a rule has no age or a negative one, or UploadsAge and Tags, Expire fails with
// InvalidArgument. If a rule has an OldVersionsAge and the bucket keeps no versions, it fails
// with Unsupported. The same holds for Tags in a bucket without tags, and for UploadsAge in one
// that lists no uploads ([storage.ListedUploads]). Objects and uploads whose time the store does
// not report stay. An object under retention or a legal hold counts as failed,
// with Locked.
//
// An object that is replaced or tagged between its listing and its removal is removed, too, except
// [WithInventory]. Do not reuse names under a prefix that expires.
func Expire(ctx context.Context, b interface {
	storage.Lister
	storage.Remover
}, rules []ExpireRule, opts ...Option) (*Report, error) {
	return (&expiry{op: "Expire", settings: readOptions(opts), rules: rules, given: b}).run(ctx)
}

// Remove removes the objects of b that the options of a [Filter] select, in the provider's batches,
// and otherwise does what [Expire] does. Without a filter it removes all objects.
func Remove(ctx context.Context, b interface {
	storage.Lister
	storage.Remover
}, opts ...Option) (*Report, error) {
	s := readOptions(opts)
	return (&expiry{op: "Remove", settings: s, rules: []ExpireRule{{Prefix: s.prefix}}, everyAge: true, given: b}).run(
		ctx,
	)
}

func (e *expiry) run(ctx context.Context) (*Report, error) {
	ctx = evidence.WithoutFailover(ctx)
	e.settings.leaveOutHeld(ctx, e.given)
	e.reporter.begin(e.settings)
	early := e.check()
	if early == nil {
		stop := e.reporter.meter.reportProgress(e.settings.progress)
		early = e.execute(ctx)
		stop()
	}
	return e.reporter.end(named(e.op, early))
}

// expiry is one call of [Expire] or [Remove].
type expiry struct {
	op       string
	everyAge bool // the rule is Remove's, which has no ages
	settings *settings
	reporter reporter
	now      time.Time
	rules    []ExpireRule
	given    any            // the bucket as the caller gave it
	bucket   storage.Bucket // the same, if it is a storage.Bucket
	group    []expiring     // entries to be removed together
}

func (e *expiry) check() error {
	if e.settings.err != nil {
		return e.settings.err
	}
	if err := argument.NeedBucket(e.given, e.op, ""); err != nil {
		return err
	}
	e.bucket = e.given.(storage.Bucket)
	if err := e.settings.checkInventory(e.bucket); err != nil || e.everyAge {
		return err
	}
	for _, r := range e.rules {
		if r.Age < 0 || r.OldVersionsAge < 0 || r.UploadsAge < 0 ||
			r.Age == 0 && r.OldVersionsAge == 0 && r.UploadsAge == 0 {
			return invalid("rule", "must have a positive age")
		}
		if err := e.checkUploads(r); err != nil {
			return err
		}
		if len(r.Tags) > 0 && !storage.Supports(e.bucket, storage.ObjectTags) {
			return &storage.Error{
				Code: storage.Unsupported, Err: errors.New("a rule has tags, and the bucket has none"),
				Hint: "remove the tags from the rule, or use a bucket with storage.ObjectTags",
			}
		}
	}
	return nil
}

func (e *expiry) execute(ctx context.Context) error {
	e.now = e.settings.now()
	for i, r := range e.rules {
		if r.Age > 0 || e.everyAge {
			if err := e.objects(ctx, i); err != nil {
				return err
			}
		}
		if r.OldVersionsAge > 0 {
			if err := e.versions(ctx, i); err != nil {
				return err
			}
		}
		if r.UploadsAge > 0 {
			if err := e.uploads(ctx, i); err != nil {
				return err
			}
		}
	}
	e.reporter.meter.listed.Store(true)
	return nil
}

// objects applies one rule's Age.
func (e *expiry) objects(ctx context.Context, rule int) error {
	for entry, err := range e.list(ctx, e.rules[rule].Prefix) {
		if err != nil {
			return err
		}
		e.reporter.meter.totalFiles.Add(1)
		e.reporter.meter.files.Add(1)
		if e.settings.selectsFile(entry.Key, entry.Size, entry.Modified) {
			e.expire(
				ctx, rule, expiring{VersionEntry: storage.VersionEntry{ListEntry: entry}},
				func(r ExpireRule) bool {
					return e.everyAge || r.Age > 0 && e.tooOld(entry.Modified, r.Age)
				},
			)
		}
	}
	return e.removeRest(ctx)
}

// expire removes an object or version, together with others, if the rule selects it and no earlier one does.
// old reports whether it is old enough for a rule.
func (e *expiry) expire(ctx context.Context, rule int, v expiring, old func(ExpireRule) bool) {
	if !old(e.rules[rule]) {
		return
	}
	v.selects = e.selector(rule, v.Key, old)
	if v.selects.never() || v.selects.needsTags() && v.IsDeleteMarker { // a marker has no tags
		return
	}
	if e.group = append(e.group, v); len(e.group) == removeeach.Most {
		e.remove(ctx)
	}
}

// removeRest removes the entries of the last group.
func (e *expiry) removeRest(ctx context.Context) error {
	e.remove(ctx)
	if ctx.Err() != nil {
		return ctxError(ctx.Err())
	}
	return nil
}

func (e *expiry) list(ctx context.Context, prefix string) iter.Seq2[storage.ListEntry, error] {
	if i := e.settings.inventory; i != nil {
		return i.objects(ctx, prefix)
	}
	if r := e.settings.ranges; r != nil && storage.Supports(e.bucket, storage.OrderedListing) {
		return r.list(ctx, e.bucket, prefix)
	}
	return e.bucket.List(ctx, storage.WithPrefix(prefix), storage.WithAnyOrder())
}

func (e *expiry) tooOld(since time.Time, age time.Duration) bool {
	return !since.IsZero() && e.now.Sub(since) > age
}

// remove removes the objects or versions of the group that their tags select.
func (e *expiry) remove(ctx context.Context) {
	group := e.selected(ctx, e.group)
	e.group = e.group[:0]
	if e.settings.dryRun {
		for _, entry := range group {
			e.reporter.removed(entry.Key, entry.Size)
		}
		return
	}
	ofVersions := len(group) > 0 && group[0].age > 0
	if e.settings.inventory != nil {
		if !ofVersions {
			e.removeListed(ctx, group)
			return
		}
		group = e.stillOld(ctx, group)
	}
	entries := make([]storage.VersionEntry, len(group))
	for i := range group {
		entries[i] = group[i].VersionEntry
	}
	removeGroup(ctx, e.bucket, entries, ofVersions, &e.reporter)
}

// versions applies one rule's OldVersionsAge.
func (e *expiry) versions(ctx context.Context, rule int) error {
	selecting := *e.settings
	selecting.held, selecting.ofLayers = nil, true // old versions of a lease or a note are not the lease or the note
	expire := func(v storage.VersionEntry, since time.Time) error {
		if v.Key != "" && selecting.selectsFile(v.Key, v.Size, v.Modified) {
			e.expire(
				ctx, rule, expiring{VersionEntry: v, age: e.rules[rule].OldVersionsAge},
				func(r ExpireRule) bool { return r.OldVersionsAge > 0 && e.tooOld(since, r.OldVersionsAge) },
			)
		}
		return ctx.Err()
	}
	versions := storage.Versions(ctx, e.bucket, storage.WithPrefix(e.rules[rule].Prefix))
	if i := e.settings.inventory; i != nil {
		versions = i.versions(ctx, e.rules[rule].Prefix)
	}
	if err := eachOld(versions, expire); err != nil {
		return err
	}
	return e.removeRest(ctx)
}

// eachOld calls expire with each version that is not current, and since when. A delete marker is old only
// if it is the only entry of its key.
func eachOld(
	versions iter.Seq2[storage.VersionEntry, error], expire func(v storage.VersionEntry, since time.Time) error,
) error {
	var last string
	var lone storage.VersionEntry // a delete marker that is the only entry of its key so far
	for v, err := range versions {
		if err != nil {
			return err
		}
		newest := v.Key != last
		if newest {
			if err := expire(lone, lone.Modified); err != nil {
				return ctxError(err)
			}
		}
		last, lone = v.Key, storage.VersionEntry{}
		switch {
		case newest && v.IsDeleteMarker:
			lone = v
		case !v.Current:
			if err := expire(v, v.NoncurrentSince); err != nil {
				return ctxError(err)
			}
		}
	}
	_ = expire(lone, lone.Modified) // the caller checks ctx
	return nil
}
