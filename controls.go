package storage

import (
	"context"
	"maps"
	"time"

	"github.com/omnibucket/storage/internal/retentionrule"
	"github.com/omnibucket/storage/internal/tagrule"
)

// Controls are what a write sets beside its [Properties]. Requests have them; of a copy's
// source only the tags are kept.
type Controls struct {
	PublicRead bool
	Tags       map[string]string
	Retention  Retention
	LegalHold  bool
	// Native has values of this provider's own options, which Description.CheckNative has
	// accepted.
	Native []any
}

// WithTags sets the object's tags, all of them: a write replaces those that were there. Tags
// are not metadata: they can be changed without a new write ([SetTags]), and lifecycle rules and
// access policies of the provider can select objects by them.
//
// There are at most 10. A key has 1 to 128 characters, a value 1 to 256: letters and digits of
// ASCII, spaces, and + - . : = _, beginning with a letter or digit and without a space at the end.
// No key begins with "aws:" or "goog". URL-encoded, all take at most 4 KiB. Tags that break a rule
// are InvalidArgument. If the store lacks [ObjectTags], or [SignedTags] for a signed upload, the
// operation fails with Unsupported.
func WithTags(tags map[string]string) WriteOption {
	return writeOption(func(w written) {
		w.controls.Tags = maps.Clone(tags)
		w.set.Tags = true
		if rule := tagrule.Check(tags); rule != "" {
			fail(w.set, "WithTags", rule)
		}
	})
}

// WithRetention keeps the object from being removed or overwritten until a time, which is rounded
// up to a second. A time that has passed, or another mode than [Governance] and [Compliance], is
// InvalidArgument. If the store lacks [ObjectLock], or [SignedLocks] for a signed upload, or the
// bucket was made without [WithObjectLock], the operation fails with Unsupported.
func WithRetention(until time.Time, mode RetentionMode) WriteOption {
	return writeOption(func(w written) {
		w.controls.Retention = Retention{Mode: mode, Until: retentionrule.RoundUp(until)}
		w.set.Lock = true
		if rule := retentionrule.Check(string(mode), w.controls.Retention.Until, time.Now()); rule != "" {
			fail(w.set, "WithRetention", rule)
		}
	})
}

// WithLegalHold keeps the object from being removed or overwritten until [SetLegalHold] ends the
// hold. It fails as [WithRetention] does.
func WithLegalHold() WriteOption {
	return writeOption(func(w written) {
		w.controls.LegalHold = true
		w.set.Lock = true
	})
}

// A SetOption fits SetTags and SetLegalHold: WithVersion, WithNative.
type SetOption interface{ applySet(*ChangeOptions) }

// A Tagger is a bucket whose objects have tags: one from engine.New, or a type of your own, for which
// [Tags] and [SetTags] call these methods.
type Tagger interface {
	Tags(ctx context.Context, key string, opts ...AttrsOption) (map[string]string, error)
	SetTags(ctx context.Context, key string, tags map[string]string, opts ...SetOption) error
}

// Tags returns the object's tags; if it has none, an empty map. A bucket that is narrowed
// by [Ref] needs Attrs. If the store lacks [ObjectTags], or the bucket is no [Tagger], it fails
// with Unsupported.
func Tags(ctx context.Context, b AttrsReader, key string, opts ...AttrsOption) (map[string]string, error) {
	t, e := need[Tagger](b, "Tags")
	if e != nil {
		return nil, located(b, "Tags", key, e)
	}
	return t.Tags(ctx, key, opts...)
}

// SetTags replaces the object's tags; with none it removes them. The rules are those of
// [WithTags]. The object's revision stays the same. A bucket that is narrowed by [Ref] needs
// Upload. If there is no object, it fails with ObjectNotFound; if the store lacks [ObjectTags], or
// the bucket is no [Tagger], with Unsupported.
func SetTags(ctx context.Context, b Uploader, key string, tags map[string]string, opts ...SetOption) error {
	t, e := need[Tagger](b, "SetTags")
	if e != nil {
		return located(b, "SetTags", key, e)
	}
	return t.SetTags(ctx, key, tags, opts...)
}

// A Retention keeps one object, or one version of it, until a time. The zero value is none.
type Retention struct {
	Mode  RetentionMode
	Until time.Time // UTC
}

// A RetentionMode says who can end or shorten a retention.
type RetentionMode string

// The modes. Google names them Unlocked and Locked, and so does Azure.
const (
	Governance RetentionMode = "governance" // a caller with the permission, by WithGovernanceBypass
	Compliance RetentionMode = "compliance" // nobody; it can only be extended
)

// A RetentionOption fits SetRetention, and Remove too: WithVersion, WithGovernanceBypass, WithNative.
type RetentionOption interface {
	RemoveOption
	applyRetention(*ChangeOptions)
}

type bypassOption struct{}

func (bypassOption) applyRemove(r *RemoveOptions)    { r.BypassGovernance = true }
func (bypassOption) applyRetention(r *ChangeOptions) { r.BypassGovernance = true }

// WithGovernanceBypass lets a caller who has the provider's permission remove an object under
// [Governance], or end or shorten its retention. It neither ends a legal hold nor a retention in
// the mode [Compliance]. If the store lacks [ObjectLock], the operation fails with Unsupported.
func WithGovernanceBypass() RetentionOption { return bypassOption{} }

// A Locker is a bucket that locks objects: one from engine.New, or a type of your own, for which
// [SetRetention] and [SetLegalHold] call these methods.
type Locker interface {
	SetRetention(ctx context.Context, key string, r Retention, opts ...RetentionOption) error
	SetLegalHold(ctx context.Context, key string, hold bool, opts ...SetOption) error
}

// SetRetention sets how long the object is kept; the zero [Retention] ends it. An object under
// retention can be kept longer by anybody who may write it. To shorten or end a retention in the
// mode [Governance], or to change its mode, give [WithGovernanceBypass]: otherwise SetRetention
// fails with Locked. In the mode [Compliance], every such change fails with Locked.
//
// A bucket that is narrowed by [Ref] needs Upload. A retention that has passed already is
// InvalidArgument. If there is no object, it fails with ObjectNotFound; if the store lacks
// [ObjectLock], the bucket was made without [WithObjectLock] or is no [Locker], with
// Unsupported.
func SetRetention(ctx context.Context, b Uploader, key string, r Retention, opts ...RetentionOption) error {
	l, e := need[Locker](b, "SetRetention")
	if e != nil {
		return located(b, "SetRetention", key, e)
	}
	return l.SetRetention(ctx, key, r, opts...)
}

// SetLegalHold begins or ends a legal hold of the object, which keeps it from being removed or
// overwritten whatever its retention is. It fails as [SetRetention] does.
func SetLegalHold(ctx context.Context, b Uploader, key string, hold bool, opts ...SetOption) error {
	l, e := need[Locker](b, "SetLegalHold")
	if e != nil {
		return located(b, "SetLegalHold", key, e)
	}
	return l.SetLegalHold(ctx, key, hold, opts...)
}

// A RestoreOption fits Restore: WithRestoreDays, WithRestoreTier, WithVersion, WithNative.
type RestoreOption interface{ applyRestore(*ChangeOptions) }

type restoreOption func(*ChangeOptions)

func (o restoreOption) applyRestore(r *ChangeOptions) { o(r) }

// WithRestoreDays sets for how many days S3 keeps the restored copy; the default is 1. Below 1
// Restore fails with InvalidArgument. Other providers restore for good, and ignore it.
func WithRestoreDays(days int) RestoreOption {
	return restoreOption(func(r *ChangeOptions) {
		if days < 1 {
			fail(&r.set, "WithRestoreDays", "must be at least 1")
		}
		r.RestoreDays = days
	})
}

// WithRestoreTier sets how fast the object is restored, by the provider's own word: Expedited,
// Standard or Bulk on S3, High or Standard on Azure. The default is Standard.
func WithRestoreTier(tier string) RestoreOption {
	return restoreOption(func(r *ChangeOptions) { r.RestoreTier = tier })
}

// A Restorer is a bucket that restores archived objects: one from engine.New, or a type of your own, for
// which [Restore] calls this method.
type Restorer interface {
	Restore(ctx context.Context, key string, opts ...RestoreOption) error
}

// Restore asks the store to make an archived object readable, whose read fails with [Archived].
// That takes minutes to hours; [Attrs].Restore tells how far it is. Restoring an object twice, or
// one that can be read already, succeeds. On Azure the object moves to the tier "Hot".
//
// A bucket that is narrowed by [Ref] needs Upload. If there is no object, it fails with
// ObjectNotFound; if the store lacks [Restoring], or the bucket is no [Restorer], with
// Unsupported.
func Restore(ctx context.Context, b Uploader, key string, opts ...RestoreOption) error {
	r, e := need[Restorer](b, "Restore")
	if e != nil {
		return located(b, "Restore", key, e)
	}
	return r.Restore(ctx, key, opts...)
}
