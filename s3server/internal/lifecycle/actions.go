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

// addDays returns the time that many days after t, counted from the next midnight in UTC as on AWS. The shorter days of
// tests are counted from t itself.
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

// Abortion returns the earliest time at which a rule aborts an incomplete upload. The zero value means never.
func (c *Configuration) Abortion(key string, initiated time.Time, clock Clock) (first Deadline) {
	for _, rule := range c.Rules() {
		abort := rule.AbortIncompleteMultipartUpload
		if abort == nil || !strings.HasPrefix(key, rule.scope().prefix) {
			continue
		}
		at := clock.addDays(initiated, *abort.DaysAfterInitiation)
		first = first.earlier(Deadline{At: at, Rule: rule.ID})
	}
	return first
}

// A Deadline is the time at which a rule takes effect, and the rule's id. The zero value means
// never.
type Deadline struct {
	At   time.Time
	Rule string
}

// earlier returns the earlier of two deadlines, which is other if d is zero.
func (d Deadline) earlier(other Deadline) Deadline {
	if d.Rule == "" || other.At.Before(d.At) {
		return other
	}
	return d
}

// IsOver reports whether the time of the deadline has come.
func (d Deadline) IsOver(now time.Time) bool { return d.Rule != "" && !now.Before(d.At) }

// Rules returns the rules that are enabled. A nil configuration has none.
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

// Action returns what the rules do now with versions[i]. versions has all versions of one key, the newest first. An
// expiration has precedence over transitions. If several transitions apply, the one to the coldest class counts.
func (c *Configuration) Action(versions []Version, i int, clock Clock) Action {
	v := versions[i]
	var action Action
	for _, rule := range c.Rules() {
		scope := rule.scope()
		if !scope.contains(v) {
			continue
		}
		if rule.expires(versions, i, clock) {
			return Action{Expire: true}
		}
		for _, class := range rule.transitions(versions, i, clock) {
			// A rule with sizes of its own overrides the smallest size of a class.
			isTooSmall := !scope.hasSize() && v.Size < minSize(class, c.Least)
			if isTooSmall || !isColder(class, v.Class) {
				continue
			}
			if isColder(class, action.Class) {
				action.Class = class
			}
		}
	}
	return action
}

// isColder reports whether a storage class is colder than another one. Every class in coldness is
// colder than a class that is missing there, such as "".
func isColder(class, other string) bool {
	return slices.Index(coldness, class) > slices.Index(coldness, other)
}

// minSize returns the minimum size in bytes of the objects that a rule without sizes transitions to a class. least is
// the value of Configuration.Least.
func minSize(class, least string) int64 {
	const defaultSize = 128 << 10
	isArchive := class == "GLACIER" || class == "DEEP_ARCHIVE"
	if isArchive && least == SmallByClass {
		return 0
	}
	return defaultSize
}

// expires reports whether the rule removes versions[i] now. versions has all versions of one key, the newest first. The
// caller must have checked that the version is in the rule's scope.
func (r *Rule) expires(versions []Version, i int, clock Clock) bool {
	isCurrent := i == 0
	if !isCurrent {
		e := r.NoncurrentVersionExpiration
		return e != nil && isNoncurrentFor(versions, i, e.NoncurrentDays, e.NewerNoncurrentVersions, clock)
	}

	// The version is the current one.
	e := r.Expiration
	if e == nil {
		return false
	}

	v := versions[0]
	if v.Marker {
		// A delete marker expires only when no other version is left.
		if len(versions) > 1 {
			return false
		}
		if e.ExpiredObjectDeleteMarker != nil {
			return *e.ExpiredObjectDeleteMarker
		}
	}
	return r.expiration(v, clock).IsOver(clock.Now)
}

// isNoncurrentFor reports whether versions[i] of a key's versions, the newest first, has been noncurrent for a number
// of days, and at least *minNewer noncurrent versions are newer. nil means 0.
func isNoncurrentFor(versions []Version, i int, days, minNewer *int, clock Clock) bool {
	newerNoncurrent := i - 1 // all newer versions except the current one
	if newerNoncurrent < count(minNewer) {
		return false
	}
	noncurrentSince := versions[i-1].Modified // when the next version was written
	return !clock.Now.Before(clock.addDays(noncurrentSince, *days))
}

// expiration returns the time at which the rule removes a version if it is still current then. The zero value means
// never, because the rule has neither days nor a date.
func (r *Rule) expiration(v Version, clock Clock) Deadline {
	e := r.Expiration
	if e == nil {
		return Deadline{}
	}
	if e.Days != nil {
		return Deadline{At: clock.addDays(v.Modified, *e.Days), Rule: r.ID}
	}
	if e.Date != "" {
		return Deadline{At: e.Date.time(), Rule: r.ID}
	}
	return Deadline{}
}

// transitions returns the storage classes to which the rule has transitioned versions[i] by now. The caller must have
// checked that the version is in the rule's scope.
func (r *Rule) transitions(versions []Version, i int, clock Clock) (classes []string) {
	v := versions[i]
	if v.Marker {
		return nil
	}

	// Noncurrent versions have transitions of their own.
	isCurrent := i == 0
	if !isCurrent {
		for _, t := range r.NoncurrentVersionTransition {
			if isNoncurrentFor(versions, i, t.NoncurrentDays, t.NewerNoncurrentVersions, clock) {
				classes = append(classes, t.StorageClass)
			}
		}
		return classes
	}

	for _, t := range r.Transition {
		// A transition happens at a date, or a number of days after the write.
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

// Expiry returns the earliest time at which a rule removes a version, if the version stays current until then. The
// result is the zero value if no rule removes it.
func (c *Configuration) Expiry(v Version, clock Clock) (first Deadline) {
	for _, rule := range c.Rules() {
		if d := rule.expiration(v, clock); d.Rule != "" && rule.scope().contains(v) {
			first = first.earlier(d)
		}
	}
	return first
}
