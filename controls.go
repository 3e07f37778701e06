package storage

import (
	"context"
	"maps"
	"time"

	"github.com/omnibucket/storage/internal/retentionrule"
	"github.com/omnibucket/storage/internal/tagrule"
)

// Controls are what a write sets beside its [Properties].
type Controls struct {
	PublicRead bool
	Tags       map[string]string // nil: not given
	Retention  Retention
	LegalHold  bool
}

// WithTags sets all of the object's tags: a write replaces those that were there, and
// [SetTags] changes them without a new write. There are at most 10. A key has 1 to 128
// characters, a value 1 to 256: letters and digits of ASCII, spaces, and + - . : = _, with
// a letter or digit first and no space last. No key begins with "aws:" or "goog".
// URL-encoded, all take at most 4 KiB.
func WithTags(tags map[string]string) WriteOption {
	return writeOption(func(w written) {
		w.controls.Tags = maps.Clone(tags)
		if tags == nil {
			w.controls.Tags = map[string]string{}
		}
		if rule := tagrule.Check(tags); rule != "" {
			fail(w.err, "WithTags", rule)
		}
	})
}

// WithRetention keeps the object from being removed or overwritten until a time to come,
// rounded up to a second, in a bucket made [WithObjectLock].
func WithRetention(until time.Time, mode RetentionMode) WriteOption {
	return writeOption(func(w written) {
		w.controls.Retention = Retention{Mode: mode, Until: retentionrule.RoundUp(until)}
		if rule := retentionrule.Check(string(mode), w.controls.Retention.Until, time.Now()); rule != "" {
			fail(w.err, "WithRetention", rule)
		}
	})
}

// WithLegalHold keeps the object from being removed or overwritten, whatever its retention,
// until [SetLegalHold] ends that; see [WithObjectLock].
func WithLegalHold() WriteOption {
	return writeOption(func(w written) {
		w.controls.LegalHold = true
	})
}

// A SetOption fits [SetTags] and [SetLegalHold]: [WithVersion], [WithNative].
type SetOption interface{ applySet(*ChangeOptions) }

// A Tagger is a bucket whose objects have tags.
type Tagger interface {
	Tags(ctx context.Context, key string, opts ...AttrsOption) (map[string]string, error)
	SetTags(ctx context.Context, key string, tags map[string]string, opts ...SetOption) error
}

// Tags returns the object's tags; if it has none, an empty map.
func Tags(ctx context.Context, b AttrsReader, key string, opts ...AttrsOption) (map[string]string, error) {
	return with(b, "Tags", key, func(t Tagger) (map[string]string, error) { return t.Tags(ctx, key, opts...) })
}

// SetTags replaces the object's tags, by the rules of [WithTags], or removes them if there
// are none. The object's revision stays the same.
func SetTags(ctx context.Context, b Uploader, key string, tags map[string]string, opts ...SetOption) error {
	return change(b, "SetTags", key, func(t Tagger) error { return t.SetTags(ctx, key, tags, opts...) })
}

// A Retention keeps one object, or one version, until a time; zero is none.
type Retention struct {
	Mode  RetentionMode `json:"mode"`
	Until time.Time     `json:"until"` // UTC
}

// A RetentionMode says who can end or shorten a retention.
type RetentionMode string

// The modes. Google names them Unlocked and Locked, and so does Azure.
const (
	Governance RetentionMode = "governance" // a caller with the permission, by WithGovernanceBypass
	Compliance RetentionMode = "compliance" // nobody; it can only be extended
)

// A RetentionOption fits [SetRetention]: the one below, [WithVersion], [WithNative].
type RetentionOption interface {
	RemoveOption
	applyRetention(*ChangeOptions)
}

type bypassOption struct{}

func (bypassOption) applyRemove(r *RemoveOptions)    { r.BypassGovernance = true }
func (bypassOption) applyRetention(r *ChangeOptions) { r.BypassGovernance = true }

// WithGovernanceBypass lets a caller with the provider's permission remove an object under
// [Governance], or end or shorten its retention, but no legal hold.
func WithGovernanceBypass() RetentionOption { return bypassOption{} }

// A Locker is a bucket that locks objects.
type Locker interface {
	SetRetention(ctx context.Context, key string, r Retention, opts ...RetentionOption) error
	SetLegalHold(ctx context.Context, key string, hold bool, opts ...SetOption) error
}

// SetRetention keeps the object until a time to come, in a bucket made [WithObjectLock];
// the zero Retention ends it. Anybody who may write an object can keep it longer. A change
// that ends or shortens it, or changes the mode, needs [WithGovernanceBypass] under
// [Governance], and is Locked under [Compliance].
func SetRetention(ctx context.Context, b Uploader, key string, r Retention, opts ...RetentionOption) error {
	return change(b, "SetRetention", key, func(l Locker) error { return l.SetRetention(ctx, key, r, opts...) })
}

// SetLegalHold begins or ends a legal hold, as of [WithLegalHold].
func SetLegalHold(ctx context.Context, b Uploader, key string, hold bool, opts ...SetOption) error {
	return change(b, "SetLegalHold", key, func(l Locker) error { return l.SetLegalHold(ctx, key, hold, opts...) })
}

// A RestoreOption is one below, [WithSoftDeleted], [WithVersion] or [WithNative].
type RestoreOption interface{ applyRestore(*ChangeOptions) }

type restoreOption func(*ChangeOptions)

func (o restoreOption) applyRestore(r *ChangeOptions) { o(r) }

// WithRestoreDays sets for how many days, at least and by default 1, S3 keeps the restored
// copy. Other providers restore for good, and ignore it.
func WithRestoreDays(days int) RestoreOption {
	return restoreOption(func(r *ChangeOptions) {
		atLeast(&r.err, "WithRestoreDays", days, 1)
		r.RestoreDays = days
	})
}

// WithRestoreTier sets how fast the object is restored: Expedited, Standard or Bulk on S3,
// High or Standard on Azure. The default is Standard.
func WithRestoreTier(tier string) RestoreOption {
	return restoreOption(func(r *ChangeOptions) { r.RestoreTier = tier })
}

// A Restorer is a bucket that restores archived objects.
type Restorer interface {
	Restore(ctx context.Context, key string, opts ...RestoreOption) error
}

// Restore asks the store to make an archived object readable, whose read fails with
// Archived. That takes minutes to hours: see Attrs.Restore. If it can be read already,
// Restore succeeds. On Azure it moves to the tier "Hot".
//
// [WithSoftDeleted] brings an object back that was removed for good, with its properties
// and tags, but not public: the newest that the store has, or that of [WithVersion]. It is
// there when Restore returns. If the key has an object, Restore fails with
// PreconditionFailed.
func Restore(ctx context.Context, b Uploader, key string, opts ...RestoreOption) error {
	return change(b, "Restore", key, func(r Restorer) error { return r.Restore(ctx, key, opts...) })
}
