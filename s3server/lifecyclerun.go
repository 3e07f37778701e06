package s3server

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const fullDay = 24 * time.Hour

// A lifecycleClock says when rules act.
type lifecycleClock struct {
	now time.Time
	day time.Duration
}

// after returns when a rule acts that waits for days. AWS adds the days and then waits for the next
// midnight in UTC. A shorter day has no midnight.
func (c lifecycleClock) after(t time.Time, days int) time.Time {
	if c.day == fullDay {
		t = t.UTC().Truncate(fullDay).Add(fullDay)
	}
	return t.Add(time.Duration(days) * c.day)
}

// RunLifecycle applies the lifecycle rules of all buckets once, at the time of Config.Now. It
// removes objects, versions, delete markers and uploads, and changes storage classes. It skips
// versions that an object lock protects. A [Server] calls it 24 times a day by itself.
func (h *Handler) RunLifecycle() {
	h.mu.RLock()
	names := h.buckets.Keys()
	h.mu.RUnlock()
	for _, name := range names {
		h.runLifecycle(name)
	}
}

// keepLifecycle runs the rules until gone is closed.
func (h *Handler) keepLifecycle(gone <-chan struct{}) {
	ticker := time.NewTicker(max(h.config.LifecycleDay/24, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-gone:
			return
		case <-ticker.C:
			h.RunLifecycle()
		}
	}
}

// lifecycleBatch is the number of keys for which requests wait at once.
const lifecycleBatch = 1000

func (h *Handler) runLifecycle(name string) {
	r := &request{server: h, target: target{bucket: name}}
	clock := lifecycleClock{h.now(), h.config.LifecycleDay}
	for after, more := "", true; more; {
		var keys []string
		err := r.view(func(b *bucket) error {
			if b.lifecycle != nil {
				keys = b.keysAfter(after, lifecycleBatch)
			}
			return nil
		})
		if more = err == nil && len(keys) > 0; !more {
			break
		}
		after = keys[len(keys)-1]
		_ = r.change(func(b *bucket) (unused []piece, err error) { // fails if the bucket is gone
			for _, key := range keys {
				unused = append(unused, b.applyLifecycle(key, clock)...)
			}
			return unused, nil
		})
	}
	_ = r.change(func(b *bucket) ([]piece, error) { return b.abortStaleUploads(clock), nil })
}

// keysAfter returns the next keys, at most this many.
func (b *bucket) keysAfter(after string, most int) (keys []string) {
	b.keys.Ascend(after, func(key string, _ []*version) bool {
		if key > after {
			keys = append(keys, key)
		}
		return len(keys) < most
	})
	return keys
}

// abortStaleUploads removes uploads that have waited too long.
func (b *bucket) abortStaleUploads(clock lifecycleClock) (unused []piece) {
	for id, u := range b.uploads {
		if b.lifecycle.abortion(u, clock).isOver(clock.now) {
			delete(b.uploads, id)
			unused = append(unused, u.pieces()...)
		}
	}
	return unused
}

// abortion returns when an upload is removed and by which rule, or a zero time.
func (c *lifecycleConfiguration) abortion(u *upload, clock lifecycleClock) (first deadline) {
	for _, rule := range c.rules() {
		if a := rule.AbortIncompleteMultipartUpload; a != nil && strings.HasPrefix(u.key, rule.scope().prefix) {
			first = first.orEarlier(deadline{clock.after(u.initiated, *a.DaysAfterInitiation), rule.ID})
		}
	}
	return first
}

// A deadline is when a rule acts. The zero value is never.
type deadline struct {
	at   time.Time
	rule string
}

func (d deadline) orEarlier(other deadline) deadline {
	if d.rule == "" || other.at.Before(d.at) {
		return other
	}
	return d
}

// isOver reports whether the deadline is not after now.
func (d deadline) isOver(now time.Time) bool { return d.rule != "" && !now.Before(d.at) }

// rules returns the rules that are enabled.
func (c *lifecycleConfiguration) rules() (rules []*lifecycleRule) {
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

// applyLifecycle does what the rules say about one key, for the oldest version first.
func (b *bucket) applyLifecycle(key string, clock lifecycleClock) (unused []piece) {
	versions, _ := b.keys.Get(key)
	for i := len(versions) - 1; i >= 0; i-- {
		v := versions[i]
		switch act := b.lifecycle.action(versions, i, clock); {
		case act.expire && i == 0 && !v.marker && b.versioning != "":
			unused = append(unused, b.add(&version{key: key, modified: clock.now, marker: true})...)
		case act.expire && !v.lock.protects(clock.now):
			unused = append(unused, b.drop(key, v.id)...)
		case act.class != "":
			b.setClass(v, act.class)
		}
		versions, _ = b.keys.Get(key)
	}
	return unused
}

// setClass replaces a version by one of another storage class.
func (b *bucket) setClass(v *version, class string) {
	changed := *v
	changed.class, changed.restored = class, restored{}
	versions, _ := b.keys.Get(v.key)
	versions = slices.Clone(versions)
	versions[slices.Index(versions, v)] = &changed
	b.keys.Set(v.key, versions)
}

// A lifecycleAction is what happens to one version. The zero value is nothing.
type lifecycleAction struct {
	expire bool
	class  string // the new storage class
}

// action returns what happens to versions[i]. The versions are those of a key, newest first. An
// expiration wins over a transition, and a colder class over another.
func (c *lifecycleConfiguration) action(versions []*version, i int, clock lifecycleClock) (act lifecycleAction) {
	v := versions[i]
	for _, rule := range c.rules() {
		scope := rule.scope()
		if !scope.has(v) {
			continue
		}
		if rule.expires(versions, i, clock) {
			return lifecycleAction{expire: true}
		}
		for _, class := range rule.transitions(versions, i, clock) {
			colder := slices.Index(coldness, class) > max(slices.Index(coldness, v.class), slices.Index(coldness, act.class))
			if colder && (scope.sized() || v.size >= leastSize(class, c.Least)) {
				act.class = class
			}
		}
	}
	return act
}

// leastSize returns the size in bytes below which an object is not transitioned by a rule without
// sizes.
func leastSize(class, least string) int64 {
	if least == smallByClass && (class == "GLACIER" || class == "DEEP_ARCHIVE") {
		return 0
	}
	return 128 << 10
}

// expires reports whether the rule, which is about versions[i], removes it now.
func (r *lifecycleRule) expires(versions []*version, i int, clock lifecycleClock) bool {
	if i > 0 {
		e := r.NoncurrentVersionExpiration
		return e != nil && i > count(e.NewerNoncurrentVersions) && !clock.now.Before(clock.after(versions[i-1].modified, *e.NoncurrentDays))
	}
	e, v := r.Expiration, versions[0]
	if e == nil || v.marker && len(versions) > 1 {
		return false
	}
	if v.marker && e.ExpiredObjectDeleteMarker != nil {
		return *e.ExpiredObjectDeleteMarker
	}
	return r.expiration(v, clock).isOver(clock.now)
}

// expiration returns when the rule removes a version that stays current.
func (r *lifecycleRule) expiration(v *version, clock lifecycleClock) deadline {
	switch e := r.Expiration; {
	case e == nil:
	case e.Days != nil:
		return deadline{clock.after(v.modified, *e.Days), r.ID}
	case e.Date != "":
		return deadline{e.Date.time(), r.ID}
	}
	return deadline{}
}

// transitions returns the storage classes that the rule, which is about versions[i], gives it by
// now.
func (r *lifecycleRule) transitions(versions []*version, i int, clock lifecycleClock) (classes []string) {
	v := versions[i]
	if v.marker {
		return nil
	}
	if i > 0 {
		for _, t := range r.NoncurrentVersionTransition {
			if i > count(t.NewerNoncurrentVersions) && !clock.now.Before(clock.after(versions[i-1].modified, *t.NoncurrentDays)) {
				classes = append(classes, t.StorageClass)
			}
		}
		return classes
	}
	for _, t := range r.Transition {
		at := t.Date.time()
		if t.Days != nil {
			at = clock.after(v.modified, *t.Days)
		}
		if !clock.now.Before(at) {
			classes = append(classes, t.StorageClass)
		}
	}
	return classes
}

// count returns a count that may be missing.
func count(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}

// protects reports whether the lock keeps its version now.
func (l lock) protects(now time.Time) bool { return l.hold == "ON" || now.Before(l.until) }

// expiry returns when the rules remove a version that stays current, or a zero deadline.
func (c *lifecycleConfiguration) expiry(v *version, clock lifecycleClock) (first deadline) {
	for _, rule := range c.rules() {
		if d := rule.expiration(v, clock); d.rule != "" && rule.scope().has(v) {
			first = first.orEarlier(d)
		}
	}
	return first
}

// headerClock counts days of 24 hours, whatever Config.LifecycleDay is.
var headerClock = lifecycleClock{day: fullDay}

// showExpiration writes the header that tells when a version expires that is current.
func (r *request) showExpiration(v *version) {
	if d := r.lifecycle().expiry(v, headerClock); d.rule != "" {
		r.w.Header().Set("X-Amz-Expiration", `expiry-date="`+d.at.Format(http.TimeFormat)+`", rule-id="`+url.QueryEscape(d.rule)+`"`)
	}
}

// showAbortion writes the headers that tell when an upload is removed.
func (r *request) showAbortion(u *upload) {
	if d := r.lifecycle().abortion(u, headerClock); d.rule != "" {
		r.w.Header().Set("X-Amz-Abort-Date", d.at.Format(http.TimeFormat))
		r.w.Header().Set("X-Amz-Abort-Rule-Id", url.QueryEscape(d.rule))
	}
}

// lifecycle returns the rules of the bucket, or nil.
func (r *request) lifecycle() (c *lifecycleConfiguration) {
	_ = r.view(func(b *bucket) error {
		c = b.lifecycle
		return nil
	})
	return c
}
