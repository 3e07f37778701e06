package filesapi_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/storagetest/faults"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/filesapi"
)

// UploadPart of a part that arrives after the file was made returns the record, and does not change the file.
func TestUploadPartAfterFileIsMade(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	f.sendPart(t, "a", partOptions(token, 3, 1))
	f.sendPart(t, "b", partOptions(token, 3, 2))

	// Part 2 is sent again, and UploadPart waits in the read of its body until slow.open is closed.
	slow, inside := newGate("B, sent again")
	done := make(chan struct{})
	var late *filesapi.Record
	var err error
	go func() {
		defer close(done)
		late, err = f.store.UploadPart(t.Context(), slow, partOptions(token, 3, 2))
	}()
	<-inside

	// Meanwhile, the last part completes the file.
	record := f.sendPart(t, "c", partOptions(token, 3, 3))
	close(slow.open)
	<-done

	require.NoError(t, err)
	require.Equal(t, record, late)
	require.Equal(t, "abc", readContent(t, f.store, record.ID))
	requireConsistent(t, f.bucket, f.records)
}

// A gate is a body that blocks until it is opened.
type gate struct {
	io.Reader
	open, inside chan struct{}
	once         sync.Once
}

// newGate returns a gate, and a channel that is closed when the gate is read.
func newGate(body string) (*gate, <-chan struct{}) {
	g := &gate{Reader: strings.NewReader(body), open: make(chan struct{}), inside: make(chan struct{})}
	return g, g.inside
}

// Read waits until the gate is opened.
func (g *gate) Read(p []byte) (int, error) {
	g.once.Do(func() {
		close(g.inside)
	})
	<-g.open
	return g.Reader.Read(p)
}

// Many calls that send the last part at the same time make one file, and each returns its record.
func TestUploadPartRaceForLast(t *testing.T) {
	for _, place := range places() {
		for _, backend := range backends() {
			t.Run(place.name+" with records in "+backend.name, func(t *testing.T) {
				bucket := place.open(t)
				records := backend.open(t, bucket)
				s, err := filesapi.NewStore(bucket, records, filesapi.StoreConfig{})
				require.NoError(t, err)

				const calls = 32
				returned := sendLastPart(t, s, calls)

				// All calls return the record of the one file.
				record := returned[0]
				for _, r := range returned {
					require.NotNil(t, r)
					require.Equal(t, record, r)
				}
				require.Equal(t, []string{record.ID}, listIDs(t, s, uploads.Filter{}, 10))
				require.Equal(t, fileOfFiveParts(), readContent(t, s, record.ID))
				requireConsistent(t, bucket, records)
			})
		}
	}
}

// If all parts are sent at the same time, they make one file, and at least one call returns its record.
func TestUploadPartManySendAll(t *testing.T) {
	const count = 32
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	records := make([]*filesapi.Record, count)
	errs := make([]error, count)

	// Send all parts at the same time. The parts begin with 1.
	textOf := func(i int) string { return fmt.Sprintf("%03d ", i) }
	var group sync.WaitGroup
	for i := range count {
		group.Go(func() {
			body := strings.NewReader(textOf(i))
			records[i], errs[i] = f.store.UploadPart(t.Context(), body, partOptions(token, count, i+1))
		})
	}
	group.Wait()

	// All records that were returned are equal.
	wholeText := ""
	var record *filesapi.Record
	for i := range count {
		require.NoError(t, errs[i])
		wholeText += textOf(i)
		if records[i] == nil {
			// A call that has not completed the file returns no record.
			continue
		}
		if record != nil {
			require.Equal(t, record, records[i])
		}
		record = records[i]
	}
	require.NotNil(t, record, "no call has completed the file")
	require.Equal(t, wholeText, readContent(t, f.store, record.ID))
	require.Equal(t, []string{record.ID}, listIDs(t, f.store, uploads.Filter{}, 10))
}

// A meeting makes each of n calls wait for the others.
type meeting struct {
	driver.Driver
	group *sync.WaitGroup // of the calls that have not arrived
	once  *sync.Once      // this driver's
}

// Put waits at the first write of the state of an upload.
func (m meeting) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	if strings.HasSuffix(r.Key, "/state.json") {
		m.once.Do(func() {
			m.group.Done()
			m.group.Wait()
		})
	}
	return m.Driver.Put(ctx, r)
}

// meetOthers returns a layer of the bucket of one call. Before the call first writes the state of its upload, it waits
// until all calls of the group have come so far.
func meetOthers(group *sync.WaitGroup) storage.OpenOption {
	return driver.WithLayer(func(next driver.Driver) driver.Driver {
		return meeting{Driver: next, group: group, once: new(sync.Once)}
	})
}

// A partCall is a call of UploadPart in a goroutine of its own.
type partCall struct {
	ended  chan struct{}
	record *filesapi.Record
	err    error
}

// startPart begins to send one of the two parts of a file.
func (f *fixture) startPart(t *testing.T, body io.Reader, number int) *partCall {
	c := &partCall{ended: make(chan struct{})}
	go func() {
		defer close(c.ended)
		c.record, c.err = f.store.UploadPart(t.Context(), body, partOptions(token, 2, number))
	}()
	return c
}

// wait waits until the call has ended, and returns its results.
func (c *partCall) wait() (*filesapi.Record, error) {
	<-c.ended
	return c.record, c.err
}

// Several calls that upload the last missing part at the same time make one file, and each returns its record.
func TestUploadPartOneCompletes(t *testing.T) {
	const callCount = 4
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	f.sendPart(t, "a", partOptions(token, 2, 1))

	// Each call waits for the others, so that all of them complete the file.
	var group sync.WaitGroup
	group.Add(callCount)
	calls := make([]*partCall, callCount)
	for i := range calls {
		// The parts stay, so that no call stops because they are missing.
		keepParts := driver.WithLayer(faults.New(faults.Fail(faults.DeleteBatch | faults.Delete)).Layer())
		noRetry := storage.WithRetry(storage.RetryPolicy{Attempts: 1})
		s := f.openBeside(t, keepParts, meetOthers(&group), noRetry)
		calls[i] = s.startPart(t, strings.NewReader("b"), 2)
	}

	// All calls return the same record.
	first, err := calls[0].wait()
	require.NoError(t, err)
	for _, call := range calls[1:] {
		record, err := call.wait()
		require.NoError(t, err)
		require.Equal(t, first, record)
	}
	require.Len(t, listIDs(t, f.store, uploads.Filter{}, 10), 1)
	requireConsistent(t, f.bucket, f.records)
}
