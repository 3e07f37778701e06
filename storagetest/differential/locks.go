package differential

import (
	"fmt"
	"strings"
	"time"

	"github.com/omnibucket/storage"
)

var lockCalls = []call{
	{"SetLegalHold", setLegalHold},
	{"SetRetention", setRetention},
	{"Upload of a locked object", uploadLocked},
	{"Remove of a locked version", removeLocked},
	{"Remove of a locked version", removeLocked},
	{"locks of Attrs", locks},
}

// retainUntil returns a random time that is at least an hour in the future, so that no retention ends
// during the test.
func (p *player) retainUntil() time.Time {
	return p.start.Add(time.Duration(1+p.random.IntN(3)) * time.Hour).Truncate(time.Second)
}

// setLegalHold compares SetLegalHold for an object.
func setLegalHold(p *player) string {
	key := choose(p, keys...)
	hold := p.oneIn(2)
	return p.compare(fmt.Sprintf("SetLegalHold %q %v", key, hold), noKey, func(b storage.Bucket) result {
		return result{err: storage.SetLegalHold(p.ctx, b, key, hold)}
	})
}

// setRetention compares calls of SetRetention for an object. Some set a retention, and the others end it.
func setRetention(p *player) string {
	key := choose(p, keys...)
	var opts []storage.RetentionOption
	bypass := p.oneIn(2)
	if bypass {
		opts = append(opts, storage.WithGovernanceBypass())
	}

	retention := storage.Retention{} // ends the retention
	setsRetention := !p.oneIn(3)
	if setsRetention {
		retention.Mode = choose(p, storage.Governance, storage.Governance, storage.Compliance)
		retention.Until = p.retainUntil()
	}
	what := fmt.Sprintf("SetRetention %q %v bypass %v", key, retention, bypass)
	return p.compare(what, noKey, func(b storage.Bucket) result {
		return result{err: storage.SetRetention(p.ctx, b, key, retention, opts...)}
	})
}

// uploadLocked compares uploads to both buckets with a legal hold or a retention.
func uploadLocked(p *player) string {
	key := choose(p, keys...)
	retainUntil := p.retainUntil()
	option := choose(p, storage.WithLegalHold(), storage.WithRetention(retainUntil, storage.Governance))
	return p.compare(fmt.Sprintf("Upload %q locked until %v", key, retainUntil), key, func(b storage.Bucket) result {
		attrs, err := b.Upload(p.ctx, key, strings.NewReader("locked"), option)
		return result{text: describe(attrs), attrs: attrs, err: err}
	})
}

// removeLocked removes a version that may be locked.
func removeLocked(p *player) string { return p.removeOldVersion(p.oneIn(2)) }

// locks compares the legal holds and retentions that both buckets report for an object.
func locks(p *player) string {
	key := choose(p, keys...)
	return p.compare(fmt.Sprintf("Attrs %q", key), key, func(b storage.Bucket) result {
		attrs, err := b.Attrs(p.ctx, key)
		if err != nil {
			return result{err: err}
		}
		return result{
			text:  fmt.Sprintf("hold %v, retention %v", attrs.LegalHold, attrs.Retention),
			attrs: attrs,
		}
	})
}
