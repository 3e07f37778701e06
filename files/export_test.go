package files

import (
	"context"
	"time"

	"github.com/omnibucket/storage"
)

// SetWait makes a store wait by another clock.
func (s *Store) SetWait(wait func(ctx context.Context, d time.Duration) error) { s.wait = wait }

// SetPulse makes the holder of a claim send heartbeats by another clock.
func (s *Store) SetPulse(wait func(ctx context.Context, d time.Duration) error) { s.pulse = wait }

// TempRecords returns the records of the temp files in a bucket.
func TempRecords(b storage.Bucket) Records { return bucketRecords{b, tempRecordsPrefix, true} }
