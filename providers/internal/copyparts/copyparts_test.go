package copyparts

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

var errBroken = errors.New("broken")

// If a part fails temporarily, CopyAll copies it again.
func TestCopyAllRetriesPart(t *testing.T) {
	temporary := &storage.Error{Code: storage.Unavailable, Retryable: true}
	throttled := &storage.Error{Code: storage.RateLimited, Retryable: true, RetryAfter: time.Minute}
	for _, row := range []struct {
		name     string
		failures []error // of the first attempts
		attempts int
		took     time.Duration
		want     error
	}{
		{"no failure", nil, 1, 0, nil},
		{"after temporary failures", []error{temporary, temporary}, 3, 1200 * time.Millisecond, nil},
		{"after the delay that the store asks for", []error{throttled}, 2, time.Minute, nil},
		{"after a minute, if the store asks for an hour", []error{&storage.Error{Code: storage.RateLimited, Retryable: true, RetryAfter: time.Hour}}, 2, time.Minute, nil},
		{"at most three attempts", []error{temporary, temporary, temporary, temporary}, 3, 1200 * time.Millisecond, temporary},
		{"not after a permanent failure", []error{&storage.Error{Code: storage.Changed}}, 1, 0, storage.Changed},
		{"not after an error without a code", []error{errBroken}, 1, 0, errBroken},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				attempts := 0
				start := time.Now()
				err := CopyAll(t.Context(), 1, func(context.Context, int) error {
					attempts++
					if attempts <= len(row.failures) {
						return row.failures[attempts-1]
					}
					return nil
				})
				require.ErrorIs(t, err, row.want)
				require.Equal(t, row.attempts, attempts)
				require.Equal(t, row.took, time.Since(start))
			})
		})
	}
}

// CopyAll retries no part after ctx has ended.
func TestCopyAllEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		err := CopyAll(ctx, 1, func(context.Context, int) error {
			return &storage.Error{Code: storage.RateLimited, Retryable: true, RetryAfter: time.Hour}
		})
		require.Error(t, err)
		require.Equal(t, time.Second, time.Since(start))
	})
}
