package storage

import (
	"context"
	"maps"
	"time"

	"github.com/omnibucket/storage/internal/retentionrule"
	"github.com/omnibucket/storage/internal/scope"
	"github.com/omnibucket/storage/internal/tagrule"
)

// Controls are the attributes that a write sets beside the [Properties]: public reading, tags and locks.
type Controls struct {
	PublicRead bool
	Tags       map[string]string // nil means not given
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

// WithRetention keeps the object from being removed or overwritten until a future time, rounded
// up to a second, in a bucket made [WithObjectLock].
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

// Tags returns the object's tags; if it has none, an empty map.
func Tags(ctx context.Context, b AttrsReader, key string, opts ...AttrsOption) (map[string]string, error) {
	f, e := need(b, "Tags", key)
	if e != nil {
		return nil, e
	}
	given := readPool.get()
	defer readPool.put(given)
	if err := f.check(scope.Attrs, "Tags", key, given.ApplyAttrs(opts...)); err != nil {
		return nil, err
	}
	tags, err := f.core.Tags(ctx, f.scope.Key(key), given)
	return tags, f.outward(err)
}

// SetTags replaces the object's tags, by the rules of [WithTags], or removes them if there
// are none. The object's revision stays the same.
func SetTags(ctx context.Context, b Uploader, key string, tags map[string]string, opts ...SetOption) error {
	var given ChangeOptions
	err := given.Apply(opts...)
	return changeObject(b, "SetTags", key, err, func(c Core, key string) error {
		return c.SetTags(ctx, key, tags, &given)
	})
}

// A Retention keeps one object, or one version, until a time; the zero value means no
// retention.
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
// [Governance], or end or shorten its retention. It does not override a legal hold.
func WithGovernanceBypass() RetentionOption { return bypassOption{} }

// SetRetention keeps the object until a future time, in a bucket made [WithObjectLock]; the
// zero Retention ends it. Anybody who may write an object can keep it longer. A change that
// ends or shortens it, or changes the mode, needs [WithGovernanceBypass] under [Governance],
// and fails with Locked under [Compliance].
func SetRetention(ctx context.Context, b Uploader, key string, r Retention, opts ...RetentionOption) error {
	var given ChangeOptions
	err := given.ApplyRetention(opts...)
	return changeObject(b, "SetRetention", key, err, func(c Core, key string) error {
		return c.SetRetention(ctx, key, r, &given)
	})
}

// SetLegalHold begins or ends a legal hold, as of [WithLegalHold].
func SetLegalHold(ctx context.Context, b Uploader, key string, hold bool, opts ...SetOption) error {
	var given ChangeOptions
	err := given.Apply(opts...)
	return changeObject(b, "SetLegalHold", key, err, func(c Core, key string) error {
		return c.SetLegalHold(ctx, key, hold, &given)
	})
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

// Restore asks the store to make an archived object readable, whose read fails with
// Archived. That takes minutes to hours: see Attrs.Restore. If it can be read already,
// Restore succeeds. On Azure it moves to the tier "Hot".
//
// [WithSoftDeleted] brings an object back that was removed for good, with its properties
// and tags, but not public: the newest that the store has, or that of [WithVersion]. It is
// there when Restore returns. If the key has an object, Restore fails with
// PreconditionFailed.
func Restore(ctx context.Context, b Uploader, key string, opts ...RestoreOption) error {
	var given ChangeOptions
	err := given.ApplyRestore(opts...)
	return changeObject(b, "Restore", key, err, func(c Core, key string) error { return c.Restore(ctx, key, &given) })
}

// changeObject calls a method of the core of b that changes what is kept with an object; applied is the error of
// reading the options, or nil.
func changeObject(b Uploader, op, key string, applied error, call func(c Core, key string) error) error {
	f, e := need(b, op, key)
	if e != nil {
		return e
	}
	if err := f.check(scope.Upload, op, key, applied); err != nil {
		return err
	}
	return f.outward(call(f.core, f.scope.Key(key)))
}
