package lifecycle

import (
	"cmp"
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/tagging"
)

// A date is the text of a date as the client sent it. Check refuses an invalid date.
type date string

// time parses the date. It returns the zero time if the date is invalid.
func (d date) time() time.Time {
	for _, form := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(form, string(d)); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

func (d date) check() error {
	t := d.time()
	switch {
	case d == "":
		return nil
	case t.IsZero():
		return s3error.New("MalformedXML")
	case !t.Equal(t.Truncate(24 * time.Hour)):
		return s3error.New("InvalidArgument", "ArgumentName", "Date", "ArgumentValue", string(d)).
			WithMessage("'Date' must be at midnight GMT")
	}
	return nil
}

// Check fails if AWS would refuse a rule. It adds an ID to each rule that has none.
func (c *Configuration) Check() error {
	const maxRules, maxID = 1000, 255
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

func (r *Rule) check() error {
	hasAction := r.Expiration != nil || r.NoncurrentVersionExpiration != nil || r.AbortIncompleteMultipartUpload != nil ||
		len(r.NoncurrentVersionTransition) > 0 || len(r.Transition) > 0
	if r.Status != enabled && r.Status != "Disabled" || (r.Filter == nil) == (r.Prefix == nil) {
		return s3error.New("MalformedXML")
	}
	if !hasAction {
		return s3error.New("InvalidRequest").WithMessage("At least one action needs to be specified in a rule.")
	}
	for _, check := range []func() error{r.Filter.check, r.checkExpiration, r.checkTransitions, r.checkNoncurrent, r.checkAbort} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// check fails if more than one field of the filter is set, or if the filter names a tag twice.
func (f *filter) check() error {
	if f == nil {
		return nil
	}
	conditions := 0
	for _, ok := range []bool{f.Prefix != nil, f.Tag != nil, f.ObjectSizeGreaterThan != nil, f.ObjectSizeLessThan != nil, f.And != nil} {
		if ok {
			conditions++
		}
	}
	if conditions > 1 {
		return s3error.New("MalformedXML")
	}
	keys := map[string]bool{}
	tags, err := tagging.Of(f.tagElements())
	for _, t := range tags {
		if keys[t.Key] {
			return s3error.New("InvalidRequest").WithMessage("Duplicate Tag Keys are not allowed.")
		}
		keys[t.Key] = true
	}
	return err
}

// tagElements returns the tags of the filter, inside and outside And.
func (f *filter) tagElements() []tagging.Element {
	if f.Tag != nil {
		return []tagging.Element{*f.Tag}
	}
	if f.And != nil {
		return f.And.Tag
	}
	return nil
}

// positive fails if a count is less than 1. The error names the action and the field.
func positive(count *int, field, action string) error {
	if count != nil && *count < 1 {
		return s3error.New("InvalidArgument").WithMessage("'%s' for %s action must be a positive integer", field, action)
	}
	return nil
}

func (r *Rule) checkExpiration() error {
	e := r.Expiration
	if e == nil {
		return nil
	}
	count := 0
	for _, isSet := range []bool{e.Days != nil, e.Date != "", e.ExpiredObjectDeleteMarker != nil} {
		if isSet {
			count++
		}
	}
	if count != 1 {
		return s3error.New("MalformedXML")
	}
	if scope := r.scope(); e.ExpiredObjectDeleteMarker != nil && len(scope.tags) > 0 {
		return s3error.New("InvalidRequest").WithMessage("ExpiredObjectDeleteMarker cannot be specified with Tags.")
	}
	if err := positive(e.Days, "Days", "Expiration"); err != nil {
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

func checkClass(class, action string, days *int) error {
	if slices.Index(coldness, class) < 1 {
		return s3error.New("MalformedXML")
	}
	if days != nil && *days < 0 {
		return s3error.New("InvalidArgument").WithMessage("'Days' in %s action must be nonnegative", action)
	}
	if infrequent := class == "STANDARD_IA" || class == "ONEZONE_IA"; infrequent && days != nil &&
		*days < minInfrequent {
		return s3error.New("InvalidArgument").WithMessage(
			"'Days' in %s action must be greater than or equal to %d for storageClass '%s'", action, minInfrequent,
			class,
		)
	}
	return nil
}

func (r *Rule) checkTransitions() error {
	classes := map[string]bool{}
	for _, t := range r.Transition {
		if (t.Days == nil) == (t.Date == "") {
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
		e := r.Expiration
		if e == nil || e.ExpiredObjectDeleteMarker != nil {
			continue
		}
		if (e.Days == nil) != (t.Days == nil) {
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
	}
	return nil
}

func (r *Rule) checkNoncurrent() error {
	if e := r.NoncurrentVersionExpiration; e != nil {
		if e.NoncurrentDays == nil {
			return s3error.New("MalformedXML")
		}
		if err := checkNewer(e.NewerNoncurrentVersions, "NoncurrentVersionExpiration"); err != nil {
			return err
		}
		if err := positive(e.NoncurrentDays, "NoncurrentDays", "NoncurrentVersionExpiration"); err != nil {
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

func checkNewer(count *int, action string) error {
	const maxVersions = 100
	if count != nil && *count > maxVersions {
		return s3error.New("InvalidArgument").
			WithMessage("'NewerNoncurrentVersions' for %s action must not exceed %d", action, maxVersions)
	}
	return positive(count, "NewerNoncurrentVersions", action)
}

func (r *Rule) checkAbort() error {
	a := r.AbortIncompleteMultipartUpload
	if a == nil {
		return nil
	}
	if a.DaysAfterInitiation == nil {
		return s3error.New("MalformedXML")
	}
	if len(r.scope().tags) > 0 {
		return s3error.New("InvalidRequest").WithMessage("AbortIncompleteMultipartUpload cannot be specified with Tags.")
	}
	return positive(a.DaysAfterInitiation, "DaysAfterInitiation", "AbortIncompleteMultipartUpload")
}

// A scope is the filter of a rule in a form for comparisons.
type scope struct {
	prefix              string
	tags                []tagging.Tag
	sizeOver, sizeUnder *int64 // bounds of the size in bytes, exclusive; nil means no bound
}

func (r *Rule) scope() (s scope) {
	prefix := r.Prefix
	f := r.Filter
	if f != nil {
		prefix = f.Prefix
		s.sizeOver = f.ObjectSizeGreaterThan
		s.sizeUnder = f.ObjectSizeLessThan
		if f.And != nil {
			prefix = f.And.Prefix
			s.sizeOver = f.And.ObjectSizeGreaterThan
			s.sizeUnder = f.And.ObjectSizeLessThan
		}
		s.tags, _ = tagging.Of(f.tagElements()) // check has already refused invalid tags
	}
	if prefix != nil {
		s.prefix = string(*prefix)
	}
	return s
}

// contains reports whether a version is in the scope. A delete marker has no tags and no size. A scope
// with tags or sizes therefore has no delete marker.
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
	return (s.sizeOver == nil || v.Size > *s.sizeOver) && (s.sizeUnder == nil || v.Size < *s.sizeUnder)
}

func (s scope) hasSize() bool { return s.sizeOver != nil || s.sizeUnder != nil }
