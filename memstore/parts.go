package memstore

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// An upload collects the parts of an object. It keeps the key but no properties, because
// CompleteParts gets them again. The bucket's lock guards the fields parts and lastPart.
type upload struct {
	name     string
	key      string
	created  time.Time
	parts    map[int]part
	lastPart time.Time    // time of the latest part; if there is none, the time of BeginParts
	calls    atomic.Int32 // running PutParts and CompleteParts; only incremented under the lock
}

type part struct {
	data []byte
	tag  string
	crc  storage.CRC32C
}

// BeginParts begins an upload, and discards abandoned uploads. The name of the upload is random,
// because the names of a counter could, after a restart, match those of an earlier process.
func (d *objectDriver) BeginParts(ctx context.Context, r *driver.PutRequest) (string, error) {
	now := d.account.time()
	u := &upload{name: rand.Text(), key: r.Key, created: now, parts: map[int]part{}, lastPart: now}
	b, err := d.openToWrite(ctx)
	if err != nil {
		return "", err
	}
	defer b.mu.Unlock()
	if err := b.checkLock(&r.Controls); err != nil {
		return "", err
	}

	b.sweepUploads(now)
	b.uploads[u.name] = u
	return u.name, nil
}

// PutPart stores a part. Every part gets a new tag, even if it replaces a part with equal bytes.
func (d *objectDriver) PutPart(ctx context.Context, r *driver.PartRequest) (driver.Part, error) {
	b, err := d.open(ctx)
	if err != nil {
		return driver.Part{}, err
	}
	u, err := b.acquireUpload(r.Key, r.Upload)
	if err != nil {
		return driver.Part{}, err
	}
	defer u.release()

	// Read the body without holding the lock, because the client may be slow.
	data, err := readBody(ctx, r.Body, r.Size)
	if err != nil {
		return driver.Part{}, err
	}
	if err := contextErr(ctx); err != nil {
		return driver.Part{}, err
	}

	// Each write of the account gets a number of its own, which becomes the tag.
	tag := strconv.FormatUint(b.account.writes.Add(1), 10)
	p := part{data: data, tag: tag, crc: r.CRC32C}

	// Store the part in the upload.
	now := b.account.time()
	if err := b.lock(); err != nil {
		return driver.Part{}, err
	}
	defer b.mu.Unlock()

	if _, err := b.findUpload(r.Key, r.Upload); err != nil {
		// The upload was completed or aborted while the body was read.
		return driver.Part{}, err
	}

	u.parts[r.Number] = p
	// Another PutPart, which got the lock first, may have recorded a later time.
	if now.After(u.lastPart) {
		u.lastPart = now
	}
	return p.describe(r.Number), nil
}

// describe returns the part with its number, for the engine.
func (p part) describe(number int) driver.Part {
	return driver.Part{Number: number, Tag: p.tag, Size: int64(len(p.data)), CRC32C: p.crc}
}

// CompleteParts joins the requested parts to an object. If the condition does not hold, the upload
// stays, and can be completed again or aborted.
func (d *objectDriver) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	b, err := d.open(ctx)
	if err != nil {
		return nil, err
	}
	u, err := b.acquireUpload(r.Put.Key, r.Upload)
	if err != nil {
		return nil, err
	}
	defer u.release()

	// Join the parts without holding the lock, because they may be large.
	chunks, total, err := b.partData(u, r.Parts)
	if err != nil {
		return nil, err
	}
	o := newObject(r.Put.Key, join(chunks, total), r.Put.Properties, &r.Put.Controls, r.Put.CRC32C)
	return b.commit(ctx, o, r.Put.Condition, u)
}

// AbortParts discards the upload and its parts, and succeeds if there is no such upload.
func (d *objectDriver) AbortParts(ctx context.Context, key, name string) error {
	b, err := d.openToWrite(ctx)
	if err != nil {
		return err
	}
	defer b.mu.Unlock()
	if _, err := b.findUpload(key, name); err == nil { // the upload exists, and is for this key
		delete(b.uploads, name)
	}
	return nil
}

// acquireUpload finds an upload and marks it as in use, so that sweepUploads keeps it until release
// is called.
func (b *bucket) acquireUpload(key, name string) (*upload, error) {
	if err := b.rlock(); err != nil {
		return nil, err
	}
	defer b.mu.RUnlock()
	u, err := b.findUpload(key, name)
	if err != nil {
		return nil, err
	}
	u.calls.Add(1)
	return u, nil
}

// release ends the use of an upload.
func (u *upload) release() { u.calls.Add(-1) }

// findUpload returns the upload with this name, or ObjectNotFound if there is none for the key. The
// caller holds the lock.
func (b *bucket) findUpload(key, name string) (*upload, error) {
	u, ok := b.uploads[name]
	if !ok || u.key != key {
		return nil, &storage.Error{Code: storage.ObjectNotFound, Err: fmt.Errorf("unknown upload %q", name)}
	}
	return u, nil
}

// partData returns the bytes of the requested parts, in the requested order. It fails with
// InvalidArgument if the upload does not have one of them, or if a newer part has replaced it.
func (b *bucket) partData(u *upload, parts []driver.Part) (chunks [][]byte, total int, err error) {
	if err := b.rlock(); err != nil {
		return nil, 0, err
	}
	defer b.mu.RUnlock()

	chunks = make([][]byte, len(parts))
	for i, requested := range parts {
		stored, ok := u.parts[requested.Number]
		if !ok || stored.tag != requested.Tag || int64(len(stored.data)) != requested.Size {
			return nil, 0, &storage.Error{
				Code: storage.InvalidArgument,
				Err:  fmt.Errorf("part %d is not the one that was stored", requested.Number),
			}
		}
		chunks[i] = stored.data
		total += len(stored.data)
	}
	return chunks, total, nil
}
