package limit

import (
	"context"

	"github.com/omnibucket/storage/layers/internal/requestclass"
)

// Requests limits the number of requests per second, for stores that refuse more. An example is
// 3,500 writes and 5,500 reads per second for a prefix of Amazon S3
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html). 0 means no
// limit. Each repeated attempt counts as one more request. A request that removes many objects
// counts as one request.
type Requests struct {
	Reads  float64 // reads of objects, their attributes and tags
	Writes float64 // all other requests; each part of an upload counts as one request
	Lists  float64 // pages of objects, versions, parts and open uploads
}

// request waits until a request may be made, and then calls next. call is the name of the driver's
// method, which decides which limit applies, if any.
func (l *limiter) request(ctx context.Context, call string, next func(context.Context) error) error {
	var err error
	switch requestclass.Of(call) {
	case requestclass.Read:
		err = l.reads.wait(ctx, 1, l.requests.Reads)
	case requestclass.List:
		err = l.lists.wait(ctx, 1, l.requests.Lists)
	case requestclass.Write, requestclass.Removal:
		err = l.writes.wait(ctx, 1, l.requests.Writes)
	}
	if err != nil {
		return err
	}

	return next(ctx)
}
