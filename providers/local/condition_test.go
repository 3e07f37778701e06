package local

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/stretchr/testify/require"
)

// removeIf removes an object under a condition.
func (bucket *testBucket) removeIf(key string, c storage.Condition) error {
	return bucket.driver.Delete(context.Background(), &driver.DeleteRequest{Key: key, Condition: c})
}

// A call under a condition succeeds only if the object meets it.
func TestConditions(t *testing.T) {
	for _, disk := range disks {
		t.Run(disk.name, func(t *testing.T) {
			bucket := newTestBucket(t, disk.tweaks...)
			absent := storage.Condition{Absent: true}
			first, err := bucket.putIf("k", "1", absent)
			require.NoError(t, err)
			second := bucket.put("k", "2")

			old := storage.Condition{Revision: first.Revision}
			current := storage.Condition{Revision: second.Revision}
			notOld := storage.Condition{NotRevision: first.Revision}
			notCurrent := storage.Condition{NotRevision: second.Revision}

			// Writes and removals that are refused change nothing.
			_, err = bucket.putIf("k", "x", absent)
			require.ErrorIs(t, err, storage.PreconditionFailed)
			_, err = bucket.putIf("k", "x", old)
			require.ErrorIs(t, err, storage.PreconditionFailed)
			_, err = bucket.putIf("none", "x", old)
			require.ErrorIs(t, err, storage.PreconditionFailed)
			require.ErrorIs(t, bucket.removeIf("k", old), storage.PreconditionFailed)
			require.Equal(t, "2", bucket.get("k"))
			require.Empty(t, bucket.leftovers())

			// Removing a missing object succeeds under any condition.
			require.NoError(t, bucket.removeIf("none", old))

			// Reads succeed or fail as their condition says.
			require.ErrorIs(t, bucket.headIf("k", old), storage.PreconditionFailed)
			require.NoError(t, bucket.headIf("k", current))
			require.ErrorIs(t, bucket.headIf("k", notCurrent), storage.NotModified)
			require.NoError(t, bucket.headIf("k", notOld))
			require.ErrorIs(t, bucket.headIf("none", old), storage.ObjectNotFound)

			// Writes and removals that are permitted succeed.
			updated, err := bucket.putIf("k", "3", current)
			require.NoError(t, err)
			require.Equal(t, updated, bucket.head("k"))
			require.NoError(t, bucket.removeIf("k", storage.Condition{Revision: updated.Revision}))
			bucket.requireMissing("k")
		})
	}
}

// headIf reads the attributes of an object under a condition.
func (bucket *testBucket) headIf(key string, c storage.Condition) error {
	return errorOf(bucket.driver.Head(context.Background(),
		&driver.GetRequest{Key: key, Length: -1, Condition: c}))
}

// Put applies the conditions IfAbsent and IfRevision to a file of another program.
func TestConditionsOnForeignFiles(t *testing.T) {
	bucket := newTestBucket(t)
	bucket.write("k", "by hand")

	_, err := bucket.putIf("k", "x", storage.Condition{Absent: true})
	require.ErrorIs(t, err, storage.PreconditionFailed)
	_, err = bucket.putIf("k", "x", storage.Condition{Revision: bucket.head("k").Revision})
	require.NoError(t, err)
}

// If several writers create one object at the same time, exactly one of them succeeds.
func TestPutIfAbsentConcurrently(t *testing.T) {
	bucket := newTestBucket(t)
	buckets := []*testBucket{bucket, reopenTestBucket(t, bucket.root)}
	for round := range 20 {
		key := fmt.Sprintf("dir/%d", round)

		// 16 writers, half of them with each driver, create the object.
		var winners atomic.Int32
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				writer := buckets[i%2]
				_, err := writer.putIf(key, "x", storage.Condition{Absent: true})
				if err == nil {
					winners.Add(1)
				}
			})
		}
		wg.Wait()
		require.Equal(t, int32(1), winners.Load())
	}
}

// If several writers update one object by IfRevision at the same time, none of their updates is lost.
func TestPutIfRevisionConcurrently(t *testing.T) {
	const (
		writers = 8
		updates = 20 // of each writer
	)
	bucket := newTestBucket(t)
	buckets := []*testBucket{bucket, reopenTestBucket(t, bucket.root)}
	bucket.put("counter", "")

	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			// Half of the writers use another driver of the directory.
			writer := buckets[i%2]
			for added := 0; added < updates; {
				body, attrs, err := writer.getErr("counter")
				if err != nil {
					t.Error(err)
					return
				}
				_, err = writer.putIf("counter", body+"+", storage.Condition{Revision: attrs.Revision})
				if storage.CodeOf(err) == storage.PreconditionFailed {
					// Another writer was faster.
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				added++
			}
		})
	}
	wg.Wait()
	require.Len(t, bucket.get("counter"), writers*updates)
}

// Readers never miss the object "a" while writes of objects below "a/" move its file to its alternate name and back.
func TestGetWhileFileIsMoved(t *testing.T) {
	bucket := newTestBucket(t)
	other := reopenTestBucket(t, bucket.root)
	bucket.put("a", "x")

	putAndDelete := func(b *testBucket, key string) error {
		_, err := b.driver.Put(context.Background(), request(key, "y"))
		return errors.Join(err, b.driver.Delete(context.Background(), &driver.DeleteRequest{Key: key}))
	}

	// Three workers write "a" and objects below it. The other two read it, and fail if it is missing.
	workers := []func() error{
		func() error { return putAndDelete(bucket, "a/b/c") },
		func() error { return putAndDelete(other, "a/d") },
		func() error { return errorOf(other.driver.Put(context.Background(), request("a", "x"))) },
		func() error { return bucket.headIf("a", storage.Condition{}) },
		func() error {
			page, err := bucket.driver.List(context.Background(), &driver.ListRequest{Limit: 100})
			if err != nil {
				return err
			}
			if len(page.Entries) == 0 || page.Entries[0].Key != "a" {
				return fmt.Errorf("listed %v", page.Entries)
			}
			return nil
		},
	}

	// All run again and again for half a second.
	deadline := time.Now().Add(500 * time.Millisecond)
	var wg sync.WaitGroup
	for _, work := range workers {
		wg.Go(func() {
			for time.Now().Before(deadline) {
				if err := work(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, "x", bucket.get("a"))
}

// A call that waits for a lock returns when its ctx ends.
func TestLockEndsWithContext(t *testing.T) {
	bucket := newTestBucket(t)
	bucket.put("k", "x")

	// Another driver holds the lock of the key.
	locker := reopenTestBucket(t, bucket.root)
	store, err := locker.driver.acquire(t.Context())
	require.NoError(t, err)
	defer locker.driver.release(store)
	unlock, err := store.Locks.Lock(t.Context(), "k")
	require.NoError(t, err)
	defer unlock()

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = bucket.driver.Put(ctx, request("k", "y"))
	require.ErrorIs(t, err, storage.DeadlineExceeded)
	require.Equal(t, "x", bucket.get("k"))
}
