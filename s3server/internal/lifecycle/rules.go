package lifecycle

import (
	"cmp"
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/tagging"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

// A date is the text of a date as the client sent it. Check refuses an invalid date.
type date string

// time returns the time of the date in UTC, or the zero time if the date is invalid.
func (d date) time() time.Time {
	for _, form := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(form, string(d)); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// check fails if the date is invalid, or if its time is not midnight. An empty date is valid.
func (d date) check() error {
	if d == "" {
		return nil
	}
	t := d.time()
	if t.IsZero() {
		return s3error.New("MalformedXML")
	}
	if !t.Equal(t.Truncate(24 * time.Hour)) {
		return s3error.New("InvalidArgument", "ArgumentName", "Date", "ArgumentValue", string(d)).
			WithMessage("'Date' must be at midnight GMT")
	}
	return nil
}

// Check fails if AWS would refuse the configuration. Like AWS, it gives a random ID to each rule that has none. ReadXML
// calls it after it has decoded the configuration.
func (c *Configuration) Check() error {
	const (
		maxRules = 1000
		maxID    = 255
	)
	if len(c.Rule) == 0 || len(c.Rule) > maxRules {
		return s3error.New("MalformedXML")
	}
	ids := map[string]bool{}
	for i := range c.Rule {
		rule := &c.Rule[i]
		if err := rule.check(); err != nil {
			return err
		}
		rule.ID = cmp.Or(rule.ID, rand.Text())
		if len(rule.ID) > maxID {
			return s3error.New("InvalidArgument").WithMessage("ID length should not exceed allowed limit of 255")
		}
		if ids[rule.ID] {
			return s3error.New("InvalidArgument").WithMessage("Rule ID must be unique. Found same ID for more than one rule")
		}
		ids[rule.ID] = true
	}
	return nil
}

// check fails if AWS would refuse the lifecycle rule.
func (r *Rule) check() error {
	if r.Status != enabled && r.Status != "Disabled" {
		return s3error.New("MalformedXML")
	}

	// The scope of a rule is a filter or, in the old form, a prefix.
	hasFilter := r.Filter != nil
	hasPrefix := r.Prefix != nil
	if hasFilter == hasPrefix {
		return s3error.New("MalformedXML")
	}
	if !r.hasAction() {
		return s3error.New("InvalidRequest").WithMessage("At least one action needs to be specified in a rule.")
	}
	if err := r.Filter.check(); err != nil {
		return err
	}
	if err := r.checkExpiration(); err != nil {
		return err
	}
	if err := r.checkTransitions(); err != nil {
		return err
	}
	if err := r.checkNoncurrent(); err != nil {
		return err
	}
	return r.checkAbort()
}

// hasAction reports whether the rule expires, transitions or aborts anything.
func (r *Rule) hasAction() bool {
	if r.Expiration != nil || len(r.Transition) > 0 {
		return true
	}
	if r.NoncurrentVersionExpiration != nil || len(r.NoncurrentVersionTransition) > 0 {
		return true
	}
	return r.AbortIncompleteMultipartUpload != nil
}

// countTrue returns the number of conditions that are true.
func countTrue(conditions ...bool) int {
	count := 0
	for _, isTrue := range conditions {
		if isTrue {
			count++
		}
	}
	return count
}

// check fails if more than one field of the filter is set, or if the filter names a tag twice.
func (f *filter) check() error {
	if f == nil {
		return nil
	}
	fields := countTrue(
		f.Prefix != nil,
		f.Tag != nil,
		f.And != nil,
		f.ObjectSizeGreaterThan != nil,
		f.ObjectSizeLessThan != nil,
	)
	if fields > 1 {
		return s3error.New("MalformedXML")
	}

	// Tags are in the element Tag or And.
	tags, err := tagging.Of(f.tagElements())
	if err != nil {
		return err
	}

	keys := map[string]bool{}
	for _, t := range tags {
		if keys[t.Key] {
			return s3error.New("InvalidRequest").WithMessage("Duplicate Tag Keys are not allowed.")
		}
		keys[t.Key] = true
	}
	return nil
}

// tagElements returns the tags of the filter, which are in Tag or in And.
func (f *filter) tagElements() []tagging.Element {
	if f.Tag != nil {
		return []tagging.Element{*f.Tag}
	}
	if f.And != nil {
		return f.And.Tag
	}
	return nil
}

// checkPositive fails if the count in a field of an action is less than 1. A missing count is valid.
func checkPositive(count *int, field, action string) error {
	if count != nil && *count < 1 {
		return s3error.New("InvalidArgument").WithMessage("'%s' for %s action must be a positive integer", field, action)
	}
	return nil
}

// checkExpiration fails if the rule has an expiration that is not valid. An expiration must have exactly one of Days,
// Date and ExpiredObjectDeleteMarker.
func (r *Rule) checkExpiration() error {
	e := r.Expiration
	if e == nil {
		return nil
	}
	if countTrue(e.Days != nil, e.Date != "", e.ExpiredObjectDeleteMarker != nil) != 1 {
		return s3error.New("MalformedXML")
	}
	if e.ExpiredObjectDeleteMarker != nil && len(r.scope().tags) > 0 {
		return s3error.New("InvalidRequest").WithMessage("ExpiredObjectDeleteMarker cannot be specified with Tags.")
	}
	if err := checkPositive(e.Days, "Days", "Expiration"); err != nil {
		return err
	}
	return e.Date.check()
}

// coldness has the storage classes from the warmest to the coldest. A transition is possible only
// to a colder class.
var coldness = []string{
	standard, "STANDARD_IA", "INTELLIGENT_TIERING", "ONEZONE_IA", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE",
}

// minInfrequent is the minimum number of days before a transition to a class for infrequent access.
const minInfrequent = 30

// checkClass fails if an action cannot transition objects to a class after this number of days, which is nil if the
// transition has a date instead.
func checkClass(class, action string, days *int) error {
	if !isColder(class, standard) {
		return s3error.New("MalformedXML")
	}
	if days == nil {
		return nil
	}
	if *days < 0 {
		return s3error.New("InvalidArgument").WithMessage("'Days' in %s action must be nonnegative", action)
	}

	isInfrequent := class == "STANDARD_IA" || class == "ONEZONE_IA"
	if isInfrequent && *days < minInfrequent {
		return s3error.New("InvalidArgument").WithMessage(
			"'Days' in %s action must be greater than or equal to %d for storageClass '%s'", action, minInfrequent,
			class,
		)
	}
	return nil
}

// checkTransitions fails if a transition of current objects is invalid, or contradicts another one or the expiration.
func (r *Rule) checkTransitions() error {
	classes := map[string]bool{}
	for _, t := range r.Transition {
		// A transition needs a number of days or a date, but not both.
		hasDays := t.Days != nil
		hasDate := t.Date != ""
		if hasDays == hasDate {
			return s3error.New("MalformedXML")
		}
		if err := checkClass(t.StorageClass, "Transition", t.Days); err != nil {
			return err
		}
		if err := t.Date.check(); err != nil {
			return err
		}

		if classes[t.StorageClass] {
			return s3error.New("InvalidRequest").
				WithMessage("'StorageClass' must be different for 'Transition' actions in same 'Rule'")
		}
		classes[t.StorageClass] = true
		if err := r.checkOrder(t); err != nil {
			return err
		}
	}
	return nil
}

// checkOrder fails if the rule expires objects after no more days than the transition, or if one of the two has days
// and the other a date.
func (r *Rule) checkOrder(t transition) error {
	e := r.Expiration
	if e == nil || e.ExpiredObjectDeleteMarker != nil {
		// The rule expires no objects, or only delete markers.
		return nil
	}

	isMixed := (e.Days == nil) != (t.Days == nil)
	if isMixed {
		return s3error.New("InvalidRequest").WithMessage(
			"Found mixed 'Date' and 'Days' based Expiration and Transition actions in lifecycle rule '%s'", r.ID,
		)
	}
	if e.Days != nil && *e.Days <= *t.Days {
		return s3error.New("InvalidArgument").WithMessage(
			"'Days' in the Expiration action must be greater than 'Days' in the Transition action in lifecycle rule '%s'",
			r.ID,
		)
	}
	return nil
}

// checkNoncurrent fails if one of the rule's actions on noncurrent versions, which are expiration and transition, is
// invalid.
func (r *Rule) checkNoncurrent() error {
	if e := r.NoncurrentVersionExpiration; e != nil {
		if e.NoncurrentDays == nil {
			return s3error.New("MalformedXML")
		}
		if err := checkNewer(e.NewerNoncurrentVersions, "NoncurrentVersionExpiration"); err != nil {
			return err
		}
		if err := checkPositive(e.NoncurrentDays, "NoncurrentDays", "NoncurrentVersionExpiration"); err != nil {
			return err
		}
	}

	for _, t := range r.NoncurrentVersionTransition {
		if t.NoncurrentDays == nil {
			return s3error.New("MalformedXML")
		}
		if err := checkNewer(t.NewerNoncurrentVersions, "NoncurrentVersionTransition"); err != nil {
			return err
		}
		if err := checkClass(t.StorageClass, "NoncurrentVersionTransition", t.NoncurrentDays); err != nil {
			return err
		}
	}
	return nil
}

// checkNewer fails if the number of noncurrent versions that an action keeps is less than 1 or greater than 100.
func checkNewer(count *int, action string) error {
	const maxVersions = 100
	if count != nil && *count > maxVersions {
		return s3error.New("InvalidArgument").
			WithMessage("'NewerNoncurrentVersions' for %s action must not exceed %d", action, maxVersions)
	}
	return checkPositive(count, "NewerNoncurrentVersions", action)
}

// checkAbort fails if the action on incomplete uploads is invalid.
func (r *Rule) checkAbort() error {
	abort := r.AbortIncompleteMultipartUpload
	if abort == nil {
		return nil
	}
	if abort.DaysAfterInitiation == nil {
		return s3error.New("MalformedXML")
	}
	if len(r.scope().tags) > 0 {
		return s3error.New("InvalidRequest").WithMessage("AbortIncompleteMultipartUpload cannot be specified with Tags.")
	}
	return checkPositive(abort.DaysAfterInitiation, "DaysAfterInitiation", "AbortIncompleteMultipartUpload")
}

// A scope is the filter of a rule in a form for comparisons.
type scope struct {
	prefix              string
	tags                []tagging.Tag
	sizeOver, sizeUnder *int64 // bounds of the size in bytes, exclusive; nil means no bound
}

// scope returns the objects to which the rule applies, as its Prefix, its Filter or the And of its Filter says.
func (r *Rule) scope() scope {
	f := r.Filter
	if f == nil {
		return scope{prefix: textOf(r.Prefix)}
	}
	// The method check has already refused invalid tags.
	tags, _ := tagging.Of(f.tagElements())
	if f.And == nil {
		return scope{
			prefix:    textOf(f.Prefix),
			tags:      tags,
			sizeOver:  f.ObjectSizeGreaterThan,
			sizeUnder: f.ObjectSizeLessThan,
		}
	}
	return scope{
		prefix:    textOf(f.And.Prefix),
		tags:      tags,
		sizeOver:  f.And.ObjectSizeGreaterThan,
		sizeUnder: f.And.ObjectSizeLessThan,
	}
}

// textOf returns *text, or "" if text is nil.
func textOf(text *xmldoc.Text) string {
	if text == nil {
		return ""
	}
	return string(*text)
}

// contains reports whether a version is in the scope. A delete marker, which has no tags and no size, is in no scope
// with tags or sizes.
func (s scope) contains(v Version) bool {
	if !strings.HasPrefix(v.Key, s.prefix) {
		return false
	}
	if v.Marker {
		return len(s.tags) == 0 && !s.hasSize()
	}
	for _, t := range s.tags {
		if !slices.Contains(v.Tags, t) {
			return false
		}
	}
	if s.sizeOver != nil && v.Size <= *s.sizeOver {
		return false
	}
	return s.sizeUnder == nil || v.Size < *s.sizeUnder
}

func (s scope) hasSize() bool { return s.sizeOver != nil || s.sizeUnder != nil }
