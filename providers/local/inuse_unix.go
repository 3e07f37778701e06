//go:build linux || darwin || freebsd

package local

import "context"

// retryInUse runs operation once: here, open files can be renamed and removed.
func retryInUse(_ context.Context, operation func() error) error { return operation() }
