package storage

import (
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
