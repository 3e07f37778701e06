package local

import (
	"context"
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
			require.ErrorIs(t, errorOf(bucket.putIf("k", "x", absent)), storage.PreconditionFailed)
			require.ErrorIs(t, errorOf(bucket.putIf("k", "x", old)), storage.PreconditionFailed)
			require.ErrorIs(t, errorOf(bucket.putIf("none", "x", old)), storage.PreconditionFailed)
			require.ErrorIs(t, bucket.removeIf("k", old), storage.PreconditionFailed)
			require.NoError(t, bucket.removeIf("none", old), "a missing object is removed already")
			require.Equal(t, "2", bucket.get("k"))
			require.Empty(t, bucket.leftovers())

			// Reads.
			require.ErrorIs(t, bucket.headIf("k", old), storage.PreconditionFailed)
			require.NoError(t, bucket.headIf("k", current))
			require.ErrorIs(t, bucket.headIf("k", notCurrent), storage.NotModified)
			require.NoError(t, bucket.headIf("k", notOld))
			require.ErrorIs(t, bucket.headIf("none", old), storage.ObjectNotFound)

			// Writes and removals that are permitted.
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

// IfAbsent and IfRevision work on files that another program made.
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
	other := reopenTestBucket(t, bucket.root)
	for round := range 20 {
		var winners atomic.Int32
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				_, err := []*testBucket{bucket, other}[i%2].putIf(fmt.Sprintf("dir/%d", round), "x",
					storage.Condition{Absent: true})
				if err == nil {
					winners.Add(1)
				}
			})
		}
		wg.Wait()
		require.Equal(t, int32(1), winners.Load())
	}
}

// No update is lost.
func TestPutIfRevisionConcurrently(t *testing.T) {
	bucket := newTestBucket(t)
	other := reopenTestBucket(t, bucket.root)
	bucket.put("counter", "")
	var wg sync.WaitGroup
	var failures atomic.Int32
	for i := range 8 {
		wg.Go(func() {
			b := []*testBucket{bucket, other}[i%2]
			for added := 0; added < 20; {
				body, a, err := b.getErr("counter")
				if err != nil {
					t.Error(err)
					return
				}
				_, err = b.putIf("counter", body+"+", storage.Condition{Revision: a.Revision})
				if err == nil {
					added++
				} else if storage.CodeOf(err) != storage.PreconditionFailed {
					t.Error(err)
					return
				}
			}
			failures.Add(1)
		})
	}
	wg.Wait()
	require.Len(t, bucket.get("counter"), 8*20)
}

// The test writes a and a/b, so that the file of a is moved and directories are made and removed. A reader must
// never miss a.
func TestGetWhileFileIsMoved(t *testing.T) {
	bucket := newTestBucket(t)
	other := reopenTestBucket(t, bucket.root)
	bucket.put("a", "x")
	stop := time.After(500 * time.Millisecond)
	done := make(chan struct{})
	var wg sync.WaitGroup
	work := func(f func()) {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					f()
				}
			}
		})
	}
	check := func(err error) {
		if err != nil {
			t.Error(err)
		}
	}
	work(func() {
		check(errorOf(bucket.driver.Put(context.Background(), request("a/b/c", "y"))))
		check(bucket.driver.Delete(context.Background(), &driver.DeleteRequest{Key: "a/b/c"}))
	})
	work(func() {
		check(errorOf(other.driver.Put(context.Background(), request("a/d", "y"))))
		check(other.driver.Delete(context.Background(), &driver.DeleteRequest{Key: "a/d"}))
	})
	work(func() {
		check(errorOf(other.driver.Put(context.Background(), request("a", "x"))))
	})
	work(func() {
		check(errorOf(bucket.driver.Head(context.Background(), &driver.GetRequest{Key: "a", Length: -1})))
	})
	work(func() {
		page, err := bucket.driver.List(context.Background(), &driver.ListRequest{Limit: 100})
		check(err)
		if err == nil && (len(page.Entries) == 0 || page.Entries[0].Key != "a") {
			t.Errorf("listed %v", page.Entries)
		}
	})
	<-stop
	close(done)

	wg.Wait()
	require.Equal(t, "x", bucket.get("a"))
}

// A call that waits for a lock returns when its ctx ends.
func TestLockEndsWithContext(t *testing.T) {
	bucket := newTestBucket(t)
	bucket.put("k", "x")
	other := reopenTestBucket(t, bucket.root)
	live, err := other.driver.acquire(t.Context())
	require.NoError(t, err)
	defer other.driver.release(live)
	unlock, err := live.Locks.Lock(t.Context(), "k")
	require.NoError(t, err)
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()

	_, err = bucket.driver.Put(ctx, request("k", "y"))
	require.ErrorIs(t, err, storage.DeadlineExceeded)
	require.Equal(t, "x", bucket.get("k"))
}
