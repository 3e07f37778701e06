package s3

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// maxSkew is how far a clock may be off before it is set right. S3 refuses what
// is off by more than 15 minutes.
const maxSkew = 4 * time.Minute

// A clock is this machine's, set right by the store's where requests fail and
// the two differ: what the lane asks and what is signed for others goes by it.
// The SDK has one like it, for its own requests.
type clock struct {
	now   func() time.Time
	ahead atomic.Int64 // how far the store's is, in nanoseconds
}

func (c *clock) time() time.Time {
	return c.now().Add(time.Duration(c.ahead.Load())).UTC()
}

// wants reports whether the time of an answer is of interest: of a failure, and
// while the clock is set otherwise than this machine's, which may be right again.
func (c *clock) wants(status int) bool { return status >= 400 || c.ahead.Load() != 0 }

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

// listen has the clock learn of the SDK's requests that fail, too: its own
// clock is not to be had.
func (c *clock) listen(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("omnibucket:Clock", func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleDeserialize(ctx, in)
		if answer, _ := out.RawResponse.(*smithyhttp.Response); answer != nil && answer.Response != nil && c.wants(answer.StatusCode) {
			c.learn(answer.Response)
		}
		return out, metadata, err
	}), middleware.After)
}
