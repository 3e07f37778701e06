package s3

import (
	"net/http"
	"sync/atomic"
	"time"
)

// maxSkew is how far a clock may be off before it is set right. S3 refuses what
// is off by more than 15 minutes.
const maxSkew = 4 * time.Minute

// A clock is this machine's, set right by the store's where requests fail and
// the two differ. The SDK has one like it, for its own requests.
type clock struct {
	now   func() time.Time
	ahead atomic.Int64 // how far the store's is, in nanoseconds
}

func (c *clock) time() time.Time {
	return c.now().Add(time.Duration(c.ahead.Load())).UTC()
}

// learn looks at the time of an answer, unless a cache gave it.
func (c *clock) learn(answer *http.Response) {
	at, err := http.ParseTime(answer.Header.Get("Date"))
	if err != nil || answer.Header.Get("Age") != "" {
		return
	}
	ahead := at.Sub(c.now())
	if ahead.Abs() < maxSkew {
		ahead = 0
	}
	c.ahead.Store(int64(ahead))
}
