package engine

import (
	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/tagrule"
	"github.com/omnibucket/storage/internal/unexported"
)

// checkTags checks the tags that argument gave.
func checkTags(argument string, tags map[string]string) *storage.Error {
	if rule := tagrule.Check(tags); rule != "" {
		return invalid(argument, rule)
	}
	return nil
}

// resolveControls checks the controls of a write, and their native options.
func (c *core) resolveControls(w *storage.Controls, set *unexported.Settings) (e *storage.Error) {
	if set.Tags && len(w.Tags) > 0 {
		e = c.need(storage.ObjectTags, "WithTags")
	}
	if e == nil && set.Lock {
		what := "WithRetention"
		if w.Retention == (storage.Retention{}) {
			what = "WithLegalHold"
		}
		e = c.need(storage.ObjectLock, what)
	}
	if e == nil && w.PublicRead {
		e = c.need(storage.ObjectACLs, "WithPublicRead")
	}
	if e == nil {
		w.Native, e = c.natives(set.Natives)
	}
	return e
}
