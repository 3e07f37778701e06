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

// until returns a random time that is at least an hour in the future, so that no retention ends
// during the test.
func (p *player) until() time.Time {
	return p.start.Add(time.Duration(1+p.random.IntN(3)) * time.Hour).Truncate(time.Second)
}

func setLegalHold(p *player) string {
	key := one(p, keys...)
	hold := p.sometimes(2)
	return p.compare(fmt.Sprintf("SetLegalHold %q %v", key, hold), "", func(b storage.Bucket, _ bool) result {
		return result{err: storage.SetLegalHold(p.ctx, b, key, hold)}
	})
}

func setRetention(p *player) string {
	key := one(p, keys...)
	bypass := p.sometimes(2)
	r := storage.Retention{}
	if !p.sometimes(3) {
		r = storage.Retention{
			Mode:  one(p, storage.Governance, storage.Governance, storage.Compliance),
			Until: p.until(),
		}
	}
	return p.compare(
		fmt.Sprintf("SetRetention %q %v bypass %v", key, r, bypass), "",
		func(b storage.Bucket, _ bool) result {
			var opts []storage.RetentionOption
			if bypass {
				opts = append(opts, storage.WithGovernanceBypass())
			}
			return result{err: storage.SetRetention(p.ctx, b, key, r, opts...)}
		},
	)
}

func uploadLocked(p *player) string {
	key := one(p, keys...)
	retainUntil := p.until()
	option := one(p, storage.WithLegalHold(), storage.WithRetention(retainUntil, storage.Governance))
	return p.compare(fmt.Sprintf("Upload %q locked until %v", key, retainUntil), key, func(b storage.Bucket, _ bool) result {
		attrs, err := b.Upload(p.ctx, key, strings.NewReader("locked"), option)
		return result{describe(attrs), attrs, err}
	})
}

func removeLocked(p *player) string { return p.removeSeen(p.sometimes(2)) }

func locks(p *player) string {
	key := one(p, keys...)
	return p.compare(fmt.Sprintf("Attrs %q", key), key, func(b storage.Bucket, _ bool) result {
		attrs, err := b.Attrs(p.ctx, key)
		if err != nil {
			return result{err: err}
		}
		return result{fmt.Sprintf("hold %v, retention %v", attrs.LegalHold, attrs.Retention), attrs, nil}
	})
}
