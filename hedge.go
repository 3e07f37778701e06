package storage

import (
	"github.com/omnibucket/storage/internal/unexported"
)

// WithHedgedReads makes a second request if a read waits longer for its first response than
// 95 percent of the recent ones did. After many such requests, it waits up to twice as long. The
// first response is used, and the other request is canceled. Downloads are hedged, with all their
// ranges, and so are Attrs and Exists. It shortens the rare long waits of a store, at the cost
// of at most 5 percent more reads.
//
// The first 20 requests of each kind are only measured. There is no second request while the
// store throttles the bucket, and none to a store on this machine. Without WithHedgedReads,
// which is the default, no read is hedged.
func WithHedgedReads() OpenOption {
	return openOption(func(o *unexported.OpenOptions) { o.HedgedReads = true })
}
