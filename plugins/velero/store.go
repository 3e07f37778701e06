package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/vmware-tanzu/velero/pkg/plugin/velero"

	"github.com/omnibucket/storage"
)

// maxBuffers is the most memory for transfers in one process. Velero's pod has 512 MiB by default, and several
// processes at the same time.
const maxBuffers = 32 << 20

// An objectStore is the object store of Velero. Velero's calls have no context, so each call gets one.
type objectStore struct {
	mu      sync.Mutex
	buckets map[string]*openBucket // by Velero's name of the bucket
}

var _ velero.ObjectStore = (*objectStore)(nil)

// An openBucket is the bucket of a BackupStorageLocation.
type openBucket struct {
	bucket  storage.Bucket
	timeout time.Duration
}

// buffers is the memory of all buckets.
var buffers = &storage.BufferLimit{Max: maxBuffers}

// Init opens the bucket of a BackupStorageLocation, without a request to the store. Velero may call
// it again with another location. The bucket that had the same name stays open, because its calls
// may still run.
func (s *objectStore) Init(config map[string]string) error {
	settings, err := parse(config)
	if err != nil {
		return err
	}
	b, err := settings.open()
	if err != nil {
		return err
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buckets == nil {
		s.buckets = map[string]*openBucket{}
	}
	s.buckets[settings.bucket] = b
	return nil
}

// open trusts the certificates of the location, and opens its bucket with its credentials. It fails if
// it takes longer than the timeout.
func (s *settings) open() (*openBucket, error) {
	ctx, p := newProgress(s.timeout)
	defer p.stop()

	if err := trust(s.caCert); err != nil {
		return nil, err
	}
	if err := s.useCredentialsFile(ctx); err != nil {
		return nil, err
	}
	bucket, err := s.locations.Open(ctx, s.name, storage.WithBufferLimit(buffers))
	if err != nil {
		return nil, within(keyBucketURL, p.explain(ctx, err))
	}
	return &openBucket{bucket: bucket, timeout: s.timeout}, nil
}

// beginCall returns the bucket with Velero's name for it, and the context and progress of one call. The
// progress ends the context if the store makes none for some time. The caller must call its stop.
func (s *objectStore) beginCall(name string) (context.Context, *progress, storage.Bucket, error) {
	s.mu.Lock()
	b, ok := s.buckets[name]
	s.mu.Unlock()
	if !ok {
		return nil, nil, nil, fmt.Errorf("bucket %q must be opened by Init first", name)
	}
	ctx, p := newProgress(b.timeout)
	return ctx, p, b.bucket, nil
}

// PutObject stores an object, which appears whole or not at all.
//
// If Velero cannot read its own file to the end, the protocol tells the plugin only that the body
// has ended, so PutObject stores what it got. Velero knows the error, and does not use the object.
func (s *objectStore) PutObject(bucket, key string, body io.Reader) error {
	ctx, p, b, err := s.beginCall(bucket)
	if err != nil {
		return err
	}
	defer p.stop()
	_, err = b.Upload(ctx, key, &sentBody{body, p}, storage.WithProgress(func(int64, int64) {
		p.recordProgress()
	}))
	if err != nil {
		// Velero shows this error only if it could send all of the body, so read the rest. Otherwise it shows "EOF".
		p.pause()
		_, _ = io.Copy(io.Discard, body)
	}
	return p.explain(ctx, err)
}

// A sentBody is the body that Velero sends. The time of a Read does not count as that of the store.
type sentBody struct {
	body     io.Reader
	progress *progress
}

// maxRead is the most that one Read asks for. Velero's reader buffers as much as is asked for.
const maxRead = 64 << 10

// Read implements [io.Reader].
func (b *sentBody) Read(buf []byte) (int, error) {
	b.progress.pause()
	defer b.progress.resume()
	return b.body.Read(buf[:min(len(buf), maxRead)])
}

// ObjectExists reports whether an object exists.
func (s *objectStore) ObjectExists(bucket, key string) (bool, error) {
	ctx, p, b, err := s.beginCall(bucket)
	if err != nil {
		return false, err
	}
	defer p.stop()
	exists, err := b.Exists(ctx, key)
	return exists, p.explain(ctx, err)
}

// GetObject opens an object for reading, and fails with [storage.ObjectNotFound] if it is missing.
func (s *objectStore) GetObject(bucket, key string) (io.ReadCloser, error) {
	ctx, p, b, err := s.beginCall(bucket)
	if err != nil {
		return nil, err
	}
	r, err := b.Download(ctx, key)
	if err != nil {
		p.stop()
		return nil, p.explain(ctx, err)
	}

	// The time counts again when Velero reads. Close of the body calls stop.
	p.pause()
	return &readBody{ctx: ctx, body: r, progress: p}, nil
}

// A readBody is the content of an object that Velero reads. Only the time of a Read counts as that of the store.
type readBody struct {
	ctx      context.Context
	body     io.ReadCloser
	progress *progress
}

// Read implements [io.Reader]. It never returns 0 bytes without an error, because Velero takes that
// for the end of the object.
func (b *readBody) Read(buf []byte) (n int, err error) {
	if len(buf) == 0 {
		return 0, nil
	}

	// Only the time during a Read counts, because between Reads the store waits for Velero.
	b.progress.resume()
	defer b.progress.pause()
	for n == 0 && err == nil {
		n, err = b.body.Read(buf)
	}
	if err == io.EOF {
		return n, err
	}
	return n, b.progress.explain(b.ctx, err)
}

// Close implements [io.Closer].
func (b *readBody) Close() error {
	err := b.body.Close()
	b.progress.stop()
	return err
}

// ListCommonPrefixes returns the common prefixes below a prefix, each with the delimiter at its
// end.
func (s *objectStore) ListCommonPrefixes(bucket, prefix, delimiter string) ([]string, error) {
	if delimiter == "" {
		// Without a delimiter, there are no common prefixes.
		return nil, nil
	}
	return s.list(bucket, prefix, delimiter)
}

// ListObjects returns the keys of all objects below a prefix.
func (s *objectStore) ListObjects(bucket, prefix string) ([]string, error) {
	return s.list(bucket, prefix, "")
}

// list returns the common prefixes of a listing with a delimiter, or the keys of one without.
func (s *objectStore) list(bucket, prefix, delimiter string) (keys []string, err error) {
	ctx, p, b, err := s.beginCall(bucket)
	if err != nil {
		return nil, err
	}
	defer p.stop()

	opts := []storage.ListOption{storage.WithPrefix(prefix), storage.WithDelimiter(delimiter)}
	if delimiter == "" || delimiter == "/" {
		// Some stores have no order, and Velero needs none.
		opts = append(opts, storage.WithAnyOrder())
	}

	wantPrefixes := delimiter != ""
	for entry, err := range b.List(ctx, opts...) {
		if err != nil {
			return nil, p.explain(ctx, err)
		}
		p.recordProgress()
		if entry.IsPrefix == wantPrefixes {
			keys = append(keys, entry.Key)
		}
	}
	slices.Sort(keys)
	return keys, nil
}

// DeleteObject removes an object. It succeeds if the object is missing.
func (s *objectStore) DeleteObject(bucket, key string) error {
	ctx, p, b, err := s.beginCall(bucket)
	if err != nil {
		return err
	}
	defer p.stop()
	return p.explain(ctx, b.Remove(ctx, key))
}

// CreateSignedURL returns a URL that downloads an object until ttl has passed. It fails with
// [storage.Unsupported] if the store has no signed URLs.
func (s *objectStore) CreateSignedURL(bucket, key string, ttl time.Duration) (string, error) {
	ctx, p, b, err := s.beginCall(bucket)
	if err != nil {
		return "", err
	}
	defer p.stop()

	signedURL, err := b.SignedDownloadURL(ctx, key, storage.WithTTL(ttl))
	if err != nil {
		return "", p.explain(ctx, err)
	}
	if len(signedURL.Header) > 0 {
		return "", &storage.Error{
			Code: storage.Unsupported,
			Err:  errors.New("the signed URL needs headers, which Velero does not send"),
		}
	}
	return signedURL.URL, nil
}
