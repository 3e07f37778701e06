package argument

import (
	"context"
	"errors"

	"github.com/omnibucket/storage"
)

// ContextCode returns the code for the error of a context, which is DeadlineExceeded or Canceled.
func ContextCode(err error) storage.Code {
	if errors.Is(err, context.DeadlineExceeded) {
		return storage.DeadlineExceeded
	}
	return storage.Canceled
}
