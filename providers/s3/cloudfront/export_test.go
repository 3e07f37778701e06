package cloudfront

import "time"

// At makes p send requests as if it were t, with reference as CallerReference.
func (p *Purger) At(t time.Time, reference string) {
	p.now, p.reference = func() time.Time { return t }, func() string { return reference }
}
