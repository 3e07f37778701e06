package memory

import (
	"encoding/json"
	"sync"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// A ledger counts memory. One ledger counts the bytes. Another one counts everything else: versions,
// delete markers, uploads and parts, and the settings of buckets. Clients could make those without
// sending a single byte.
type ledger struct {
	most int64 // 0 means no bound

	mu   sync.Mutex
	used int64
}

const (
	// leastLedger is the bound of a ledger, unless Config.MaxBytes is larger.
	leastLedger = 64 << 20
	// entryCost is the memory of a bucket, version, upload or part without its strings.
	entryCost = 1 << 10
	// recordedPartCost is the memory that an object needs for each part of its upload.
	recordedPartCost = 128
)

func newLedger(maxBytes int64) *ledger {
	if maxBytes == 0 {
		return &ledger{}
	}
	return &ledger{most: max(maxBytes, leastLedger)}
}

// add counts n more bytes, or fewer if n is negative. It fails if there are too many.
func (l *ledger) add(n int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.checkLocked(n)
	if err == nil {
		l.used += n
	}
	return err
}

// check fails if add would fail now.
func (l *ledger) check(n int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.checkLocked(n)
}

func (l *ledger) checkLocked(n int64) error {
	if l.most > 0 && n > 0 && l.used+n > l.most {
		return s3error.New("XMinioStorageFull")
	}
	return nil
}

func (l *ledger) free(n int64) { _ = l.add(-n) }

// costOf returns the memory that a bucket takes with its settings: about twice that of its record.
// It is 0 if there is no bound.
func (l *ledger) costOf(b *state.Bucket) int64 {
	if l.most == 0 {
		return 0
	}
	record, _ := json.Marshal(b) // nothing in the type can fail
	return entryCost + 2*int64(len(record))
}

// costOfVersion returns the memory that a version takes.
func costOfVersion(v *state.Version) int64 {
	return entryCost + int64(
		len(v.Key),
	) + costOfProperties(
		&v.Object.Properties,
	) + int64(
		len(v.Object.Parts),
	)*recordedPartCost
}

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

// cost returns the memory that an upload takes with its parts.
func (u *memoryUpload) cost() int64 {
	return entryCost + int64(
		len(u.upload.Key),
	) + costOfProperties(
		&u.upload.Object.Properties,
	) + int64(
		len(u.parts),
	)*entryCost
}
