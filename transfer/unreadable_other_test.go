//go:build !unix

package transfer_test

import "errors"

func runUnprivileged(string) error { return errors.ErrUnsupported }

func runUnprivilegedBucket(string) error { return errors.ErrUnsupported }

func runIntoLockedTop(string) error { return errors.ErrUnsupported }
