package memory

import (
	"encoding/json"
	"sync"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// A ledger counts memory and limits it. The store has two. One counts the bytes of objects and
// parts. The other counts versions, delete markers, uploads, parts and the settings of buckets,
// because clients can create these without sending any bytes of content.
type ledger struct {
	limit int64 // limit in bytes; 0 means no limit

	mu   sync.Mutex
	used int64
}

const (
	// leastLedger is the minimum limit, in bytes, for all memory that is not content of objects. If
	// Config.MaxBytes is larger, the limit is Config.MaxBytes.
	leastLedger = 64 << 20
	// entryCost is the approximate memory in bytes of a bucket, version, upload or part, without
	// its strings.
	entryCost = 1 << 10
	// recordedPartCost is the memory in bytes that an object needs for each part of its upload.
	recordedPartCost = 128
)

// newLedger returns a ledger with a limit of maxBytes, or none if maxBytes is 0. The limit is at least leastLedger, so
// that there is room for buckets and keys.
func newLedger(maxBytes int64) *ledger {
	if maxBytes == 0 {
		return &ledger{}
	}
	return &ledger{limit: max(maxBytes, leastLedger)}
}

// add counts n more bytes of memory, or fewer if n is negative. It fails with XMinioStorageFull, and counts nothing, if
// they exceed the limit.
func (l *ledger) add(n int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.checkLocked(n)
	if err != nil {
		return err
	}
	l.used += n
	return nil
}

// check fails if adding n bytes now would fail.
func (l *ledger) check(n int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.checkLocked(n)
}

// checkLocked fails with XMinioStorageFull if n more bytes would exceed the limit. The caller must hold l.mu.
func (l *ledger) checkLocked(n int64) error {
	if l.limit > 0 && n > 0 && l.used+n > l.limit {
		return s3error.New("XMinioStorageFull")
	}
	return nil
}

func (l *ledger) free(n int64) { _ = l.add(-n) }

// size returns the number of bytes that are counted now.
func (l *ledger) size() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.used
}

// costOf returns the approximate memory in bytes of a bucket's settings, about twice their JSON, or 0 if the ledger has
// no limit.
func (l *ledger) costOf(b *state.Bucket) int64 {
	if l.limit == 0 {
		return 0
	}
	record, _ := json.Marshal(b) // encoding a Bucket cannot fail
	return entryCost + 2*int64(len(record))
}

// costOfVersion returns the approximate memory in bytes of a version without its content.
func costOfVersion(v *state.Version) int64 {
	parts := int64(len(v.Object.Parts)) * recordedPartCost
	return entryCost + int64(len(v.Key)) + costOfProperties(&v.Object.Properties) + parts
}

// costOfProperties returns the number of bytes in the names and values of an object's headers and tags.
func costOfProperties(p *state.Properties) (bytes int64) {
	for name, values := range p.Header {
		for _, value := range values {
			bytes += int64(len(name) + len(value))
		}
	}
	for _, t := range p.Tags {
		bytes += int64(len(t.Key) + len(t.Value))
	}
	return bytes
}

// cost returns the approximate memory in bytes of an upload and its parts without their content.
func (u *memoryUpload) cost() int64 {
	parts := int64(len(u.parts)) * entryCost
	return entryCost + int64(len(u.upload.Key)) + costOfProperties(&u.upload.Object.Properties) + parts
}
