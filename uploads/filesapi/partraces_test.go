package filesapi_test

import (
	"context"
	"fmt"
	"io"
	"slices"
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

// If a part arrives again after the file was made, UploadPart returns the record, and does not change the file.
func TestUploadPartAfterFileIsMade(t *testing.T) {
	f := newMemoryFixture(t, filesapi.StoreConfig{})
	f.sendPart(t, "a", part(1).of(3))
	f.sendPart(t, "b", part(2).of(3))

	// Part 2 is sent again, and its body blocks.
	slowBody := newBlockedBody("B, sent again")
	lateCall := f.startPart(t, slowBody, part(2).of(3))
	slowBody.waitUntilRead()

	// The last part completes the file. Only then does the body of part 2 arrive.
	record := f.sendPart(t, "c", part(3).of(3))
	slowBody.unblock()

	lateRecord, err := lateCall.wait()
	require.NoError(t, err)
	require.Equal(t, record, lateRecord)
	require.Equal(t, "abc", readContent(t, f.store, record.ID))
	requireRecordsMatchObjects(t, f.bucket, f.records)
}

// A blockedBody is a body whose reads wait for the call of unblock.
type blockedBody struct {
	io.Reader
	reading   chan struct{} // is closed by the first read
	unblocked chan struct{}
	once      sync.Once
}

func newBlockedBody(text string) *blockedBody {
	return &blockedBody{Reader: strings.NewReader(text), reading: make(chan struct{}), unblocked: make(chan struct{})}
}

// Read waits until the body is unblocked.
func (b *blockedBody) Read(p []byte) (int, error) {
	b.once.Do(func() {
		close(b.reading)
	})
	<-b.unblocked
	return b.Reader.Read(p)
}

// waitUntilRead waits until somebody reads the body.
func (b *blockedBody) waitUntilRead() { <-b.reading }

func (b *blockedBody) unblock() { close(b.unblocked) }

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
				requireRecordsMatchObjects(t, bucket, records)
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

	// Send all parts at the same time. Their numbers begin with 1.
	textOf := func(i int) string { return fmt.Sprintf("%03d ", i) }
	var group sync.WaitGroup
	for i := range count {
		group.Go(func() {
			body := strings.NewReader(textOf(i))
			records[i], errs[i] = f.store.UploadPart(t.Context(), body, part(i+1).of(count))
		})
	}
	group.Wait()

	wholeText := ""
	for i := range count {
		require.NoError(t, errs[i])
		wholeText += textOf(i)
	}

	// A call returns a record if the file was complete when it ended. All these records are equal.
	isNil := func(r *filesapi.Record) bool { return r == nil }
	records = slices.DeleteFunc(records, isNil)
	require.NotEmpty(t, records, "no call has completed the file")
	record := records[0]
	for _, r := range records {
		require.Equal(t, record, r)
	}
	require.Equal(t, wholeText, readContent(t, f.store, record.ID))
	require.Equal(t, []string{record.ID}, listIDs(t, f.store, uploads.Filter{}, 10))
}

// A meeting makes a call wait until all calls of its group have come so far.
type meeting struct {
	driver.Driver
	group *sync.WaitGroup // of the calls that have not arrived
	once  *sync.Once      // this driver's
}

// Put waits for the other calls before it first writes the state of an upload.
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

// startPart begins to send a part.
func (f *fixture) startPart(t *testing.T, body io.Reader, o filesapi.PartOptions) *partCall {
	c := &partCall{ended: make(chan struct{})}
	go func() {
		defer close(c.ended)
		c.record, c.err = f.store.UploadPart(t.Context(), body, o)
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
	f.sendPart(t, "a", part(1).of(2))

	// Each call waits for the others, because all of them must complete the file.
	var group sync.WaitGroup
	group.Add(callCount)
	calls := make([]*partCall, callCount)
	for i := range calls {
		// The removal of parts fails. Otherwise, a call would stop because they are missing.
		keepParts := driver.WithLayer(faults.New(faults.Fail(faults.DeleteBatch | faults.Delete)).Layer())
		s := f.openBeside(t, keepParts, meetOthers(&group), withoutRetry)
		calls[i] = s.startPart(t, strings.NewReader("b"), part(2).of(2))
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
	requireRecordsMatchObjects(t, f.bucket, f.records)
}
