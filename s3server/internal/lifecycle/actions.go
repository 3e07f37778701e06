package lifecycle

import (
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage/s3server/internal/tagging"
)

// FullDay is the real length of a day. Tests may use shorter days.
const FullDay = 24 * time.Hour

// A Clock is the current time and the length of a day, from which the times of rules are computed.
type Clock struct {
	Now time.Time
	Day time.Duration
}

// addDays returns the time at which a rule takes effect. It is a number of days after the next
// midnight in UTC, as on AWS. If the clock's days are shorter than 24 hours, as in tests, it is the
// number of days after t.
func (c Clock) addDays(t time.Time, days int) time.Time {
	if c.Day == FullDay {
		t = t.UTC().Truncate(FullDay).Add(FullDay)
	}
	return t.Add(time.Duration(days) * c.Day)
}

// A Version has the properties of an object's version on which rules depend.
type Version struct {
	Key      string
	Marker   bool // true for a delete marker, which has no size, class and tags
	Size     int64
	Class    string
	Tags     []tagging.Tag
	Modified time.Time
}

// Abortion returns the time at which the first rule aborts an incomplete upload. The zero value
// means never.
func (c *Configuration) Abortion(key string, initiated time.Time, clock Clock) (first Deadline) {
	for _, rule := range c.Rules() {
		if a := rule.AbortIncompleteMultipartUpload; a != nil && strings.HasPrefix(key, rule.scope().prefix) {
			first = first.earlier(Deadline{clock.addDays(initiated, *a.DaysAfterInitiation), rule.ID})
		}
	}
	return first
}

// A Deadline is the time at which a rule takes effect, and the rule's id. The zero value means
// never.
type Deadline struct {
	At   time.Time
	Rule string
}

func (d Deadline) earlier(other Deadline) Deadline {
	if d.Rule == "" || other.At.Before(d.At) {
		return other
	}
	return d
}

// IsOver reports whether the time of the deadline has come.
func (d Deadline) IsOver(now time.Time) bool { return d.Rule != "" && !now.Before(d.At) }

// Rules returns the rules that are enabled.
func (c *Configuration) Rules() (rules []*Rule) {
	if c == nil {
		return nil
	}
	for i := range c.Rule {
		if c.Rule[i].Status == enabled {
			rules = append(rules, &c.Rule[i])
		}
	}
	return rules
}

// An Action is what the rules do with one version now. The zero value is for a version that stays
// as it is.
type Action struct {
	Expire bool
	Class  string // the new storage class, or ""
}

// Action returns what the rules do with versions[i] now. versions has all versions of a key, the
// newest first. An expiration has precedence over a transition. If there are several transitions,
// the one to the coldest class counts.
func (c *Configuration) Action(versions []Version, i int, clock Clock) (act Action) {
	v := versions[i]
	for _, rule := range c.Rules() {
		scope := rule.scope()
		if !scope.contains(v) {
			continue
		}
		if rule.expires(versions, i, clock) {
			return Action{Expire: true}
		}
		for _, class := range rule.transitions(versions, i, clock) {
			isColder := slices.Index(coldness, class) > max(slices.Index(coldness, v.Class), slices.Index(coldness, act.Class))
			if isColder && (scope.hasSize() || v.Size >= minSize(class, c.Least)) {
				act.Class = class
			}
		}
	}
	return act
}

// minSize returns the minimum size in bytes of an object that a rule may transition to a class,
// if the rule itself has no sizes.
func minSize(class, fallback string) int64 {
	if fallback == SmallByClass && (class == "GLACIER" || class == "DEEP_ARCHIVE") {
		return 0
	}
	return 128 << 10
}

// expires reports whether the rule removes versions[i] now. The version must match the rule's
// filter.
func (r *Rule) expires(versions []Version, i int, clock Clock) bool {
	if i > 0 {
		e := r.NoncurrentVersionExpiration
		return e != nil && i > count(e.NewerNoncurrentVersions) &&
			!clock.Now.Before(clock.addDays(versions[i-1].Modified, *e.NoncurrentDays))
	}
	e := r.Expiration
	v := versions[0]
	if e == nil || v.Marker && len(versions) > 1 {
		return false
	}
	if v.Marker && e.ExpiredObjectDeleteMarker != nil {
		return *e.ExpiredObjectDeleteMarker
	}
	return r.expiration(v, clock).IsOver(clock.Now)
}

// expiration returns the time at which the rule removes a version, provided that it stays current
// until then.
func (r *Rule) expiration(v Version, clock Clock) Deadline {
	e := r.Expiration
	switch {
	case e == nil:
	case e.Days != nil:
		return Deadline{clock.addDays(v.Modified, *e.Days), r.ID}
	case e.Date != "":
		return Deadline{e.Date.time(), r.ID}
	}
	return Deadline{}
}

// transitions returns the storage classes to which the rule has transitioned versions[i] by now.
// The version must match the rule's filter.
func (r *Rule) transitions(versions []Version, i int, clock Clock) (classes []string) {
	v := versions[i]
	if v.Marker {
		return nil
	}
	if i > 0 {
		for _, t := range r.NoncurrentVersionTransition {
			if i > count(t.NewerNoncurrentVersions) &&
				!clock.Now.Before(clock.addDays(versions[i-1].Modified, *t.NoncurrentDays)) {
				classes = append(classes, t.StorageClass)
			}
		}
		return classes
	}
	for _, t := range r.Transition {
		date := t.Date.time()
		if t.Days != nil {
			date = clock.addDays(v.Modified, *t.Days)
		}
		if !clock.Now.Before(date) {
			classes = append(classes, t.StorageClass)
		}
	}
	return classes
}

// count returns *n, or 0 if n is nil.
func count(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}

// Expiry returns the earliest time at which a rule removes a version, and the rule. It assumes that
// the version stays current until that time. If no rule removes the version, Expiry returns the
// zero value.
func (c *Configuration) Expiry(v Version, clock Clock) (first Deadline) {
	for _, rule := range c.Rules() {
		if d := rule.expiration(v, clock); d.Rule != "" && rule.scope().contains(v) {
			first = first.earlier(d)
		}
	}
	return first
}
