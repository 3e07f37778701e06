package transfer

import (
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/panics"
)

// An ExpireRule says what Expire removes under a prefix. At least one age is set.
type ExpireRule struct {
	Prefix string // "" is all keys; it may end anywhere in a segment
	// Age is how long ago an object was written that is removed; 0: none is.
	Age time.Duration
	// OldVersionsAge is how long ago a version was replaced, or removed, that is
	// removed for good, on a bucket that keeps versions; 0: none is. Where the store
	// does not tell when that was (storage.VersionEntry.OldSince), it stays.
	OldVersionsAge time.Duration
}

const day = 24 * time.Hour

// ExpireRules are the rules of a bucket's lifecycle (BucketInfo.Lifecycle) that remove
// objects, for stores that apply none themselves: local and memory. Uploads in
// parts that nobody goes on with, these two drop themselves
// (storage.LifecycleRule says when); transitions to another storage class are not
// for Expire. An age of more than 292 years, the longest time.Duration, is cut to that.
func ExpireRules(lifecycle ...storage.LifecycleRule) []ExpireRule {
	var rules []ExpireRule
	for _, l := range lifecycle {
		if l.ExpireAfterDays > 0 || l.ExpireOldVersionsAfterDays > 0 {
			rules = append(rules, ExpireRule{
				Prefix:         l.Prefix,
				Age:            daysOf(l.ExpireAfterDays),
				OldVersionsAge: daysOf(l.ExpireOldVersionsAfterDays),
			})
		}
	}
	return rules
}

// daysOf returns n days, or the most days that a Duration can hold, 292 years: a large
// number says "never". A number below 0 stays below 0, which Expire refuses.
func daysOf(n int) time.Duration {
	const most = math.MaxInt64 / day
	return time.Duration(max(-1, min(n, int(most)))) * day
}

// Expire removes from b what the rules say is too old, in the provider's batches,
// going on past failures. It takes WithDryRun, WithInclude, WithExclude,
// WithChanges, WithProgress, WithConcurrency and WithNow. The Report counts in
// Deleted and DeletedBytes; the error is nil if, and only if, all of that is
// gone, and otherwise as Sync's. A rule without an age, or with one below 0, is
// InvalidArgument; so are OldVersionsAge's versions Unsupported on a bucket that
// keeps none. What the store tells no time of stays.
//
// An object that is replaced in the moment between its listing and its removal
// is removed: names that are used again are not for a prefix that expires.
func Expire(ctx context.Context, b interface {
	storage.Lister
	storage.Remover
}, rules []ExpireRule, opts ...Option) (*Report, error) {
	e := &expiry{settings: readOptions(opts), rules: rules, lister: b, remover: b}
	e.begin(e.settings)
	early := e.check()
	if early == nil {
		stop := e.reportProgress(e.progress)
		early = e.execute(ctx)
		stop()
	}
	return e.end(early)
}

// expiry is one call of Expire.
type expiry struct {
	*settings
	reporter
	rules   []ExpireRule
	lister  storage.Lister
	remover storage.Remover
}

func (e *expiry) check() error {
	if e.err != nil {
		return e.err
	}
	for _, r := range e.rules {
		if r.Age < 0 || r.OldVersionsAge < 0 || r.Age == 0 && r.OldVersionsAge == 0 {
			return &storage.Error{Code: storage.InvalidArgument, Op: "Expire", Err: invalid("rule", "must have an age above 0").Err}
		}
	}
	return nil
}

func (e *expiry) execute(ctx context.Context) error {
	now := e.now()
	for i, r := range e.rules {
		if r.Age > 0 {
			if err := e.objects(ctx, i, now); err != nil {
				return err
			}
		}
		if r.OldVersionsAge > 0 {
			if err := e.versions(ctx, i, now); err != nil {
				return err
			}
		}
	}
	e.listed.Store(true)
	return nil
}

// objects applies one rule's Age.
func (e *expiry) objects(ctx context.Context, rule int, now time.Time) error {
	var group []storage.ListEntry
	for entry, err := range e.lister.List(ctx, storage.WithPrefix(e.rules[rule].Prefix)) {
		if err != nil {
			return err
		}
		e.totalFiles.Add(1)
		e.files.Add(1)
		old := func(r ExpireRule) bool { return r.Age > 0 && e.tooOld(entry.Modified, r.Age, now) }
		if !e.selects(entry.Key) || !old(e.rules[rule]) || e.inEarlierRule(rule, entry.Key, old) {
			continue
		}
		if group = append(group, entry); len(group) == removeBatch {
			e.remove(ctx, group)
			group = group[:0]
		}
	}
	e.remove(ctx, group)
	if ctx.Err() != nil {
		return ctxError(ctx.Err())
	}
	return nil
}

func (e *expiry) tooOld(since time.Time, age time.Duration, now time.Time) bool {
	return !since.IsZero() && now.Sub(since) > age
}

// inEarlierRule reports whether a rule before this one has the key already: a dry run
// would count it twice.
func (e *expiry) inEarlierRule(rule int, key string, old func(ExpireRule) bool) bool {
	return slices.ContainsFunc(e.rules[:rule], func(r ExpireRule) bool { return strings.HasPrefix(key, r.Prefix) && old(r) })
}

func (e *expiry) remove(ctx context.Context, group []storage.ListEntry) {
	sizes := make(map[string]int64, len(group))
	keys := make([]string, len(group))
	for i, entry := range group {
		keys[i], sizes[entry.Key] = entry.Key, entry.Size
	}
	gone := func(key string) { e.removed(key, sizes[key]) }
	if e.dryRun {
		for _, key := range keys {
			gone(key)
		}
		return
	}
	removeGroup(ctx, e.remover, keys, gone, func(key string, err error) { e.failedRemoval(ctx, key, err) })
}

func (e *expiry) failedRemoval(ctx context.Context, key string, err error) {
	if ctx.Err() == nil {
		e.destinationFailed(key, err)
	}
}

// versions applies one rule's OldVersionsAge.
func (e *expiry) versions(ctx context.Context, rule int, now time.Time) error {
	var removing panics.Group
	err := e.removeVersions(ctx, rule, now, &removing)
	removing.Wait()
	if ctx.Err() != nil { // what it cut short has not failed, and is not gone
		return ctxError(ctx.Err())
	}
	return err
}

func (e *expiry) removeVersions(ctx context.Context, rule int, now time.Time, removing *panics.Group) error {
	requests := newSemaphore(e.concurrency)
	for v, err := range storage.Versions(ctx, e.lister, storage.WithPrefix(e.rules[rule].Prefix)) {
		if err != nil {
			return err
		}
		old := func(r ExpireRule) bool { return r.OldVersionsAge > 0 && e.tooOld(v.OldSince, r.OldVersionsAge, now) }
		if v.Current || !e.selects(v.Key) || !old(e.rules[rule]) || e.inEarlierRule(rule, v.Key, old) {
			continue
		}
		if e.dryRun {
			e.removed(v.Key, v.Size)
			continue
		}
		if !requests.acquire(ctx, 1) {
			return ctxError(ctx.Err())
		}
		removing.Go(func() {
			defer requests.release(1)
			if err := e.remover.Remove(ctx, v.Key, storage.WithVersion(v.Version)); err != nil {
				e.failedRemoval(ctx, v.Key, err)
				return
			}
			e.removed(v.Key, v.Size)
		}, nil)
	}
	return nil
}
