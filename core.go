package storage

import (
	"io"
)

// Close releases what opening b took: connections, the handle of a local directory. After
// that, every operation on b, and on results of [Ref] and [Prefixed] of b, fails with
// InvalidArgument. Whether operations in progress fail depends on the provider. Close of a
// result of Ref or Prefixed does nothing. For a type of your own, Close calls its method Close, or
// that of the bucket that it unwraps to ([Unwrapper]). Without both it fails with Unsupported.
func Close(b Bucket) error {
	closer, e := need[io.Closer](b, "Close")
	if e != nil {
		return located(b, "Close", "", e)
	}
	return closer.Close()
}
