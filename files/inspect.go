package files

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"

	"github.com/omnibucket/storage"
)

// A refusedError is an error by which Config.Inspect refuses a file.
type refusedError struct{ err *Error }

func (e *refusedError) Error() string { return e.err.Error() }
func (e *refusedError) Unwrap() error { return e.err }

// inspects reports whether content waits under another key until it was inspected.
func (s *Store) inspects() bool { return s.config.Inspect != nil }

// waitingKey returns a key for the content of a whole file. Sweep removes what a crash leaves there,
// as it does with parts.
func (k kind) waitingKey() string { return k.parts + strings.ToLower(rand.Text()) }

// admit inspects the content that waits under a key, and copies it to the key of its file. If
// another call was first, it returns the existing object and false.
func (s *Store) admit(ctx context.Context, k kind, r *Record, waiting string) (_ *storage.Attrs, made bool, err error) {
	if err := s.inspect(ctx, r, waiting); err != nil {
		return nil, false, err
	}
	var opts []storage.CopyOption
	if s.creates {
		opts = append(opts, storage.IfAbsent())
	}
	attrs, err := storage.Copy(ctx, s.bucket, k.key(r), s.bucket, waiting, opts...)
	if storage.CodeOf(err) == storage.PreconditionFailed {
		attrs, err = s.bucket.Attrs(ctx, k.key(r))
		return attrs, false, err
	}
	return attrs, err == nil, err
}

func (s *Store) inspect(ctx context.Context, r *Record, key string) error {
	content, err := storage.NewReaderAt(ctx, s.bucket, key)
	if err != nil {
		return err
	}
	defer func() { _ = content.Close() }()
	told := *r
	err = s.config.Inspect(ctx, &told, content)
	if own, refused := errors.AsType[*Error](err); refused {
		return &refusedError{own}
	}
	return err
}

// removeWaiting removes content that was inspected. If that fails, Sweep removes it.
func (s *Store) removeWaiting(ctx context.Context, key string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	_ = s.bucket.Remove(ctx, key)
}
