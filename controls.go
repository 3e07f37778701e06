package storage

import (
	"fmt"
	"maps"
	"strings"
	"time"
	"unicode/utf8"
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

// The limits of tags are the strictest of all providers: Azure's characters, and S3's and
// Azure's count and lengths.
const (
	maxTags     = 10
	maxTagKey   = 128
	maxTagValue = 256
	tagSigns    = "+-./:=_ "
)

// WithTags sets the object's tags, all of them: a write replaces those that were there. Tags
// are not metadata: they can be changed without a new write ([SetTags]), and lifecycle rules and
// access policies of the provider can select objects by them.
//
// There are at most 10. A key has 1 to 128 characters, a value up to 256: letters and digits of
// ASCII, spaces, and + - . / : = _. Tags that break a rule are InvalidArgument. If the store
// lacks [ObjectTags], the operation fails with Unsupported.
func WithTags(tags map[string]string) WriteOption {
	return writeOption(func(w written) {
		w.controls.Tags = maps.Clone(tags)
		w.set.tags = true
		w.set.failed(checkTags("WithTags", tags))
	})
}

// WithRetention keeps the object from being removed or overwritten until a time, which is rounded
// up to a second. A time that has passed, or another mode than [Governance] and [Compliance], is
// InvalidArgument. If the store lacks [ObjectLock], or the bucket was made without
// [WithObjectLock], the operation fails with Unsupported.
func WithRetention(until time.Time, mode RetentionMode) WriteOption {
	return writeOption(func(w written) {
		w.controls.Retention = Retention{Mode: mode, Until: until}.rounded()
		w.set.lock = true
		w.set.failed(w.controls.Retention.check("WithRetention", time.Now()))
	})
}

// WithLegalHold keeps the object from being removed or overwritten until [SetLegalHold] ends the
// hold. It fails as [WithRetention] does.
func WithLegalHold() WriteOption {
	return writeOption(func(w written) {
		w.controls.LegalHold = true
		w.set.lock = true
	})
}

// checkTags checks the tags that argument gave.
func checkTags(argument string, tags map[string]string) *Error {
	if len(tags) > maxTags {
		return invalid(argument, fmt.Sprintf("has %d tags, and may have %d", len(tags), maxTags))
	}
	for key, value := range tags {
		if key == "" || len(key) > maxTagKey || !validTag(key) {
			return invalid(argument, "key "+quoted(key)+" must be 1 to 128 of the ASCII letters and digits, spaces and "+strings.TrimSpace(tagSigns))
		}
		if len(value) > maxTagValue || !validTag(value) {
			return invalid(argument, "value of "+quoted(key)+" must be at most 256 of the ASCII letters and digits, spaces and "+strings.TrimSpace(tagSigns))
		}
	}
	return nil
}

func validTag(text string) bool {
	for _, c := range []byte(text) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && strings.IndexByte(tagSigns, c) < 0 || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// resolveControls checks the controls of a write, and their native options.
func (c *core) resolveControls(w *Controls, set *settings) (e *Error) {
	if set.tags && len(w.Tags) > 0 {
		e = c.need(ObjectTags, "WithTags")
	}
	if e == nil && set.lock {
		what := "WithRetention"
		if w.Retention == (Retention{}) {
			what = "WithLegalHold"
		}
		e = c.need(ObjectLock, what)
	}
	if e == nil && w.PublicRead {
		e = c.need(ObjectACLs, "WithPublicRead")
	}
	if e == nil {
		w.Native, e = c.natives(set.natives)
	}
	return e
}
