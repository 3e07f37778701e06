package uploads

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/partsize"
	"github.com/omnibucket/storage/internal/webapi"
	"github.com/omnibucket/storage/uploads/rules"
)

// A Bucket has the operations that the service needs. It never lists.
type Bucket interface {
	storage.Uploader
	storage.Downloader
	storage.Remover
	storage.SignedUploader
	storage.SignedDownloader
	storage.PublicLinker
}

// A Service stores files in one bucket, by one set of rules. Its methods are safe for
// concurrent use.
type Service struct {
	bucket   Bucket
	config   Config
	judge    *rules.Judge
	pattern  *pattern
	guarded  bool // every write uses IfAbsent
	tokens   *tokens
	basePart int64 // partsize.Base; tests make it smaller
}

// New checks the rules, and that the bucket can keep them, without a request. If c is
// invalid, it fails with InvalidArgument. If the bucket does not support IfAbsent
// (see Config.Unguarded), or what Link, PublicRead or Tags needs, it fails with
// Unsupported. So does a type that is not of package storage, because its features
// are not known. If PublicLink is set for a bucket that was not opened as public, it
// fails with NotPublic.
func New(bucket Bucket, c Config) (*Service, error) {
	const op = "uploads.New"
	if bucket == nil {
		return nil, webapi.Misconfigured(op, "bucket", "must not be nil", "")
	}
	c.CacheControl, c.Tags = maps.Clone(c.CacheControl), maps.Clone(c.Tags)
	c.setDefaults()
	if field, rule := c.problem(); rule != "" {
		return nil, webapi.Misconfigured(op, field, rule, "")
	}
	judge, err := rules.New(c.Rules)
	if err != nil {
		return nil, webapi.Misconfigured(op, "Config.Rules:", err.Error(), "")
	}
	p, flaw := parsePattern(c.Key)
	if flaw != "" {
		return nil, webapi.Misconfigured(op, "Config.Key", flaw, "as in users/{user}/avatars/{yyyy}/{mm}/{random}{ext}")
	}
	for _, n := range c.requirements() {
		if !storage.Supports(bucket, n.feature) {
			return nil, &storage.Error{Code: storage.Unsupported, Op: op, Err: errors.New("the bucket has no " + n.what), Hint: n.hint}
		}
	}
	if !storage.Supports(bucket, storage.ContentProperties) {
		return nil, &storage.Error{
			Code: storage.Unsupported, Op: op, Err: errors.New("the bucket keeps no content types, so a browser could run what users upload"),
			Hint: "use a bucket that supports ContentProperties",
		}
	}
	if c.Link == PublicLink {
		if _, err := bucket.PublicURL(c.PendingPrefix + "probe"); err != nil {
			return nil, err
		}
	}
	key := slices.Clone(c.TokenKey)
	if key == nil {
		key = make([]byte, 2*minTokenKey)
		_, _ = rand.Read(key) // never fails
	}
	return &Service{
		bucket: bucket, config: c, judge: judge, pattern: p,
		guarded: storage.Supports(bucket, storage.ConditionalCreate),
		tokens:  &tokens{config: c, pattern: p, tokenKey: key, sealer: newSealer(key)}, basePart: partsize.Base,
	}, nil
}

// A Result is a stored file.
type Result struct {
	Key          string         `json:"key"`
	URL          string         `json:"url,omitempty"`      // by Config.Link
	ExpiresAt    time.Time      `json:"expiresAt,omitzero"` // of a signed URL
	OriginalName string         `json:"name"`               // by CleanName: safe to show, but escape it in HTML
	Size         int64          `json:"size"`               // bytes
	ContentType  string         `json:"type"`               // by its content
	Width        int            `json:"width,omitempty"`    // pixels; 0 if the type has none
	Height       int            `json:"height,omitempty"`
	CRC32C       storage.CRC32C `json:"crc32c,omitzero"` // of all bytes; not known if the store keeps none (a signed upload to Azure)
	Modified     time.Time      `json:"modified"`        // by the store, or by this machine if the store does not say (S3)
}

// result describes the stored object and adds its URL.
func (s *Service) result(ctx context.Context, a *storage.Attrs, v *rules.Verdict, name string) (*Result, error) {
	r := &Result{
		Key: a.Key, OriginalName: name, Size: a.Size, ContentType: v.ContentType,
		Width: v.Width, Height: v.Height, CRC32C: a.CRC32C, Modified: a.Modified,
	}
	if r.Modified.IsZero() {
		r.Modified = s.config.Now().UTC()
	}
	switch s.config.Link {
	case PublicLink:
		address, err := s.bucket.PublicURL(a.Key)
		if err != nil {
			return nil, err
		}
		r.URL = address
	case SignedLink:
		signed, err := s.bucket.SignedDownloadURL(ctx, a.Key, storage.WithTTL(s.config.LinkTTL))
		if err != nil {
			return nil, err
		}
		r.URL, r.ExpiresAt = signed.URL, signed.ExpiresAt
	}
	return r, nil
}

// checkValues checks that the values fill the pattern, and that the key is not under
// PendingPrefix, where objects are removed.
func (s *Service) checkValues(v Values) *Error {
	if e := s.pattern.check(v); e != nil {
		return e
	}
	if strings.HasPrefix(s.pattern.key(v, s.config.Now(), [randomBytes]byte{}, ""), s.config.PendingPrefix) {
		return refuseField(s.pattern.values[0], InvalidValue, "This value is reserved.")
	}
	return nil
}

// writeOptions returns the options of every object that is kept.
func (s *Service) writeOptions(v *rules.Verdict) []storage.WriteOption {
	opts := []storage.WriteOption{storage.WithContentType(v.ContentType)}
	if !v.Inline {
		opts = append(opts, storage.WithContentDisposition("attachment")) // so that a browser saves it
	}
	if directives := s.config.cacheControl(v.MediaType); directives != "" {
		opts = append(opts, storage.WithCacheControl(directives))
	}
	if s.config.PublicRead {
		opts = append(opts, storage.WithPublicRead())
	}
	if len(s.config.Tags) > 0 {
		opts = append(opts, storage.WithTags(s.config.Tags))
	}
	if s.guarded {
		opts = append(opts, storage.IfAbsent())
	}
	return opts
}

func (s *Service) randomKey() (random [randomBytes]byte, err error) {
	if _, err = io.ReadFull(s.config.Random, random[:]); err != nil {
		err = &storage.Error{Code: storage.Internal, Op: "uploads", Err: errors.New("Config.Random returned too few bytes")}
	}
	return random, err
}

const discardTimeout = 10 * time.Second

// discard removes an object that must not stay, even if the sender has gone. If that
// fails, the object stays under a key that nobody knows.
func (s *Service) discard(ctx context.Context, key string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discardTimeout)
	defer cancel()
	_ = s.bucket.Remove(ctx, key)
}

// Delete removes a file that belongs to values. If the pattern could not have made
// key from them, it fails with NotYours. If there is no such file, it succeeds. A
// pattern without values does not name an owner, so the caller must know whose the
// key is.
func (s *Service) Delete(ctx context.Context, key string, values Values) error {
	if e := s.checkValues(values); e != nil {
		return e
	}
	if !s.pattern.matches(key, values) {
		return refuseField("key", NotYours, "This file is not yours, or is not stored here.")
	}
	if err := s.bucket.Remove(ctx, key); err != nil {
		e := storeFailed(err)
		e.Field, e.Message = "key", "The file could not be removed. Try again in a moment."
		return e
	}
	return nil
}
