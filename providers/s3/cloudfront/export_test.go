package cloudfront

import "time"

// At makes p send requests as if it were t, with reference as CallerReference.
func (p *Purger) At(t time.Time, reference string) {
	p.now = func() time.Time { return t }
	p.reference = func() string { return reference }
}
