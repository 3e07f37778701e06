// Package ctxcode tells what the end of a context means to a caller.
package ctxcode

import (
	"context"
	"errors"

	"github.com/omnibucket/storage"
)

// Of returns the code for the error of a context that has ended.
func Of(err error) storage.Code {
	if errors.Is(err, context.DeadlineExceeded) {
		return storage.DeadlineExceeded
	}
	return storage.Canceled
}
