package cloudfront

import "time"

// The method At makes p send requests as if it were the time t, with reference as the CallerReference.
func (p *Purger) At(t time.Time, reference string) {
	p.now = func() time.Time { return t }
	p.reference = func() string { return reference }
}
