package memstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage"
)

// An upload collects parts until they become an object. What the object shall
// be comes again with CompleteParts, so it keeps the key alone. The bucket's
// lock guards parts and last.
type upload struct {
	name  string
	key   string
	begun time.Time
	parts map[int]part
	last  time.Time    // when the latest part was stored; before that, begun
	calls atomic.Int32 // PutParts and CompleteParts that are under way; it grows under the lock alone
}

type part struct {
	data []byte
	tag  string
}

// BeginParts names the upload by chance, not by a count: a name that outlived
// its process must not reach another upload in the next. It drops uploads that
// nobody goes on with.
func (d *driver) BeginParts(ctx context.Context, r *storage.PutRequest) (string, error) {
	b, err := d.open(ctx, r.Native...)
	if err != nil {
		return "", err
	}
	now := b.account.time()
	u := &upload{name: rand.Text(), key: r.Key, begun: now, parts: map[int]part{}, last: now}
	if err := b.lock(); err != nil {
		return "", err
	}
	defer b.mu.Unlock()
	b.sweepUploads(now)
	b.uploads[u.name] = u
	return u.name, nil
}

// PutPart gives every part another tag, also one that replaces an equal one.
func (d *driver) PutPart(ctx context.Context, r *storage.PartRequest) (storage.Part, error) {
	b, err := d.open(ctx)
	if err != nil {
		return storage.Part{}, err
	}
	u, err := b.upload(r.Key, r.Upload)
	if err != nil {
		return storage.Part{}, err
	}
	defer u.leave()
	data, err := readBody(ctx, r.Body, r.Size)
	if err != nil {
		return storage.Part{}, err
	}
	if err := interrupted(ctx); err != nil {
		return storage.Part{}, err
	}
	stored := part{data: data, tag: strconv.FormatUint(b.account.writes.Add(1), 10)}
	now := b.account.time()
	if err := b.lock(); err != nil {
		return storage.Part{}, err
	}
	defer b.mu.Unlock()
	if _, err := b.findUpload(r.Key, r.Upload); err != nil {
		return storage.Part{}, err // completed or aborted meanwhile
	}
	u.parts[r.Number] = stored
	if now.After(u.last) {
		u.last = now
	}
	answer := storage.Part{Number: r.Number, Tag: stored.tag, Size: int64(len(data))}
	if r.CRC32C != nil {
		sum := *r.CRC32C
		answer.CRC32C = &sum
	}
	return answer, nil
}

// CompleteParts joins the parts without the lock. Where the condition fails the
// upload stays, to be aborted.
func (d *driver) CompleteParts(ctx context.Context, r *storage.CompleteRequest) (*storage.Attrs, error) {
	b, err := d.open(ctx, r.Put.Native...)
	if err != nil {
		return nil, err
	}
	u, err := b.upload(r.Put.Key, r.Upload)
	if err != nil {
		return nil, err
	}
	defer u.leave()
	chunks, total, err := b.chosen(u, r.Parts)
	if err != nil {
		return nil, err
	}
	o := newObject(r.Put.Key, join(chunks, total), r.Put.Properties, r.Put.CRC32C)
	o.public = r.Put.PublicRead
	return b.commit(ctx, o, r.Put.Condition, u)
}

// AbortParts forgets the upload and its parts.
func (d *driver) AbortParts(ctx context.Context, key, name string) error {
	b, err := d.open(ctx)
	if err != nil {
		return err
	}
	if err := b.lock(); err != nil {
		return err
	}
	defer b.mu.Unlock()
	if _, err := b.findUpload(key, name); err == nil {
		delete(b.uploads, name)
	}
	return nil
}

// upload is findUpload with the lock taken for it, for a call that is under way
// until leave.
func (b *bucket) upload(key, name string) (*upload, error) {
	if err := b.rlock(); err != nil {
		return nil, err
	}
	defer b.mu.RUnlock()
	u, err := b.findUpload(key, name)
	if err == nil {
		u.calls.Add(1)
	}
	return u, err
}

func (u *upload) leave() { u.calls.Add(-1) }

// findUpload is the upload of that name to that key. The lock is held.
func (b *bucket) findUpload(key, name string) (*upload, error) {
	u, found := b.uploads[name]
	if !found || u.key != key {
		return nil, unknownUpload(name)
	}
	return u, nil
}

// chosen are the bytes of the parts asked for, in that order;
// InvalidArgument where one is not what was stored last under its number.
func (b *bucket) chosen(u *upload, parts []storage.Part) (chunks [][]byte, total int, err error) {
	if err := b.rlock(); err != nil {
		return nil, 0, err
	}
	defer b.mu.RUnlock()
	chunks = make([][]byte, len(parts))
	for i, asked := range parts {
		stored, found := u.parts[asked.Number]
		if !found || stored.tag != asked.Tag || int64(len(stored.data)) != asked.Size {
			return nil, 0, &storage.Error{Code: storage.InvalidArgument, Err: fmt.Errorf("part %d is not the one that was stored", asked.Number)}
		}
		chunks[i] = stored.data
		total += len(stored.data)
	}
	return chunks, total, nil
}

func unknownUpload(name string) error {
	return &storage.Error{Code: storage.InvalidArgument, Err: errors.New("unknown upload " + strconv.Quote(name))}
}
