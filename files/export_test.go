package files

import (
	"context"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/pieces"
)

// SetWait makes a store wait for other calls by another clock.
func (s *Store) SetWait(wait func(ctx context.Context, d time.Duration) error) {
	pieces.Of(s.client.uploads).SetWaits(wait, nil)
	pieces.Of(s.temp.uploads).SetWaits(wait, nil)
}

// SetPulse makes a call that joins parts send heartbeats by another clock.
func (s *Store) SetPulse(wait func(ctx context.Context, d time.Duration) error) {
	pieces.Of(s.client.uploads).SetWaits(nil, wait)
	pieces.Of(s.temp.uploads).SetWaits(nil, wait)
}

// TempRecords returns the records of the temp files in a bucket.
func TempRecords(b storage.Bucket) Records { return bucketRecords{b, tempRecordsPrefix, true} }
