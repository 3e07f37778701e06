// Package ctxcode maps the end of a context to an error code.
package ctxcode

import (
	"context"
	"errors"

	"github.com/omnibucket/storage"
)

// Of returns the code for err, which is the error of a context: DeadlineExceeded or Canceled.
func Of(err error) storage.Code {
	if errors.Is(err, context.DeadlineExceeded) {
		return storage.DeadlineExceeded
	}
	return storage.Canceled
}
