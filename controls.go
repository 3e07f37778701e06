package storage

import (
	"context"
	"maps"
	"time"

	"github.com/omnibucket/storage/internal/core/scope"
	"github.com/omnibucket/storage/internal/metadata"
)

// WithTags sets all of the object's tags, at most 10, as [SetTags] does without writing the object.
// A key has 1 to 128 characters, and a value 1 to 256: ASCII letters and digits, spaces, and + - .
// : = _. They begin with a letter or digit, and do not end with a space. No key begins with "aws:"
// or "goog". URL-encoded, all tags together take at most 4 KiB.
func WithTags(tags map[string]string) WriteOption {
	return writeOption(func(w written) {
		w.controls.Tags = maps.Clone(tags)
		if tags == nil {
			// In controls, a nil map means that the option is not given.
			w.controls.Tags = map[string]string{}
		}
		if rule := metadata.CheckTags(tags); rule != "" {
			fail(w.err, "WithTags", rule)
		}
	})
}

// WithRetention keeps the object from being removed or overwritten until a future time, which is
// rounded up to a second, in a bucket made with [WithObjectLock].
func WithRetention(retainUntil time.Time, mode RetentionMode) WriteOption {
	return writeOption(func(w written) {
		w.controls.Retention = Retention{Mode: mode, Until: metadata.RoundUpTime(retainUntil)}
		if rule := metadata.CheckRetention(string(mode), w.controls.Retention.Until, time.Now()); rule != "" {
			fail(w.err, "WithRetention", rule)
		}
	})
}

// WithLegalHold keeps the object from being removed or overwritten until [SetLegalHold] ends the
// hold, in a bucket made with [WithObjectLock]. A hold does not depend on a retention.
func WithLegalHold() WriteOption {
	return writeOption(func(w written) {
		w.controls.LegalHold = true
	})
}

// Tags returns the object's tags, or an empty map if it has none.
func Tags(ctx context.Context, b AttrsReader, key string, opts ...AttrsOption) (map[string]string, error) {
	f, err := frontOf(b, "Tags", key)
	if err != nil {
		return nil, err
	}
	o := readPool.get()
	defer readPool.put(o)
	if err := f.check(ctx, scope.Attrs, "Tags", key, o.ApplyAttrs(opts...)); err != nil {
		return nil, err
	}
	tags, err := f.core.Tags(ctx, f.scope.Key(key), o)
	return tags, f.errorInView(err)
}

// SetTags replaces the object's tags, by the rules of [WithTags], and removes them all if the map is
// empty. The object's revision stays the same.
func SetTags(ctx context.Context, b Uploader, key string, tags map[string]string, opts ...SetOption) error {
	var o ChangeOptions
	err := o.Apply(opts...)
	return changeObject(ctx, b, "SetTags", key, err, func(c Core, key string) error {
		return c.SetTags(ctx, key, tags, &o)
	})
}

type bypassOption struct{}

func (bypassOption) applyRemove(r *RemoveOptions)    { r.BypassGovernance = true }
func (bypassOption) applyRetention(r *ChangeOptions) { r.BypassGovernance = true }

// WithGovernanceBypass lets a caller with the provider's permission remove an object under
// [Governance], or end or shorten its retention. It does not override a legal hold.
func WithGovernanceBypass() RetentionOption { return bypassOption{} }

// SetRetention keeps the object from being removed or overwritten until r.Until, in a bucket made
// with [WithObjectLock]. The zero Retention ends the retention. Every caller that may write an
// object may also extend its retention. Ending or shortening a retention, or changing its mode,
// needs [WithGovernanceBypass] under [Governance], and fails with Locked under [Compliance].
func SetRetention(ctx context.Context, b Uploader, key string, r Retention, opts ...RetentionOption) error {
	var o ChangeOptions
	err := o.ApplyRetention(opts...)
	return changeObject(ctx, b, "SetRetention", key, err, func(c Core, key string) error {
		return c.SetRetention(ctx, key, r, &o)
	})
}

// SetLegalHold begins or ends a legal hold; see [WithLegalHold].
func SetLegalHold(ctx context.Context, b Uploader, key string, hold bool, opts ...SetOption) error {
	var o ChangeOptions
	err := o.Apply(opts...)
	return changeObject(ctx, b, "SetLegalHold", key, err, func(c Core, key string) error {
		return c.SetLegalHold(ctx, key, hold, &o)
	})
}

type restoreOption func(*ChangeOptions)

func (o restoreOption) applyRestore(r *ChangeOptions) { o(r) }

// WithRestoreDays sets the number of days, by default and at least 1, for which S3 keeps the
// restored copy. Other providers restore the object permanently, and ignore the option.
func WithRestoreDays(days int) RestoreOption {
	return restoreOption(func(r *ChangeOptions) {
		atLeast(&r.err, "WithRestoreDays", days, 1)
		r.RestoreDays = days
	})
}

// WithRestoreTier sets how fast the object is restored: Expedited, Standard (the default) or Bulk
// on S3, and High or Standard on Azure.
func WithRestoreTier(tier string) RestoreOption {
	return restoreOption(func(r *ChangeOptions) {
		r.RestoreTier = tier
	})
}

// Restore asks the store to make an archived object readable, which takes minutes to hours (see
// Attrs.Restore). Until then, reading it fails with Archived. If the object can already be read,
// Restore succeeds. On Azure, the object moves to the tier "Hot".
//
// With [WithSoftDeleted], Restore brings back a removed object that soft delete has kept, with its
// properties and tags. It restores the version of [WithVersion], or otherwise the newest. When
// Restore returns, the object exists, but is not public. If the key already has an object, Restore
// fails with PreconditionFailed.
func Restore(ctx context.Context, b Uploader, key string, opts ...RestoreOption) error {
	var o ChangeOptions
	err := o.ApplyRestore(opts...)
	return changeObject(ctx, b, "Restore", key, err, func(c Core, key string) error { return c.Restore(ctx, key, &o) })
}

// changeObject changes an object's tags, locks or archive state by change, which calls a method of
// the Core. optionsErr is the error of the options, or nil if they are valid.
func changeObject(
	ctx context.Context, b Uploader, op, key string, optionsErr error, change func(c Core, key string) error,
) error {
	f, err := frontOf(b, op, key)
	if err != nil {
		return err
	}
	if err := f.check(ctx, scope.Upload, op, key, optionsErr); err != nil {
		return err
	}
	return f.errorInView(change(f.core, f.scope.Key(key)))
}
