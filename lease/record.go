package lease

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
)

const (
	// defaultTTL is the TTL without WithTTL. It also applies to an object that has no TTL.
	defaultTTL = time.Minute
	minTTL     = time.Second
	// pollsPerTTL is the number of times per TTL that a waiting process reads the object.
	pollsPerTTL = 12
	// maxRecord is larger than any record, in bytes. So an object that is larger is not a lease.
	maxRecord = 64 << 10
	// lastForm is the last form of a record that this version reads (docs/maintainers/stored-forms.md).
	lastForm = 1
)

// A record is the content of the lease's object, as JSON.
type record struct {
	Holder string        `json:"holder,omitempty"` // "" if the lease is free
	Token  int64         `json:"token,omitempty"`
	TTL    time.Duration `json:"ttl,omitempty"`   // nanoseconds
	Began  time.Time     `json:"began,omitzero"`  // time of the last acquisition, by the clock of the store
	Wanted bool          `json:"wanted,omitzero"` // true if another process has asked for the lease
	// Nonce is random. It makes each content unique, because some stores derive the revision from
	// the content.
	Nonce string `json:"nonce"`
}

// A state is the lease's object as this process has last read or written it.
type state struct {
	record   record
	revision string    // "" if the object does not exist
	modified time.Time // time of the store's clock; zero in the result of a write on S3
	sent     time.Time // time at which this process sent the write; zero if the object was read
}

// ttl returns the TTL of the holder, or the default if the object has none.
func (s state) ttl() time.Duration {
	if s.record.TTL <= 0 {
		return defaultTTL
	}
	return max(s.record.TTL, minTTL)
}

// read returns the state of the object, which is zero if the object does not exist. If the object
// is not a lease, read fails with InvalidArgument.
func (l *Lease) read(ctx context.Context) (state, error) {
	r, err := l.bucket.Download(ctx, l.key)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return state{}, nil
	}
	if err != nil {
		return state{}, err
	}
	// Close of a Reader always returns nil.
	defer r.Close()

	// Read no more than a lease can have, and check that the object is one.
	text, err := io.ReadAll(io.LimitReader(r, maxRecord))
	if err != nil {
		return state{}, err
	}
	if err := argument.CheckForm(l.op(), l.key, text, lastForm); err != nil {
		return state{}, err
	}

	s := state{revision: r.Attrs().Revision, modified: r.Attrs().Modified}
	if err := json.Unmarshal(text, &s.record); err != nil || !s.record.isValid() {
		storageErr := l.failed(storage.InvalidArgument, "object is not a lease")
		storageErr.Hint = "pass another key, or remove the object"
		return state{}, storageErr
	}
	return s, nil
}

// isValid reports whether r may be the content of a lease's object, which other JSON without a
// holder and a nonce is not.
func (r *record) isValid() bool {
	if r.Holder == "" && r.Nonce == "" {
		return false
	}
	return r.Token >= 0
}

// write replaces the object with the record r if the revision is still that of the old state. If
// the old state has no revision, write creates the object.
func (l *Lease) write(ctx context.Context, old state, r record) (state, error) {
	r.Nonce = rand.Text()
	text, err := json.Marshal(r)
	if err != nil {
		return state{}, err
	}

	var condition storage.UploadOption = storage.IfAbsent()
	if old.revision != "" {
		condition = storage.IfRevision(old.revision)
	}

	start := time.Now()
	attrs, err := l.bucket.Upload(ctx, l.key, bytes.NewReader(text), condition)
	if err != nil {
		return state{}, err
	}
	return state{record: r, revision: attrs.Revision, modified: attrs.Modified, sent: start}, nil
}
